"""python -m benchmarks.torch_cuda: our kernels on torch's CUDA tensors, checked and then timed against torch's own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
import torchaudio

from mlx_spectro import compat
from mlx_spectro.kernels.gpu.texts import digests

from . import accuracy, check, doubles, filtering, gradients, graphs, levels, process, programs, times, training  # noqa: F401 - importing them registers their checks


def main() -> int:
    """Check, then time; the exit status says whether all checks passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torch_cuda", description=__doc__)
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument("--only", default="", help="checks whose names contain one of these, comma-separated")
    parser.add_argument("--rows", default="", help="times of rows whose names contain one of these, comma-separated")
    parser.add_argument(
        "--sizes", type=int, default=len(times.SIZES), help="times of so many sizes, the smallest first"
    )
    parser.add_argument("--no-checks", action="store_true")
    parser.add_argument("--no-times", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch sees no CUDA device")
        return 2
    compat.route("ours")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    name = torch.cuda.get_device_name()
    versions = {"torch": torch.__version__, "torchaudio": torchaudio.__version__, "python": sys.version.split()[0]}
    print(name, torch.cuda.get_device_capability(), versions)
    report: dict[str, Any] = {"device": name, "versions": versions, "texts": digests()}
    if not options.no_checks:
        report |= {"failed": check.run(options.only), "figures": check.figures}
        print(f"{len(report['failed'])} checks failed: {', '.join(report['failed'])}")
    if not options.no_times:
        compat.reset()
        report |= times.timed(options.rows, options.sizes)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if report.get("failed") else 0


if __name__ == "__main__":
    raise SystemExit(main())
