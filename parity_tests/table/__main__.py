"""Compare every function of ours with its reference, and both with float64, on this machine."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

from mlx_spectro import distribution
from mlx_spectro.ops import backend

from . import console, measure, report, signals
from .cases import table


def choose_device(device: str) -> str:
    """Make ``cpu`` or ``gpu`` MLX's default device and return a name for it; ``cuda`` and ``mps`` are torch's.

    Raises:
        SystemExit: there is no such device.
    """
    if device in measure.TORCH_DEVICES:
        return _torch_device(device)
    if not backend.has_mlx():
        if device == "gpu":
            raise SystemExit(backend.MISSING)
        return "cpu, without MLX"
    import mlx.core as mx

    from mlx_spectro.diagnostics import spec_mlx_device_key

    wanted = {"cpu": mx.DeviceType.cpu, "gpu": mx.DeviceType.gpu}[device]
    if not mx.is_available(mx.Device(wanted, 0)):
        raise SystemExit(f"MLX has no {device} here")
    mx.set_default_device(mx.Device(wanted, 0))
    return spec_mlx_device_key()


def _torch_device(device: str) -> str:
    if importlib.util.find_spec("torch") is None:
        raise SystemExit(f"torch is not installed: {distribution.install('torch')}")
    import torch

    if not torch.get_device_module(device).is_available():
        raise SystemExit(f"torch has no {device} device here")
    # as our kernels are, so that the reference computes in single precision
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return f"torch's {torch.cuda.get_device_name() if device == 'cuda' else device}"


def implementations() -> tuple[backend.Implementation, ...]:
    """Those present: without MLX, host kernels alone."""
    return backend.implementations() if backend.has_mlx() else ("host",)


def _add_recording(path: Path) -> str:
    """Add an audio file to the signals, or say why that is not possible."""
    if importlib.util.find_spec("soundfile") is None:
        return f"reading it needs soundfile: {distribution.install('parity')}"
    import soundfile

    try:
        signals.add_recording(path)
    except (soundfile.LibsndfileError, ValueError) as error:
        return str(error)
    return ""


def main(argv: list[str] | None = None, prog: str = "python -m parity_tests") -> int:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="NAME", help="rows whose name holds one of these, comma-separated"
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "gpu", *measure.TORCH_DEVICES),
        default="cpu",
        help="MLX's default device; or torch's, on whose tensors the rows of torch and torchaudio are measured then",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write the report as JSON")
    parser.add_argument("--html", type=Path, metavar="F", help="write the report as a page")
    parser.add_argument("--audio", type=Path, metavar="FILE", help="add a recording of your own to the signals")
    options = parser.parse_args(argv)
    if options.audio:
        if not options.audio.exists():
            parser.error(f"there is no file {options.audio}")
        problem = _add_recording(options.audio)
        if problem:
            parser.error(f"--audio {options.audio}: {problem}")
    device = choose_device(options.device)
    rows = table(*filter(None, options.only.split(",")))
    by: tuple[Any, ...] = implementations()
    if options.device in measure.TORCH_DEVICES:
        rows = [row for row in rows if not row.native and row.their_arrays == "torch"]
        by = (options.device,)
    if not rows:
        parser.error(f"no row's name holds {options.only!r}")
    runs = [
        (row, implementation, quantity)
        for row in rows
        for quantity in ((measure.evaluate, measure.gradient) if row.gradient else (measure.evaluate,))
        for implementation in by
    ]
    outcomes = []
    with console.until_interrupted():
        for row, implementation, quantity in console.progress(runs, "parity"):
            outcomes.append(measure.run(row, implementation, quantity, pictures=options.html is not None))
    report.print_table(outcomes, device)
    if options.json:
        options.json.write_text(report.as_json(outcomes, device), encoding="utf-8")
    if options.html:
        report.write_html(outcomes, device, options.html)
    if not any(outcome.compared for outcome in outcomes):
        missing = sorted({outcome.unavailable for outcome in outcomes if outcome.unavailable})
        reason = f": {', '.join(missing)}; {distribution.install('parity')}" if missing else ""
        print(f"{prog}: nothing was compared{reason}", file=sys.stderr)
        return 1
    return 0 if len(outcomes) == len(runs) and all(outcome.green for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
