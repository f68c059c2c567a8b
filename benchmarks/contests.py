"""What is timed: each row of the parity table that has a timing, on each size, and the contests of our own."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend
from parity_tests.table import measure
from parity_tests.table.case import Row, Sample
from parity_tests.table.cases import table

from .clock import Contender
from .contest import LONG, OF_LONG, SIZES, Contest, Size, arrays, batched, on_mlx, on_torch, serving
from .own import ALSO, OWN

# libraries that no adapter is for, timed where they are installed
PEERS = ("specux",)


def _nbytes(x: Any) -> int:
    values = x.values() if isinstance(x, dict) else x
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


def of_row(row: Row, size: Size, device: str) -> Contest:
    """The reference against each implementation of ours, on the reference's own arrays or, natively, on MLX's."""
    assert row.timing is not None
    sample = row.timing.sample(*size)
    ours, theirs = row.resolve()
    args, kwargs = arrays(row.their_arrays, device, sample.args), arrays(row.their_arrays, device, sample.kwargs)
    contenders = {row.against: on_torch(lambda: theirs(*args, **kwargs), device)}
    for implementation in backend.implementations():
        if row.unserved(implementation):
            continue
        if row.native:
            mine = measure.to_library("mlx", sample.args), measure.to_library("mlx", sample.kwargs)
            call = functools.partial(ours, **mine[1])
            contenders[implementation] = on_mlx(call, device, *mine[0], implementation=implementation)
            if device == "gpu":
                contenders[f"{implementation}, batched"] = batched(call, *mine[0], implementation=implementation)
        else:
            setting = serving(implementation, "auto")
            contenders[implementation] = Contender(lambda: ours(*args, **kwargs), None, setting)
    contenders |= _others(row, sample, device)
    result = sum(array.nbytes for array in measure.flat(measure.evaluate(theirs, row.their_arrays, sample)))
    return Contest(row.name, size, contenders, _nbytes(sample.args) + result, result, (row,))


def _others(row: Row, sample: Sample, device: str) -> dict[str, Contender]:
    """Other libraries' functions for the same work, those installed."""
    if row.name not in ("torch.stft", "torch.istft") or device != "cpu":
        return {}
    x, n_fft, hop = sample.args[:3]
    inverse, window = row.name == "torch.istft", sample.kwargs["window"]
    sizes: dict[str, Any] = {"n_fft": n_fft, "hop_length": hop}
    if inverse:
        sizes["length"] = sample.kwargs["length"]
    contenders = {}
    if importlib.util.find_spec("librosa"):
        import librosa

        options: dict[str, Any] = {} if inverse else {"pad_mode": "reflect"}
        function = functools.partial(librosa.istft if inverse else librosa.stft, **sizes, window=window, **options)
        contenders["librosa"] = Contender(lambda: function(x))
    if importlib.util.find_spec("specux"):
        import specux

        specux.set_num_threads(cpu.get_num_threads())
        (y,), weights = arrays("torch", device, (x,)), arrays("torch", device, (window,))[0]
        other = functools.partial(specux.istft if inverse else specux.stft, **sizes, window=weights)
        contenders["specux"] = Contender(lambda: other(y))
    return contenders


def contests(only: list[str], device: str, sizes: str = "") -> Iterator[Callable[[], Contest]]:
    """Everything to be timed on ``device``, or the sizes whose text holds ``sizes``; made only when its turn comes."""

    def chosen(*of: Size) -> list[Size]:
        return [size for size in of if sizes in str(size)]

    for row in table(*only):
        # torch tensors on a GPU are torch's to serve, so only native rows are timed there
        if row.timing and not row.missing() and (device == "cpu" or row.native):
            for size in chosen(*SIZES[device], *([LONG] if device == "cpu" and row.name in OF_LONG else [])):
                yield lambda row=row, size=size: of_row(row, size, device)  # type: ignore[misc]
    for name, make in OWN.items():
        wanted = not only or any(part in name or part in ALSO.get(name, "") for part in only)
        if wanted and (name == "six descriptors" or importlib.util.find_spec("torch")):
            for size in chosen(*SIZES[device]):
                yield lambda make=make, size=size: make(size, device)  # type: ignore[misc]
