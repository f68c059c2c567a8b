"""The main job, end to end: an ordinary torch program, run plainly and under the shim; its results, and its time."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mlx_spectro import compat

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "benchmarks" / "programs" / "features.py"
AUDIO = ROOT / "parity_tests" / "table" / "audio"
# passes by each, at most, and seconds after which no other begins once there are a few
PASSES, FEW, SECONDS = 15, 3, 4.0


class Pass(NamedTuple):
    """Seconds of one pass of the program."""

    whole: float
    inside: float
    """Of it in the functions that we serve."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; stop with what it said where it fails."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done


def timed(work: Callable[[], object]) -> Pass:
    """One pass of ``work``, by whoever serves its calls at present."""
    compat.reset()
    begin = time.perf_counter()
    work()
    whole = time.perf_counter() - begin
    return Pass(whole, sum(record.seconds for record in compat.report()))


def in_turn(work: Callable[[], object]) -> dict[str, list[Pass]]:
    """Passes by the libraries' own functions and by ours, in turn, so that what else the machine does hits both."""
    found: dict[str, list[Pass]] = {"strict": [], "fast": []}
    compat.install()
    try:
        with compat.profile():
            for numerics in found:  # compiles, loads, and measures what the profile measures once
                with compat.numerics(numerics):
                    work()
            end = time.perf_counter() + SECONDS
            while len(found["fast"]) < PASSES and (len(found["fast"]) < FEW or time.perf_counter() < end):
                for numerics, passes in found.items():
                    with compat.numerics(numerics):
                        passes.append(timed(work))
    finally:
        compat.uninstall()
    return found


def compared(found: dict[str, list[Pass]], part: str) -> str:
    """What the medians of both are of each other."""
    theirs, ours = (1e3 * statistics.median(getattr(one, part) for one in passes) for passes in found.values())
    said = f"{theirs / ours:.1f} times faster" if ours <= theirs else f"{ours / theirs:.1f} times slower"
    return f"{said} ({theirs:.1f} ms -> {ours:.1f} ms)"


def picture(path: Path, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Save two log-mel spectrograms of a recording, and what they differ by."""
    figure = Figure(figsize=(11, 3), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    shown = (("torch, dB", theirs), ("mlx_spectro, dB", ours), ("difference, dB", ours - theirs))
    for panel, (name, values) in zip(panels, shown, strict=True):
        figure.colorbar(panel.imshow(values[0], origin="lower", aspect="auto"), ax=panel)
        panel.set(title=name, xlabel="frame")
    panels[0].set_ylabel("mel")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="folder for results and pictures")
    out: Path = parser.parse_args().out.resolve()
    recordings = sorted(AUDIO.glob("*.flac"))
    print(f"{PROGRAM.relative_to(ROOT)}, as it is, and as mlx-spectro {PROGRAM.name}", flush=True)
    shim = ("-m", "mlx_spectro.compat")
    run(str(PROGRAM), str(out / "torch"), *map(str, recordings))
    run(*shim, str(PROGRAM), str(out / "mlx_spectro"), *map(str, recordings))
    verified = run(*shim, "--verify", str(PROGRAM), str(out / "verified"), *map(str, recordings))

    from .programs import features

    for recording in recordings:
        x, rate = features.load(recording)
        made = features.Features(rate)
        found = in_turn(lambda x=x, made=made: made(x))  # type: ignore[misc]
        ours, theirs = (np.load(out / who / f"{recording.stem}.npz") for who in ("mlx_spectro", "torch"))
        picture(out / f"{recording.stem}.png", ours["mel"], theirs["mel"])
        apart = ", ".join(f"{name} {_apart(ours[name], theirs[name]):.0e}" for name in theirs.files)
        print(f"\n{recording.name}: the transforms {compared(found, 'inside')}, all of it {compared(found, 'whole')}")
        print(f"  medians of {len(found['fast'])} passes by torch and by mlx_spectro in turn, in one process")
        print(f"  results differ, relative to their largest value, by {apart}")
    print(f"\nevery call of the program compared with torch's and torchaudio's own:\n{verified.stderr.strip()}")
    print(f"\nresults and pictures are in {out}")


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


if __name__ == "__main__":
    main()
