"""Scripted programs that call torch.stft and torch.istft, in every spelling and mode: what they give without us."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from mlx_spectro import compat

WINDOW = torch.hann_window(400)
X = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))

# programs, as they are written with and without an import swap
PROGRAM = """
import torch as plain
{imports}
Tensor = plain.Tensor

def direct(x: Tensor, window: Tensor):
    return torch.stft(x, 400, window=window, return_complex=True).abs()

def of_functional(x: Tensor, window: Tensor):
    return torch.functional.stft(x, 400, window=window, return_complex=True).abs()

def by_name(x: Tensor, window: Tensor):
    return stft(x, 400, 100, 400, window, pad_mode="constant", normalized=True, return_complex=True).abs()

def uncentred(x: Tensor, window: Tensor):
    return torch.view_as_complex(torch.stft(x, 400, window=window, center=False, return_complex=False)).abs()

def there_and_back(x: Tensor, window: Tensor):
    return torch.istft(torch.stft(x, 400, window=window, return_complex=True), 400, window=window, length=3990)

def back_by_name(x: Tensor, window: Tensor):
    return istft(stft(x, 400, window=window, return_complex=True), 400, window=window)

class Net(plain.nn.Module):
    def forward(self, x: Tensor, window: Tensor):
        return torch.stft(x, 400, window=window, return_complex=True).abs()

net = Net()
"""
PLAIN = "import torch\nfrom torch import istft, stft\n"
SWAPPED = "from mlx_spectro.compat import torch\nfrom mlx_spectro.compat.torch import istft, stft\n"
PROGRAMS = ["direct", "of_functional", "by_name", "uncentred", "there_and_back", "back_by_name", "net"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has deprecated scripting
        yield


def programs(imports: str, tmp_path: Any) -> Callable[[str], Any]:
    """The programs by name; TorchScript reads their source from a file."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(imports=imports))
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    return namespace.__getitem__


@pytest.mark.parametrize("mode", ["fast", "strict", "verify"])
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("way", ["swapped", "installed"])
def test_a_scripted_program_gives_what_it_gives_without_us(way: str, name: str, mode: str, tmp_path: Any) -> None:
    expected = programs(PLAIN, tmp_path)(name)(X, WINDOW)
    if way == "installed":
        compat.install("torch")
    program = programs(SWAPPED if way == "swapped" else PLAIN, tmp_path)(name)
    with compat.numerics(mode):
        scripted = torch.jit.script(program)
        result = scripted(X, WINDOW)
    assert result.shape == expected.shape
    assert torch.equal(result, expected)


def test_a_module_of_torchaudio_s_is_scripted_with_its_padding() -> None:
    torchaudio = pytest.importorskip("torchaudio")
    expected = torchaudio.transforms.Spectrogram(400)(X)
    compat.install()
    assert torch.equal(torch.jit.script(torchaudio.transforms.Spectrogram(400))(X), expected)
