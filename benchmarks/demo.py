"""The main job, end to end: an ordinary torch program, run plainly and under the shim, and the two results compared."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "benchmarks" / "programs" / "denoise.py"
AUDIO = ROOT / "parity_tests" / "audio"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; stop with what it said where it fails."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done


def milliseconds(output: str) -> float:
    """The program's own time of a pass."""
    found = re.search(r"([\d.]+) ms a pass", output)
    assert found is not None, output
    return float(found[1])


def picture(path: Path, before: np.ndarray, after: np.ndarray, difference: np.ndarray, rate: int) -> None:
    """Save the spectrograms of the recording, the cleaned one, and what the two libraries' results differ by."""
    figure = Figure(figsize=(11, 3), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    names = ("recording", "denoised under the shim", "difference from torch")
    for panel, name, x in zip(panels, names, (before, after, difference), strict=True):
        with np.errstate(divide="ignore"):  # silence has no logarithm
            panel.specgram(x, NFFT=1024, Fs=rate, noverlap=768, vmin=-200, vmax=-20)
        panel.set(title=name, xlabel="s")
    panels[0].set_ylabel("Hz")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="folder for audio and pictures")
    out: Path = parser.parse_args().out
    out.mkdir(exist_ok=True)
    shim = ("-m", "mlx_spectro.compat")
    for recording in sorted(AUDIO.glob("*.flac")):
        targets = {kind: out / f"{recording.stem}.{kind}.wav" for kind in ("torch", "shim", "verified")}
        run(*shim, str(PROGRAM), str(recording), str(targets["shim"]))  # the first run compiles
        plain = run(str(PROGRAM), str(recording), str(targets["torch"]))
        shimmed = run(*shim, str(PROGRAM), str(recording), str(targets["shim"]))
        verified = run(*shim, "--verify", str(PROGRAM), str(recording), str(targets["verified"]))
        samples = {
            kind: soundfile.read(path, dtype="float64", always_2d=True)[0][:, 0] for kind, path in targets.items()
        }
        original, rate = soundfile.read(recording, always_2d=True)
        difference = samples["shim"] - samples["torch"]
        picture(out / f"{recording.stem}.png", original[:, 0], samples["shim"], difference, rate)
        before, after = milliseconds(plain.stdout), milliseconds(shimmed.stdout)
        relative = np.abs(difference).max() / np.abs(samples["torch"]).max()
        print(f"{recording.name}: torch {before:.2f} ms, under the shim {after:.2f} ms a pass ({before / after:.2f}x)")
        print(f"  largest difference {relative:.1e} of the largest sample")
        print("  " + verified.stderr.strip().replace("\n", "\n  "))
    print(f"audio and pictures are in {out}")


if __name__ == "__main__":
    main()
