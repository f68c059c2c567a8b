"""What a contest is: contenders for one piece of work on one size, and how each library's are called."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mlx_spectro import compat
from mlx_spectro.ops import backend
from parity_tests.table import measure
from parity_tests.table.case import Row

from .clock import Contender


class Size(NamedTuple):
    """Signals in a batch, samples a signal, frame length, hop."""

    batch: int
    length: int
    n_fft: int
    hop_length: int

    def __str__(self) -> str:
        return f"{self.batch} x {self.length} {self.n_fft}/{self.hop_length}"


_COMMON = (
    Size(1, 16_000, 512, 128),
    Size(4, 160_000, 1024, 256),
    Size(8, 160_000, 1024, 256),
    Size(4, 1_300_000, 1024, 256),
    Size(8, 480_000, 1024, 256),
)
# what streams, utterances and data loaders are made of, where a call costs as much as its transform
_SHORT = (
    Size(1, 600, 512, 128),
    Size(1, 1600, 400, 160),
    Size(1, 4000, 512, 128),
    Size(8, 4000, 512, 128),
    Size(64, 16_000, 512, 128),
)
SIZES = {
    "cpu": (*_SHORT, *_COMMON, Size(16, 480_000, 400, 160), Size(4, 1_300_000, 2048, 512)),
    "gpu": (*_COMMON, Size(32, 480_000, 400, 160), Size(16, 1_300_000, 2048, 512)),
}
# an hour and three quarters at 16 kHz, and the rows that it is timed of
LONG = Size(1, 100_000_000, 1024, 256)
OF_LONG = ("torch.stft", "torch.istft", "torchaudio.transforms.MelSpectrogram")


class Contest(NamedTuple):
    """Contenders for one piece of work; the first is the reference."""

    name: str
    size: Size
    contenders: dict[str, Contender]
    moved: int
    """Bytes that any way of doing it has to read or write."""
    result: int
    """Bytes of the result."""
    rows: tuple[Row, ...]
    """Rows of the parity table that must be green."""
    note: str = ""
    """What was found beside the times."""


def serving(
    implementation: backend.Implementation, route: str = "ours"
) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """Have one implementation of ours do the work; with ``route="auto"``, of calls that are not left to the library."""

    @contextlib.contextmanager
    def setting() -> Iterator[None]:
        with backend.implementation(implementation), compat.route(route):
            yield

    return setting


def on_mlx(function: Callable[..., Any], device: str, *args: Any, **kwargs: Any) -> Contender:
    """``function`` of MLX arrays, evaluated; ``implementation`` says by whom."""
    import mlx.core as mx

    implementation = kwargs.pop("implementation", "plain")
    if device == "gpu":
        return Contender(lambda: mx.async_eval(function(*args, **kwargs)), mx.synchronize, serving(implementation))
    return Contender(lambda: mx.eval(function(*args, **kwargs)), None, serving(implementation))


_TOGETHER = 5


def batched(function: Callable[..., Any], *args: Any, implementation: backend.Implementation) -> Contender:
    """``function`` of MLX arrays on a GPU, several calls to an evaluation."""
    import mlx.core as mx

    def work() -> None:
        mx.async_eval([function(*args) for _ in range(_TOGETHER)])

    return Contender(work, mx.synchronize, serving(implementation), _TOGETHER)


def on_torch(function: Callable[[], Any], device: str) -> Contender:
    """``function`` of torch tensors, or of host arrays."""
    if device != "gpu":
        return Contender(function)
    import torch

    return Contender(function, torch.cuda.synchronize)


def arrays(kind: str, device: str, x: Any) -> Any:
    """``x`` with its arrays in the library and on the device where they are to be timed."""
    found = measure.to_library(kind, x)
    if kind == "torch" and device == "gpu":
        move: Callable[[Any], Any] = lambda y: y.cuda() if hasattr(y, "cuda") else y  # noqa: E731
        return {k: move(v) for k, v in found.items()} if isinstance(found, dict) else tuple(map(move, found))
    return found
