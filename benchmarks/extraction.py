"""python -m benchmarks.extraction: hours of audio a minute, by our kernels and by librosa's and torchaudio's own code.

The same command extracts the same recordings into the same files; what differs is who serves the functions. Each
extraction is a program of its own, so that starting it counts, and they take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from mlx_spectro.compat.diagnostics.tables import versions
from parity_tests.table import console

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "parity_tests" / "table" / "audio" / "speech_8k.flac"
BY = {"ours": "fast", "the library": "strict"}
FEATURES = {"librosa": "mel,mfcc", "torchaudio": "mel,mfcc"}
OPTIONS = ["--n-fft", "512", "--hop-length", "160", "--n-mels", "80"]


def record(folder: Path, recordings: int, seconds: float) -> None:
    """Compressed recordings of speech, each from another place on."""
    # played twice as fast, for the rate that recognisers have
    speech, rate = soundfile.read(SPEECH, dtype="int16")[0], 16_000
    length, rng = round(seconds * rate), np.random.default_rng(0)
    for i in range(recordings):
        start = int(rng.integers(len(speech)))
        soundfile.write(folder / f"{i:05d}.flac", np.resize(np.roll(speech, -start), length), rate)


def extracted(audio: Path, like: str, by: str, workers: int) -> dict[str, float]:
    """Seconds on the clock and of the cores, and the largest process in bytes, of an extraction."""
    with tempfile.TemporaryDirectory() as out:
        command = ["-m", "mlx_spectro.compat", "extract", str(audio), "--features", FEATURES[like], "--like", like]
        command += [*OPTIONS, "--workers", str(workers), "--shard-size", "32", "--out", out]
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        environment = {**os.environ, "MLX_SPECTRO_NUMERICS": BY[by]}
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
        seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(done.stderr)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "core_seconds": busy}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extraction", description=__doc__)
    parser.add_argument("--like", default=",".join(FEATURES), metavar="NAMES", help="whose functions, with commas")
    parser.add_argument("--recordings", type=int, default=1440, metavar="N", help="how many (1440)")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of each (10)")
    parser.add_argument("--workers", default="1,2", metavar="N,N", help="processes (1,2)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of which the fastest counts (3)")
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures as JSON")
    options = parser.parse_args()
    hours = options.recordings * options.seconds / 3600
    contests = [
        (like, by, workers)
        for like in options.like.split(",")
        for workers in map(int, options.workers.split(","))
        for by in BY
    ]
    times: dict[tuple[str, str, int], list[dict[str, float]]] = {contest: [] for contest in contests}
    audio = Path(tempfile.mkdtemp())
    try:
        record(audio, 1, options.seconds)
        for contest in contests:  # what is compiled once for a machine is compiled
            extracted(audio, *contest)
        record(audio, options.recordings, options.seconds)
        with console.until_interrupted():
            for _ in range(options.rounds):
                for contest in contests:
                    times[contest].append(extracted(audio, *contest))
    finally:
        shutil.rmtree(audio)
    rows: list[dict[str, Any]] = [
        {"like": like, "by": by, "workers": workers, **{name: min(one[name] for one in took) for name in took[0]}}
        for (like, by, workers), took in times.items()
        if took
    ]
    report = {"versions": versions(), "hours": hours, "features": FEATURES, "options": OPTIONS, "rows": rows}
    shown = [
        [
            r["like"],
            r["by"],
            str(r["workers"]),
            f"{60 * hours / r['seconds']:.1f}",
            f"{60 * hours / r['core_seconds']:.1f}",
        ]
        for r in rows
    ]
    header = ("functions like", "served by", "workers", "h of audio a minute", "a minute of a core")
    console.show(f"Extraction of {hours:.2f} h into Parquet, reading and writing included", header, shown)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
