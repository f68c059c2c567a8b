"""python -m benchmarks.extractors: the feature extractors of transformers, with its own functions and with ours.

Times are those of the cores (one thread), the least of calls that take turns; what transformers keeps for itself, its
filters, windows and decibels, is timed inside the extractors.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from mlx_spectro import compat, set_num_threads
from mlx_spectro.compat.diagnostics.tables import versions
from parity_tests.table import console

EXTRACTORS = ("Whisper", "AST", "Clap", "SeamlessM4T", "Speech2Text", "MusicgenMelody")
HELPERS = ("mel_filter_bank", "window_function", "power_to_db", "amplitude_to_db")
_SECONDS = 10
_CALLS = 20

# calls, and seconds in them
Account = dict[str, list[float]]


@contextlib.contextmanager
def accounted(module: Any) -> Iterator[Account]:
    """Watch what is called of transformers' helpers by an extractor of ``module``."""
    from transformers import audio_utils

    account: Account = defaultdict(lambda: [0, 0.0])

    def watched(name: str, helper: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            result = helper(*args, **kwargs)
            account[name][0] += 1
            account[name][1] += time.process_time() - begin
            return result

        return watch

    with contextlib.ExitStack() as patches:
        for name in HELPERS:
            helper: Callable[..., Any] = getattr(audio_utils, name)
            for of in (module, audio_utils):
                if getattr(of, name, None) is helper:
                    patches.enter_context(mock.patch.object(of, name, watched(name, helper)))
        yield account


def measured(name: str) -> dict[str, Any]:
    """An extractor's figures, in seconds of a core."""
    import transformers

    kind = getattr(transformers, f"{name}FeatureExtractor")
    module = sys.modules[kind.__module__]
    with accounted(module) as made:
        extractor = kind()
    rate = extractor.sampling_rate
    audio = (0.1 * np.random.default_rng(0).standard_normal(_SECONDS * rate)).astype(np.float32)

    def call() -> float:
        begin = time.process_time()
        extractor(audio, sampling_rate=rate, return_tensors="np")
        return time.process_time() - begin

    least = {"strict": np.inf, "fast": np.inf}
    for i in range(_CALLS + 1):
        for numerics, before in least.items():
            with compat.numerics(numerics):
                seconds = call()
            if i:  # what is compiled and kept is so after the first
                least[numerics] = min(before, seconds)
    compat.reset()
    with accounted(module) as called:
        call()
    records = compat.report()
    with compat.numerics("strict"), accounted(module) as without:
        call()
    return {
        "extractor": kind.__name__,
        "rate": rate,
        "functions": sorted({record.function for record in records if not record.reason}),
        "handed_over": sorted({f"{record.function}: {record.reason}" for record in records if record.reason}),
        "transformers": least["strict"],
        "ours": least["fast"],
        "made": dict(made),
        "called": dict(called),
        "called_without": dict(without),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extractors", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures as JSON")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    set_num_threads(1)
    compat.install()
    results = [measured(name) for name in console.progress(EXTRACTORS, "extractors")]
    rows = []
    for one in results:
        kept = sum(seconds for _, seconds in one["called"].values())
        times = (f"{1e3 * one[who]:.1f}" for who in ("transformers", "ours"))
        ratio = one["transformers"] / one["ours"]
        rows.append([one["extractor"], ", ".join(one["functions"]), *times, f"{ratio:.1f}", f"{1e3 * kept:.2f}"])
    header = ("extractor", "of ours", "ms without", "ms with", "times", "ms in helpers")
    console.show(f"{_SECONDS} s of audio, ms of one core", header, rows)
    if options.json:
        report = {"versions": versions(), "seconds": _SECONDS, "rows": results}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
