"""The matrices that torchaudio designs: mel and linear filters, the DCT."""

from __future__ import annotations

from collections.abc import Iterator

from ..case import Reject, Row, Sample, pairwise

WHY = "ours is designed in float64 and rounded once, torchaudio's in float32"


def melscale_samples() -> Iterator[Sample]:
    for o in pairwise(
        n_freqs=(201, 513, 1025),
        f_min=(0.0, 30),
        f_max=(4000.0, 7600.0),
        n_mels=(20, 40),
        sample_rate=(16000, 22050),
        norm=(None, "slaney"),
        mel_scale=("htk", "slaney"),
    ):
        yield Sample(f"{o}", (), o)
    yield Sample(
        "more filters than bins",
        (201, 0.0, 8000.0, 128, 16000),
        untested="some filters hold no frequency, of which torchaudio warns",
    )


def linear_samples() -> Iterator[Sample]:
    for o in pairwise(
        n_freqs=(201, 513), f_min=(0.0, 30), f_max=(4000.0, 7600.0), n_filter=(20, 128), sample_rate=(16000, 22050)
    ):
        yield Sample(f"{o}", (), o)


def dct_samples() -> Iterator[Sample]:
    for o in pairwise(n_mfcc=(1, 13, 40), n_mels=(40, 128), norm=("ortho", None)):
        yield Sample(f"{o}", (), o)


MELSCALE_REJECTS = (
    Reject("an unknown norm", (201, 0.0, 8000.0, 40, 16000, "area"), {}, "ValueError"),
    Reject("an unknown scale", (201, 0.0, 8000.0, 40, 16000, None, "bark"), {}, "ValueError"),
    Reject("bins that are no integer", (201.0, 0.0, 8000.0, 40, 16000), {}, "TypeError"),
    Reject("arguments missing", (201,), {}, "TypeError"),
)

ROWS = [
    Row(
        "torchaudio.functional.melscale_fbanks",
        "torchaudio.functional.melscale_fbanks",
        melscale_samples,
        WHY,
        against="torchaudio",
        rejects=MELSCALE_REJECTS,
    ),
    Row(
        "torchaudio.functional.linear_fbanks",
        "torchaudio.functional.linear_fbanks",
        linear_samples,
        WHY,
        against="torchaudio",
        rejects=(Reject("filters that are no integer", (201, 0.0, 8000.0, 40.0, 16000), {}, "TypeError"),),
    ),
    Row(
        "torchaudio.functional.create_dct",
        "torchaudio.functional.create_dct",
        dct_samples,
        WHY,
        against="torchaudio",
        rejects=(Reject("an unknown norm", (13, 40, "slaney"), {}, "ValueError"),),
    ),
]
