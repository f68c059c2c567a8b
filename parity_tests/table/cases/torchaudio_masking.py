"""torchaudio's masks, whose places are drawn from the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Program, Row, Sample, Timing, pairwise

WHY = "values are copied, or overwritten by one number, in places drawn by the same operations"
_X = np.random.default_rng(92).standard_normal((2, 3, 40, 300)).astype(np.float32)


def _seeded(path: str, library: Any, x: Any, *args: Any, **options: Any) -> Any:
    """A function's call, or a module's, whose options are by name."""
    import torch

    where, name = path.split(".")
    called = getattr(getattr(library, where), name)
    torch.manual_seed(92)
    return called(**options)(x, *args) if where == "transforms" else called(x, *args, **options)


def _function_samples(least: int) -> Iterator[Sample]:
    shapes = ((0, 0), 0, slice(None))[least - 2 :]
    for o in pairwise(axis=(-2, -1), mask_param=(1, 9, 40), mask_value=(0.0, -1.5, 3), p=(1.0, 0.2, 0), rows=shapes):
        x = _X[o.pop("rows")]
        yield Sample(f"{o} {x.shape}", (x,), {**o, "axis": x.ndim + o["axis"]})


def _module_samples(name: str) -> Iterator[Sample]:
    for o in pairwise(width=(1, 9, 40), iid_masks=(False, True), value=(0.0, 2), rows=(0, slice(None))):
        yield Sample(f"{o}", (_X[o["rows"]], o["value"]), {name: o["width"], "iid_masks": o["iid_masks"]})


def _augmented_samples() -> Iterator[Sample]:
    for o in pairwise(
        n_time_masks=(0, 1, 3),
        time_mask_param=(40, 300),
        n_freq_masks=(0, 2),
        freq_mask_param=(7, 40),
        iid_masks=(True, False),
        p=(1.0, 0.3),
        zero_masking=(False, True),
        rows=(0, (0, 0), slice(None)),
    ):
        x = _X[o.pop("rows")]
        yield Sample(f"{o} {x.shape}", (x,), o)


def _time(*args: Any, **options: Any) -> Timing:
    def call(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((batch, 80, length // hop), np.float32)
        return Sample("", (x, *args), options)

    return Timing(call)


def _row(path: str, samples: Any, timing: Timing) -> Row:
    return Row(f"torchaudio.{path}", Program(partial(_seeded, path)), samples, WHY, "torchaudio", timing=timing)


_OPTIONS = {"mask_param": 40, "mask_value": 0.0, "axis": 2}
ROWS = [
    _row("functional.mask_along_axis", partial(_function_samples, 2), _time(**_OPTIONS)),
    _row("functional.mask_along_axis_iid", partial(_function_samples, 3), _time(**_OPTIONS)),
    _row("transforms.FrequencyMasking", partial(_module_samples, "freq_mask_param"), _time(freq_mask_param=27)),
    _row("transforms.TimeMasking", partial(_module_samples, "time_mask_param"), _time(time_mask_param=40)),
    _row(
        "transforms.SpecAugment",
        _augmented_samples,
        _time(n_time_masks=2, time_mask_param=40, n_freq_masks=2, freq_mask_param=27),
    ),
]
