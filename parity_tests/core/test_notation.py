"""Operators as text: every operator is read as it was written, and what is of another version is refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mlx_spectro.design import notation, operators
from mlx_spectro.design.descriptors import DescriptorSpec
from mlx_spectro.design.epilogues import Decibels, Log, Power, Root
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.kaldi import Extraction, kaldi_framing
from mlx_spectro.design.operators import (
    Cepstrum,
    ClampedFilter,
    ClippedFilterbank,
    Convolve,
    Correlate,
    Deltas,
    DeltasAdjoint,
    Describe,
    DescribeMagnitudes,
    Elementwise,
    Filterbank,
    Frames,
    FrameStatistic,
    GriffinLim,
    Istft,
    IstftAdjoint,
    KaldiFilterbank,
    KaldiSpectrogram,
    LaggedProducts,
    Linear,
    MaskSpans,
    Medians,
    Operator,
    OverlapAdd,
    PhaseVocoder,
    PowerAdjoint,
    Project,
    ProjectClipped,
    ProjectPower,
    RecursiveFilter,
    Resample,
    ResampleAdjoint,
    SlidingNormalization,
    Spectrogram,
    Stft,
    StftAdjoint,
    Synthesis,
)

FRAMING = Framing(400, 160, 200, 200, "reflect")
SPEECH = Extraction(kaldi_framing(400, 160, True), 512)
SPEC = DescriptorSpec(("centroid", "contrast"), bands=((0, 3, 1), (3, 8, 2)))
EVERY: list[Operator] = [
    Stft(FRAMING, 0.1, onesided=False),
    StftAdjoint(FRAMING, 16000, 1 / 3),
    Istft(FRAMING, 16000, floor=0.0),
    IstftAdjoint(FRAMING, 101),
    Spectrogram(FRAMING, 1.5),
    Filterbank(FRAMING, 2.0, 1.0, Decibels(10.0, 1e-10)),
    Filterbank(FRAMING, 2.0, epilogue=Log(1e-6, added=True)),
    ClippedFilterbank(Filterbank(FRAMING), 80.0, packed=True),
    Cepstrum(Filterbank(FRAMING, epilogue=Root()), None, packed=True),
    PowerAdjoint(Stft(FRAMING), 16000),
    Project(transposed=True),
    ProjectPower(1, Log(-math.inf)),
    ProjectClipped(math.inf),
    Describe(FRAMING, SPEC),
    DescribeMagnitudes(DescriptorSpec(("flatness",))),
    FrameStatistic(FRAMING, "crossings", 0.0),
    Deltas(2, "circular"),
    DeltasAdjoint(3),
    OverlapAdd(160),
    Frames(FRAMING),
    Synthesis(Istft(FRAMING, 16000)),
    Elementwise(Power(1.0, 0.5)),
    KaldiSpectrogram(SPEECH),
    KaldiFilterbank(SPEECH, 1, energy="last"),
    Resample(3, 2, 4),
    ResampleAdjoint(3, 2, 4, 16000),
    RecursiveFilter(backward=True),
    ClampedFilter(RecursiveFilter()),
    LaggedProducts(3),
    SlidingNormalization(300, 20, centred=True),
    Convolve(),
    Correlate(16000),
    Medians(31, -2),
    MaskSpans((-1, -1, -2)),
    PhaseVocoder(),
    GriffinLim(Istft(FRAMING, 16000), Stft(FRAMING), 2, 0.5, 1e-16),
]


def test_every_operator_is_here() -> None:
    kinds = {kind for kind in vars(operators).values() if isinstance(kind, type) and issubclass(kind, Operator)}
    assert kinds - {Operator, Linear} == {type(op) for op in EVERY}


@pytest.mark.parametrize("op", EVERY, ids=lambda op: op.name)
def test_an_operator_is_read_as_it_was_written(op: Operator) -> None:
    assert notation.read(*notation.write(op)) == op


def test_sizes_are_no_part_of_the_text() -> None:
    short, long = (notation.write(StftAdjoint(FRAMING, length)) for length in (800, 900))
    assert (short[0], short[1], long[1]) == (long[0], 800, 900)


def test_a_program_of_the_first_version_is_understood() -> None:
    text = "mlx_spectro 1: Istft(framing=Framing(n_fft=8, hop_length=2), length=size, scale=-0.5, onesided=False)"
    assert notation.read(text, 30) == Istft(Framing(8, 2), 30, -0.5, onesided=False)


@pytest.mark.parametrize(
    "text",
    [
        "mlx_spectro 2: Project(transposed=True)",
        "mlx_spectro 1: Transmogrify(transposed=True)",
        "mlx_spectro 1: Project(transposed=True, sideways=False)",
        "mlx_spectro 1: Project(transposed=__import__('os').getcwd())",
        "mlx_spectro 1: Project(transposed=elsewhere)",
        "mlx_spectro 1: Project(",
        "",
    ],
)
def test_a_text_of_another_version_is_refused_by_name(text: Any) -> None:
    with pytest.raises(ValueError, match=r"this mlx_spectro cannot read the operator .* has to be exported again"):
        notation.read(text, 0)
