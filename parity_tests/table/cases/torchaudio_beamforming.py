"""torchaudio's beamforming."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, pairwise

WHY = "sums over time, in another order"
_RNG = np.random.default_rng(95)


def _spectra(*shape: int) -> Any:
    return (_RNG.standard_normal(shape) + 1j * _RNG.standard_normal(shape)).astype(np.complex64)


_X = _spectra(2, 4, 9, 30)
_MASK = _RNG.uniform(0, 1, (2, 4, 9, 30)).astype(np.float32)
_ROWS = (slice(None), 0)


def _psd_samples() -> Iterator[Sample]:
    for o in pairwise(
        masked=(True, False), normalize=(True, False), eps=(1e-10, 0.1), rows=_ROWS, channels=(4, 1), frames=(30, 1)
    ):
        x = np.ascontiguousarray(_X[o["rows"]][..., : o["channels"], :, : o["frames"]])
        mask = np.ascontiguousarray(_MASK[:, 0][o["rows"]][..., : o["frames"]]) if o["masked"] else None
        yield Sample(f"{o}", (x, mask, o["normalize"], o["eps"]))


def _module_samples() -> Iterator[Sample]:
    for o in pairwise(masked=(True, False), multi_mask=(False, True), normalize=(True, False), rows=_ROWS):
        x, mask = _X[o["rows"]], _MASK[o["rows"]] if o["multi_mask"] else _MASK[:, 0][o["rows"]]
        made = {"multi_mask": o["multi_mask"], "normalize": o["normalize"]}
        yield Sample(f"{o}", (x, mask) if o["masked"] else (x,), made)


def _mvdr_samples() -> Iterator[Sample]:
    for o in pairwise(
        solution=("ref_channel", "stv_power"),
        ref_channel=(0, 2),
        multi_mask=(False, True),
        diag_loading=(True, False),
        second=(True, False),
        rows=_ROWS,
    ):
        mask = _MASK[o["rows"]] if o["multi_mask"] else _MASK[:, 0][o["rows"]]
        masks = (mask, 1 - mask) if o["second"] else (mask,)
        made = {name: o[name] for name in ("solution", "ref_channel", "multi_mask", "diag_loading")}
        yield Sample(f"{o}", (_X[o["rows"]], *masks), made, "" if o["second"] else "mask_n is not given")


_WEIGHTS = _spectra(2, 9, 4)
_ONE = "of one example, torch's product is as fast"


def _applied_samples() -> Iterator[Sample]:
    for o in pairwise(rows=(*_ROWS, None), channels=(4, 1), frames=(30, 1)):
        x, w = np.ascontiguousarray(_X[..., : o["channels"], :, : o["frames"]]), _WEIGHTS[..., : o["channels"]]
        x, w = (x[None], w[None]) if o["rows"] is None else (x[o["rows"]], w[o["rows"]])
        yield Sample(f"{o}", (w, x), {}, _ONE if x.ndim < 4 else "")


def _covariances(*shape: int) -> Any:
    x = _spectra(*shape, 8)
    return x @ x.conj().swapaxes(-1, -2)


_PSD_S, _PSD_N, _RTF = _covariances(2, 9, 4), _covariances(2, 9, 4), _spectra(2, 9, 4)


def _weighed_samples(given: Any) -> Iterator[Sample]:
    for o in pairwise(rows=_ROWS, channel=(0, 2), loading=(True, False), diag_eps=(1e-7, 0.1)):
        r = o["rows"]
        arrays = (np.ascontiguousarray(_X[r]), given[r], _PSD_N[r])
        untested = "" if r == slice(None) else _ONE
        yield Sample(f"{o}", (*arrays, o["channel"], o["loading"], o["diag_eps"]), {}, untested)


def _time_applied(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    rng, bins = np.random.default_rng(0), n_fft // 2 + 1
    shapes = (batch, bins, 4), (batch, 4, bins, length // hop)
    w, x = (rng.standard_normal(s, np.float32) + 1j * rng.standard_normal(s, np.float32) for s in shapes)
    return Sample("", (w, x))


def _time(*masks: int) -> Timing:
    def call(batch: int, length: int, n_fft: int, hop: int) -> Sample:
        rng, shape = np.random.default_rng(0), (n_fft // 2 + 1, length // hop)
        x = rng.standard_normal((4, *shape), np.float32) + 1j * rng.standard_normal((4, *shape), np.float32)
        return Sample("", (x, *(rng.uniform(0, 1, shape).astype(np.float32) for _ in masks)))

    return Timing(call)


_row = partial(Row, why=WHY, against="torchaudio")
ROWS = [
    _row(
        "torchaudio.functional.psd",
        "torchaudio.functional.psd",
        _psd_samples,
        rejects=(
            Reject("two axes", (_X[0, 0],), {}, "IndexError"),
            Reject("a mask with channels", (_X, _MASK), {}, "ValueError"),
            Reject("a mask of fewer frames", (_X, _MASK[:, 0, :, :9]), {}, "ValueError"),
        ),
        timing=_time(1),
    ),
    _row("torchaudio.transforms.PSD", "torchaudio.transforms.PSD", _module_samples),
    _row(
        "torchaudio.transforms.MVDR",
        "torchaudio.transforms.MVDR",
        _mvdr_samples,
        rejects=(Reject("two axes", (_X[0, 0], _MASK[0, 0]), {}, "ValueError"),),
        timing=_time(1, 2),
    ),
    _row(
        "torchaudio.functional.apply_beamforming",
        "torchaudio.functional.apply_beamforming",
        _applied_samples,
        rejects=(
            Reject("other examples", (_WEIGHTS[:1], _X), {}, "ValueError"),
            Reject("real weights", (_WEIGHTS.real, _X), {}, "TypeError"),
        ),
        timing=Timing(_time_applied),
    ),
    _row("torchaudio.transforms.SoudenMVDR", "torchaudio.transforms.SoudenMVDR", partial(_weighed_samples, _PSD_S)),
    _row("torchaudio.transforms.RTFMVDR", "torchaudio.transforms.RTFMVDR", partial(_weighed_samples, _RTF)),
]
