"""torch and torchaudio warn through us exactly when, as often and in the name of the line as they do without us."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro import compat

pytestmark = pytest.mark.slow

# in a process of its own, because torch says most of it once a process
PROGRAM = """
import sys, warnings
way = sys.argv[1]
if way == "swapped":
    from mlx_spectro.compat import torch, torchaudio, route
else:
    import torch, torchaudio
if way == "installed":
    from mlx_spectro.compat import install, route
    install()
if way != "plain":
    route("ours")

x, window = torch.ones(500), torch.hann_window(64)
z = torch.fft.rfft(torch.ones(30, 64)).T.contiguous()

def spectrum(**options):
    return torch.stft(x, 64, **options)

def without_window():
    spectrum(return_complex=True)

def real():
    spectrum(window=window, return_complex=False)

def both():
    spectrum(return_complex=False)

def back():
    torch.istft(z, 64)

def back_in_lines():
    torch.istft(
        z,
        64,
        center=False,
    )

def longer():
    torch.istft(z, 64, window=torch.ones(64), length=2000)

def by_methods():
    x.stft(64, return_complex=False)
    z.istft(64)

def by_torchaudio():
    torchaudio.functional.spectrogram(x, 0, None, 64, 16, 64, 2.0, False)
    torchaudio.functional.inverse_spectrogram(z, None, 0, None, 64, 16, 64, False)

def iterated():
    torchaudio.functional.griffinlim(z.abs(), None, 64, 16, 64, 1.0, 2, 0.99, None, False)

def empty_filters():
    torchaudio.transforms.MelSpectrogram(n_fft=64, n_mels=100)(x)
    torchaudio.functional.melscale_fbanks(33, 0.0, 8000.0, 100, 16000)

def deprecated():
    torchaudio.functional.spectrogram(x, 0, window, 64, 16, 64, 2.0, False, return_complex=True)
    torchaudio.transforms.Spectrogram(64, return_complex=True)

def former_name():
    torchaudio.functional.resample(
        x,
        3,
        2,
        resampling_method="kaiser_window",
    )

def stretched():
    torchaudio.transforms.TimeStretch(16, 33, 1.3)(z.real)
    torchaudio.transforms.TimeStretch(16, 33, 1.3)(complex_specgrams=z.real)

def vad_of_three_axes():
    torchaudio.functional.vad(x[None, None], 1000)

def whole_numbers():
    torchaudio.functional.mu_law_encoding(x.int(), 256)

CALLS = [without_window, real, both, back, back_in_lines, longer, by_methods, by_torchaudio, iterated]
CALLS += [empty_filters, deprecated, former_name, stretched, vad_of_three_axes, whole_numbers]

def once():
    each()

def always():
    torch.set_warn_always(True)
    each()

def each():
    for call in CALLS + CALLS:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            call()
        for w in said:
            print(call.__name__, w.category.__name__, w.filename, w.lineno, w.message)

def errors():
    warnings.simplefilter("error")
    for call in CALLS + CALLS:
        try:
            call()
            print(call.__name__, "passes")
        except Warning as warning:
            print(call.__name__, type(warning).__name__, warning)

def errors_always():
    torch.set_warn_always(True)
    errors()

def by_default():
    # of what Python shows once a place; numba changes filters while it loads, which has Python forget what it showed
    spectrum(window=window, return_complex=True)
    torch.istft(z, 64, window=torch.ones(64))
    torch.set_warn_always(True)
    warnings.resetwarnings()
    warnings.simplefilter("default")
    warnings.showwarning = lambda *args: print(*args[:4])
    for call in CALLS + CALLS:
        call()
        print(call.__name__, sorted(map(str, globals().get("__warningregistry__", {}))))

for mode in sys.argv[2:]:
    print("mode", mode)
    globals()[mode]()
"""


def run(modes: tuple[str, ...], way: str, folder: Any) -> str:
    path = folder / "program.py"
    path.write_text(PROGRAM)
    command = [sys.executable, str(path), way, *modes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)
    assert done.returncode == 0, done.stderr
    # a first compilation on a machine is told there
    assert all("is compiling host kernels" in line for line in done.stderr.splitlines()), done.stderr
    return done.stdout


# what torch says once, it says in the first mode of a process; the others have it say everything always
@pytest.mark.parametrize("modes", [("once", "always", "by_default"), ("errors", "errors_always")], ids="-".join)
def test_warnings_and_their_lines_are_torch_s(modes: tuple[str, ...], tmp_path: Any) -> None:
    expected = run(modes, "plain", tmp_path)
    assert all(part.count("\n") > 6 for part in expected.split("mode ")[1:])
    for way in ("swapped", "installed"):
        assert run(modes, way, tmp_path).splitlines() == expected.splitlines()


@pytest.mark.parametrize("power", [1.0, 2.0, 4.0, None])
@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("n_fft", [64, 61, 67 * 2])
def test_nobody_speaks_of_what_overflows(n_fft: int, onesided: bool, power: float | None, ours: None) -> None:
    """A warning is an error here."""
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.standard_normal((2, 500), np.float32)) * 1e38
    for library in (compat.torchaudio, torchaudio):
        transform = library.transforms.Spectrogram(n_fft, power=power, onesided=onesided)
        for size in (torch.inf, 3e38, 1e38):
            audio = x.clone().requires_grad_()
            found = transform(audio)
            # what infinities of both signs give where the audio is mirrored, and a bin and its mirror image
            found.backward(torch.from_numpy(rng.choice([-1.0, 1.0], found.shape)).to(found) * size)
            assert not torch.isfinite(audio.grad).all()
    assert {record.reason for record in compat.report()} == {""}
