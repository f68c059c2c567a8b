"""python -m benchmarks.extraction: hours of audio a minute, by our kernels and by librosa's and torchaudio's own code.

The same command extracts the same recordings into the same files; what differs is who serves the functions, and where.
Each extraction is a program of its own, so that starting it counts, and they take turns. Then the files are compared:
the status is 1 where values differ from the library's own on the first device by more than the functions' limits.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.diagnostics.tables import versions
from parity_tests.table import console

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "parity_tests" / "table" / "audio" / "speech_8k.flac"
BY = {"ours": "fast", "the library": "strict"}
FEATURES = {
    "librosa": {"mel": "librosa.feature.melspectrogram", "mfcc": "librosa.feature.mfcc"},
    "torchaudio": {"mel": "torchaudio.transforms.MelSpectrogram", "mfcc": "torchaudio.transforms.MFCC"},
}
N_FFT = 512
OPTIONS = ["--n-fft", str(N_FFT), "--hop-length", "160", "--n-mels", "80"]
# recordings a file, at most
_SHARD = 32


class Contest(NamedTuple):
    """Whose functions, who serves them, on which device and in how many processes."""

    like: str
    by: str
    device: str
    workers: int


def record(folder: Path, recordings: int, seconds: float) -> None:
    """Compressed recordings of speech, each from another place on."""
    # played twice as fast, for the rate that recognisers have
    speech, rate = soundfile.read(SPEECH, dtype="int16")[0], 16_000
    length, rng = round(seconds * rate), np.random.default_rng(0)
    for i in range(recordings):
        start = int(rng.integers(len(speech)))
        soundfile.write(folder / f"{i:05d}.flac", np.resize(np.roll(speech, -start), length), rate)


def extracted(audio: Path, out: Path, contest: Contest, shard_size: int) -> dict[str, float]:
    """Seconds on the clock and of the cores that an extraction into a new folder takes."""
    shutil.rmtree(out, ignore_errors=True)
    like, by, device, workers = contest
    command = ["-m", "mlx_spectro.compat", "extract", str(audio), "--features", ",".join(FEATURES[like])]
    command += ["--like", like, "--device", device, *OPTIONS, "--workers", str(workers)]
    command += ["--shard-size", str(shard_size), "--out", str(out)]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "MLX_SPECTRO_NUMERICS": BY[by]}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "core_seconds": busy}


def frames(out: Path, feature: str) -> Iterator[npt.NDArray[np.float32]]:
    """A feature ``[N, values]`` of each recording, in order."""
    import pyarrow.parquet

    for path in sorted(out.glob("*.parquet")):
        for row in pyarrow.parquet.read_table(path, columns=[feature]).column(feature):
            yield row.values.flatten().to_numpy().reshape(len(row), -1)


def apart(out: Path, reference: Path, like: str) -> dict[str, float]:
    """The largest difference of each feature from another extraction, times the limit of the function."""
    importlib.import_module(f"mlx_spectro.compat.{like}")
    worst = {}
    for feature, function in FEATURES[like].items():
        limit, errors = adapters[function].function.limit, [0.0]
        for ours, theirs in zip(frames(out, feature), frames(reference, feature), strict=True):
            bound = limit(np.dtype(np.float32), N_FFT, float(np.abs(theirs).max()))
            errors.append(float(np.abs(ours - theirs).max()) / bound)
        worst[feature] = float(np.max(errors))
    return worst


def contests_of(like: str, devices: str, workers: str) -> list[Contest]:
    """All contests; librosa's functions are those of a CPU."""
    return [
        Contest(library, by, device, count)
        for library in like.split(",")
        for device in devices.split(",")
        for count in map(int, workers.split(","))
        for by in BY
        if device == "cpu" or library == "torchaudio"
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extraction", description=__doc__)
    parser.add_argument("--like", default=",".join(FEATURES), metavar="NAMES", help="whose functions, with commas")
    parser.add_argument("--devices", default="cpu", metavar="NAMES", help="of torch, such as cpu,cuda (cpu)")
    parser.add_argument("--recordings", type=int, default=1440, metavar="N", help="how many (1440)")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of each (10)")
    parser.add_argument("--workers", default="1,2", metavar="N,N", help="processes (1,2)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of which the fastest counts (3)")
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures as JSON")
    options = parser.parse_args()
    hours = options.recordings * options.seconds / 3600
    contests = contests_of(options.like, options.devices, options.workers)
    most = max(contest.workers for contest in contests)
    # several for each process, so that none waits long for the last one
    shard_size = max(1, min(_SHARD, options.recordings // (4 * most)))
    begun: dict[Contest, float] = {}
    times: dict[Contest, list[dict[str, float]]] = {contest: [] for contest in contests}
    errors: dict[Contest, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        audio = Path(temporary) / "audio"
        audio.mkdir()
        outs = {contest: Path(temporary) / "-".join(map(str, contest)) for contest in contests}
        record(audio, 1, options.seconds)
        for contest in dict.fromkeys(contest._replace(workers=1) for contest in contests):
            for _ in range(2):  # the first compiles what is compiled once for a machine
                begun[contest] = extracted(audio, Path(temporary) / "one", contest, shard_size)["seconds"]
        record(audio, options.recordings, options.seconds)
        with console.until_interrupted():
            for _ in range(options.rounds):
                for contest, out in outs.items():
                    times[contest].append(extracted(audio, out, contest, shard_size))
            for contest, out in outs.items():
                reference = contest._replace(by="the library", device=contests[0].device)
                errors[contest] = apart(out, outs[reference], contest.like)
    rows: list[dict[str, Any]] = [
        {
            **contest._asdict(),
            **{name: min(one[name] for one in took) for name in took[0]},
            "begin_seconds": begun[contest._replace(workers=1)],
            "times_limit": errors.get(contest, {}),
        }
        for contest, took in times.items()
        if took
    ]
    report = {"versions": versions(), "hours": hours, "features": FEATURES, "options": OPTIONS, "rows": rows}
    if any(contest.device.startswith("cuda") for contest in contests):
        import torch

        report["gpu"] = torch.cuda.get_device_name()
    shown = [
        [
            row["like"],
            row["by"],
            row["device"],
            str(row["workers"]),
            f"{60 * hours / row['seconds']:.1f}",
            f"{60 * hours / row['core_seconds']:.1f}",
            f"{row['begin_seconds']:.1f}",
            f"{max(row['times_limit'].values(), default=float('nan')):.2g}",
        ]
        for row in rows
    ]
    header = (
        "functions like", "served by", "on", "workers", "h of audio a minute", "a minute of a core",
        "s for one recording", "difference, times its limit",
    )  # fmt: skip
    console.show(f"Extraction of {hours:.2f} h into Parquet, reading and writing included", header, shown)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if any(not error <= 1 for row in rows for error in row["times_limit"].values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
