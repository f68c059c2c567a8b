"""python -m benchmarks: time the rows of the parity table, side by side with their references."""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mlx_spectro.compat.diagnostics.tables import versions
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.gpu.texts import digests
from mlx_spectro.ops import backend
from parity_tests.table import console, measure
from parity_tests.table.__main__ import choose_device

from . import clock, profile
from .contest import Contest
from .contests import PEERS, contests


def copy_rate(device: str) -> float:
    """Bytes a second that a large copy moves on ``device``, reads and writes both counted."""
    if device == "gpu":
        import mlx.core as mx

        x = mx.zeros(1 << 28, mx.uint8)
        mx.eval(x)
        copier = clock.Contender(lambda: mx.async_eval(x + 1), mx.synchronize)
        return 2 * x.nbytes / clock.medians({"copy": copier})["copy"]
    source = np.ones(1 << 25, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / clock.medians({"copy": clock.Contender(lambda: np.copyto(target, source))})["copy"]


def waiting() -> str:
    """How torch's threads wait for work, which decides how fast it is on a small call: what OMP_WAIT_POLICY says."""
    return os.environ.get("OMP_WAIT_POLICY", "default").lower()


def measured(contest: Contest, device: str, rate: float) -> dict[str, Any]:
    """A contest's figures: seconds, ratios to the reference, multiples of the floor, peak memory."""
    seconds = clock.medians(contest.contenders)
    reference = next(iter(seconds.values()))
    floor = contest.moved / rate
    peaks = {name: _extra_memory(contender, contest.result, device) for name, contender in contest.contenders.items()}
    gc.collect()
    return {
        "name": contest.name,
        "size": str(contest.size),
        "note": contest.note,
        "floor": floor,
        "contenders": {
            name: {"seconds": value, "ratio": reference / value, "floors": value / floor, "peak": peaks[name]}
            for name, value in seconds.items()
        },
    }


def _extra_memory(contender: clock.Contender, result: int, device: str) -> int | None:
    """Peak bytes of a call, after warm-up, beyond what was there before and the result."""
    if device != "gpu":
        peak = clock.peak_memory(contender)
        return None if peak is None else max(0, peak - result)
    import mlx.core as mx

    if contender.wait is not mx.synchronize:
        return None
    with contender.setting():
        contender.work()
        mx.synchronize()
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        contender.work()
        mx.synchronize()
        return max(0, mx.get_peak_memory() - before - result)


def leave(contest: Contest, only: str) -> None:
    """Take out contenders of implementations of ours other than those that ``only`` names."""
    if only:
        unwanted = set(backend.implementations()) - set(only.split(","))
        for name in [name for name in contest.contenders if unwanted & set(name.replace(",", "").split())]:
            del contest.contenders[name]


def refused(contest: Contest, judged: dict[str, str]) -> list[str]:
    """Why some contenders are not timed: a row of the parity table that they rest on is red. They are taken out."""
    reasons = []
    for row in contest.rows:
        for implementation in backend.implementations():
            mine = [name for name in contest.contenders if implementation in name.replace(",", "").split()]
            key = f"{row.name} {implementation}"
            if mine and key not in judged:
                judged[key] = measure.run(row, implementation).verdict()
            if mine and judged[key]:
                reasons.append(f"{key}: {judged[key]}")
                for name in mine:
                    del contest.contenders[name]
    return reasons


def show(results: list[dict[str, Any]], rate: float) -> None:
    """Print one row a contest."""
    rows = []
    for result in results:
        for i, (name, figures) in enumerate(result["contenders"].items()):
            peak = figures["peak"]
            rows.append(
                [
                    result["name"] if i == 0 else "",
                    result["size"] if i == 0 else "",
                    name,
                    f"{figures['seconds'] * 1e6:.1f}",
                    f"{figures['ratio']:.2f}",
                    f"{figures['floors']:.1f}",
                    "" if peak is None else f"{peak / 2**20:.1f}",
                ]
            )
        if result["note"]:
            rows.append([result["note"], "", "", "", "", "", ""])
    header = ("row", "batch x samples n_fft/hop", "by", "us", "x reference", "x floor", "peak MiB")
    threads = f"{cpu.get_num_threads()} threads, wait policy {waiting()}"
    console.show(f"Times; a copy moves {rate / 1e9:.1f} GB/s; {threads}", header, rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="NAME", help="rows whose name holds one of these, comma-separated"
    )
    parser.add_argument("--size", default="", metavar="TEXT", help="sizes whose text holds this: 1 x 100000000")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--by", default="", metavar="NAME", help="implementations to time (plain, host, gpu)")
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures as JSON")
    parser.add_argument("--html", type=Path, metavar="F", help="write them as a page")
    parser.add_argument(
        "--dispatch-profile", action="store_true", help="show where a small call spends its time, and stop"
    )
    options = parser.parse_args()
    device = choose_device(options.device)
    if options.dispatch_profile:
        profile.show(options.device)
        return 0
    rate = copy_rate(options.device)
    results: list[dict[str, Any]] = []
    judged: dict[str, str] = {}
    red: set[str] = set()
    with console.until_interrupted():
        for make in console.progress(
            list(contests([*filter(None, options.only.split(","))], options.device, options.size)), "benchmark"
        ):
            try:
                contest = make()
            except RuntimeError as error:  # of a library that needs longer audio
                print(f"not timed: {error}", file=sys.stderr)
                continue
            leave(contest, options.by)
            reasons = [f"its parity is red: {reason}" for reason in refused(contest, judged)]
            try:
                if len(contest.contenders) > 1:
                    results.append(measured(contest, options.device, rate))
            except RuntimeError as error:  # of a library: the other contests are to be timed all the same
                reasons.append(f"{contest.name}, {contest.size}: {error}")
            for reason in reasons:
                if reason not in red:
                    print(f"not timed, for {reason}", file=sys.stderr)
                red.add(reason)
    show(results, rate)
    report: dict[str, Any] = {
        "device": device,
        "versions": versions() | {name: version(name) for name in PEERS if importlib.util.find_spec(name)},
        "threads": cpu.get_num_threads(),
        "wait_policy": waiting(),
        "copy_bytes_per_second": rate,
        "rows": results,
    }
    if options.device == "gpu":
        report["texts"] = digests()
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.html:
        from . import page

        options.html.write_text(page.as_html(report), encoding="utf-8")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
