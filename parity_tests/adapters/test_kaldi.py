"""torchaudio.compliance.kaldi beyond rows and random calls: who serves, by which names, from whose memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torchaudio.compliance.kaldi as theirs

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim

pytestmark = pytest.mark.usefixtures("ours")

ours = shim.compliance.kaldi
FUNCTIONS = ("spectrogram", "fbank", "mfcc")
each_function = pytest.mark.parametrize("name", FUNCTIONS)
X = torch.from_numpy((1000 * np.random.default_rng(3).standard_normal((2, 4000))).astype(np.float32))
BANKS = (23, 512, 16000.0, 20.0, 0.0, 100.0, -500.0, 1.0)


def reasons() -> set[str]:
    return {record.reason for record in compat.report()}


@each_function
def test_the_channel_that_is_asked_for_is_the_one_that_is_read(name: str) -> None:
    spoiled = X.clone()
    spoiled[0] = torch.nan
    y = getattr(ours, name)(spoiled, channel=1)
    assert torch.equal(y, getattr(ours, name)(X[1:]))
    assert reasons() == {""}


@each_function
def test_a_gradient_is_torch_s(name: str) -> None:
    gradients = []
    for library in (ours, theirs):
        x = X.clone().requires_grad_()
        gradients.append(torch.autograd.grad(getattr(library, name)(x).sum(), x)[0])
    assert torch.equal(*gradients)
    assert reasons() == {"the audio requires a gradient, which torch computes"}


@each_function
def test_strict_is_bit_identical(name: str) -> None:
    with compat.numerics("strict"):
        assert torch.equal(getattr(ours, name)(X), getattr(theirs, name)(X))


@each_function
def test_verify_finds_nothing_to_say_and_repeats_no_random_numbers(name: str) -> None:
    with compat.numerics("verify"):
        getattr(ours, name)(X)
        assert reasons() == {""}
        compat.reset()
        torch.manual_seed(4)
        dithered = getattr(ours, name)(X, dither=1.0)
    torch.manual_seed(4)
    assert torch.equal(dithered, getattr(theirs, name)(X, dither=1.0))
    assert reasons() == {"dither draws random numbers, and a second run to compare with would draw others"}


def test_mel_banks_are_torchaudio_s_to_the_bit_and_the_caller_s_own() -> None:
    expected = theirs.get_mel_banks(*BANKS)
    for _ in range(2):
        made = ours.get_mel_banks(*BANKS)
        for mine, theirs_ in zip(made, expected, strict=True):
            assert torch.equal(mine, theirs_)
            mine.zero_()
    # nor is what others do to theirs to be heard in the features
    assert torch.isfinite(ours.fbank(X)).all()
    assert (ours.fbank(X) - theirs.fbank(X)).abs().max() < 1e-3
    assert reasons() == {""}


def test_banks_are_made_in_the_dtype_that_torch_makes_them_in() -> None:
    x = X.double()
    single = ours.fbank(x)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        double = ours.fbank(x)
        assert (double - theirs.fbank(x)).abs().max() < 1e-9
    finally:
        torch.set_default_dtype(before)
    assert (single - theirs.fbank(x)).abs().max() < 1e-9
    assert not torch.equal(single, double)


def test_nothing_is_designed_for_frames_that_no_audio_has() -> None:
    for library in (ours, theirs):
        with pytest.raises(AssertionError, match="choose a window size"):
            library.fbank(X, frame_length=1e12)


@pytest.mark.parametrize("name", ["vtln_warp_freq", "mel_scale", "inverse_mel_scale_scalar", "EPSILON", "__all__"])
def test_what_is_not_ours_is_torchaudio_s(name: str) -> None:
    assert getattr(ours, name) is getattr(theirs, name)


def test_install_reaches_every_way_to_the_functions_and_uninstall_gives_them_back() -> None:
    before = theirs.fbank
    compat.install("torchaudio")
    try:
        import torchaudio
        from torchaudio.compliance import kaldi

        for module in (torchaudio.compliance.kaldi, kaldi, theirs):
            compat.reset()
            assert module.fbank is ours.fbank
            module.mfcc(X)
            assert {(record.function, record.reason) for record in compat.report()} == {
                ("torchaudio.compliance.kaldi.mfcc", "")
            }
    finally:
        compat.uninstall()
    assert theirs.fbank is before


PROGRAM = """
import torchaudio.compliance.kaldi as kaldi
from torchaudio.compliance.kaldi import fbank
from torchaudio.compliance import kaldi as again
import torch
for function in (kaldi.fbank, fbank, again.fbank):
    function(torch.randn(1, 4000))
"""


@pytest.mark.slow
def test_a_program_s_imports_get_ours_without_a_change_to_it(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    code = (
        "import runpy\n"
        "from mlx_spectro import compat\n"
        "compat.install()\n"
        f"runpy.run_path({str(script)!r})\n"
        "print([(r.function, r.calls, r.reason) for r in compat.report()])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[('torchaudio.compliance.kaldi.fbank', 3, '')]", done.stderr
