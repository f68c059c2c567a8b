"""torch's MPS tensors by our kernels, on a machine that stands in for a Mac: what CUDA has not, or otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")
pytest.importorskip("mlx.core")

from mlx_spectro import compat
from mlx_spectro.compat import torch as shim
from mlx_spectro.compat import torchaudio as audio_shim
from mlx_spectro.compat.arrays import kinds, torch_launch, torch_mps
from mlx_spectro.compat.contract.decline import Decline
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Deltas, Stft
from mlx_spectro.kernels import gpu as kernels
from mlx_spectro.kernels.gpu import deltas, texts
from mlx_spectro.kernels.gpu.dialect import metal_program

from ..kernels.kernel_host import host
from .mps_machine import BUFFERS, Machine, machine
from .test_torch_gpu import MEL, WINDOW, alike, istft, noise, reason, served, stft

on_the_cpu = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, untuned: None) -> Iterator[Machine]:
    with machine(monkeypatch) as made, compat.route("ours"):
        yield made


SPECTRUM = stft(noise(2, 1000), torch)
CALLS: dict[str, tuple[Callable[..., Any], Any]] = {
    "one signal, repeated": (stft, noise(1000).expand(3, 1000)),
    "signals behind others": (stft, noise(5, 1000)[3:]),
    "every second sample": (stft, noise(2, 2001)[:, 1::2]),
    "a lazy negative": (stft, torch.view_as_complex(noise(2, 1000, 2)).conj().imag),
    "a lazy conjugate": (istft, SPECTRUM.conj()),
    "spectra behind others": (istft, SPECTRUM.transpose(-1, -2).contiguous()[1:].transpose(-1, -2)),
}


@on_the_cpu
@pytest.mark.parametrize("name", CALLS)
def test_tensors_are_bound_where_they_begin_and_copied_where_they_have_gaps(name: str, gpu: Machine) -> None:
    call, x = CALLS[name]
    alike(call(x), call(x, torch))
    served(gpu)


@on_the_cpu
def test_a_kernel_is_compiled_once_whatever_the_shape(gpu: Machine) -> None:
    mel = audio_shim.transforms.MelSpectrogram(8000, **MEL)
    for shape in ((300,), (2, 300), (2, 3, 470)):
        mel(noise(*shape))
    assert len(gpu.compiled) == 1
    assert gpu.launched == 3 * gpu.compiled
    served(gpu)


@on_the_cpu
def test_a_shader_that_does_not_compile_is_a_reason_with_what_the_compiler_says(gpu: Machine) -> None:
    gpu.error = SyntaxError("program_source:1:1: error: unknown type name")
    for _ in range(2):
        alike(stft(noise(300)), stft(noise(300), torch))
        assert "stft_64_complex_bnf does not compile for MPS: program_source:1:1: error" in reason()
    gpu.error = None
    stft(noise(300))
    assert "does not compile" in reason()  # it is not tried again


@on_the_cpu
def test_a_threadgroup_too_large_for_the_gpu_is_a_reason(gpu: Machine) -> None:
    gpu.most_threads = 64
    stft(noise(300))
    assert "stft_64_complex_bnf takes threadgroups of 128 threads, too many for this GPU" in reason()


@on_the_cpu
def test_a_grid_beyond_32_bits_is_declined(gpu: Machine) -> None:
    answer = kernels.program(Stft(Framing(64, 1)), ((1 << 36,), (64,)))
    assert answer is not None
    (step,) = answer.steps
    with pytest.raises(Decline, match="more frames than an MPS device numbers threads"):
        gpu.launcher().prepare(step.launch)


def test_an_older_torch_serves_and_says_what_to_do(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    older = SimpleNamespace(mps=SimpleNamespace(), __version__="2.6.0")
    monkeypatch.setattr(torch_mps, "torch", older)
    alike(stft(noise(300)), stft(noise(300), torch))
    assert reason() == "kernels on MPS are compiled by torch 2.7 or newer, and this is 2.6.0: upgrade torch"


@on_the_cpu
def test_complex_tensors_take_a_torch_that_knows_them(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vars(torch_mps)["torch"], "__version__", type(torch.__version__)("2.10.0"))
    mel, theirs = (m.transforms.MelSpectrogram(8000, **MEL) for m in (audio_shim, torchaudio))
    alike(mel(noise(2, 301)), theirs(noise(2, 301)))
    served(gpu)
    for call, x in ((stft, noise(300)), (istft, SPECTRUM)):
        compat.reset()
        alike(call(x), call(x, torch))
        assert reason() == "complex MPS tensors are served with torch 2.11 or newer, and this is 2.10.0"


@on_the_cpu
def test_no_values_are_read_but_those_of_what_is_kept(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    values_of = torch_launch.values_of

    def noted(name: str, tensor: Any) -> Any:
        seen.append(name)
        return values_of(name, tensor)

    monkeypatch.setattr(torch_launch, "values_of", noted)
    mfcc, window = audio_shim.transforms.MFCC(8000, 5, melkwargs=MEL), torch.hann_window(64)
    inverse = audio_shim.transforms.InverseSpectrogram(64, hop_length=16, normalized="window")
    waited = []
    for seed in range(3):
        x = noise(2, 301, seed=seed).requires_grad_()
        mfcc(x).square().sum().backward()
        shim.istft(shim.stft(x, 64, 16, window=window, return_complex=True), 64, 16, window=window)
        inverse(stft(x, torch))
        waited.append(gpu.waited)
    assert waited[0] == waited[-1]
    assert sorted(seen) == ["a filterbank"] * 4 + ["a window"] * 3
    served(gpu)


def test_every_kernel_has_room_for_its_arguments() -> None:
    for kernel in texts.kernels():
        name, parameters = host.signature(metal_program(kernel))
        buffers = [part for part in parameters.split(", ") if "[[buffer(" in part]
        names = [*kernel.inputs, *kernel.tables, *(f"{scalar}_" for scalar in kernel.scalars), *kernel.outputs]
        assert name == kernel.name
        assert [part.split()[-2] for part in buffers] == names
        assert len(buffers) <= BUFFERS


# a launch of slopes: what a mistake in it makes of its arguments and its options
MISTAKES: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {
    "an argument too few": lambda given, _: given.pop(),
    "another order": lambda given, _: given.insert(0, given.pop()),
    "an integer for a float": lambda given, _: given.__setitem__(-2, 1),
    "a float for an integer": lambda given, _: given.__setitem__(1, 1.0),
    "double precision": lambda given, _: given.__setitem__(0, given[0].double()),
    "gaps": lambda given, _: given.__setitem__(0, given[0].t().contiguous().t()),
    "a short output": lambda given, _: given.__setitem__(-1, given[-1][:1]),
    "a long output": lambda given, _: given.__setitem__(-1, torch.empty(3, 300)),
    "one memory": lambda given, _: given.__setitem__(-1, given[0]),
    "threadgroups for threads": lambda _, options: options.update(threads=(3, 2, 1)),
    "too many rows": lambda _, options: options.update(threads=(384, 1 << 32, 1)),
    "large threadgroups": lambda _, options: options.update(threads=(2048, 2, 1), group_size=(2048, 1, 1)),
    "two axes": lambda _, options: options.update(threads=(384, 2), group_size=(128, 1)),
}


@on_the_cpu
@pytest.mark.parametrize("name", [None, *MISTAKES])
def test_the_stand_in_finds_mistakes(name: str | None) -> None:
    launch = deltas.launch(Deltas(2), 2, 300)
    library = Machine().compile_shader(metal_program(launch.kernel))
    given = [noise(2, 300), *launch.kernel.each(launch.scalars), torch.empty(2, 300)]
    options: dict[str, Any] = {"threads": (384, 2, 1), "group_size": (128, 1, 1)}
    if name is None:
        library.deltas(*given, **options)
        alike(given[-1], torchaudio.functional.compute_deltas(given[0]))
        return
    MISTAKES[name](given, options)
    with pytest.raises((AssertionError, ValueError)):
        library.deltas(*given, **options)


def test_what_is_timed_is_waited_for_and_takes_no_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator()
    waits: list[None] = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waits.append(None))
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda _device: generator.get_state())
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state, _device: generator.set_state(state))
    before = generator.get_state()
    with kinds.undisturbed("torch"):
        torch.rand(3, generator=generator)
        kinds.settle()
    assert torch.equal(generator.get_state(), before)
    assert len(waits) == 1


def test_mlx_is_not_needed() -> None:
    code = (
        "import sys; sys.modules['mlx.core'] = None\n"
        "from mlx_spectro.compat.arrays import torch_mps\n"
        "print(torch_mps.metal_program.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "metal_program", done.stderr


@pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no MPS device")
def test_a_mac_s_tensors_are_transformed_where_they_lie() -> None:
    x = noise(2, 1000)
    with compat.route("ours"):
        z = stft(x.to("mps"), window=WINDOW.to("mps"))
        y = istft(z, window=WINDOW.to("mps"))
        mel = audio_shim.transforms.MelSpectrogram(8000, **MEL).to("mps")(x.to("mps"))
    alike(z.cpu(), stft(x, torch))
    alike(y.cpu(), istft(z.cpu(), torch))
    alike(mel.cpu(), torchaudio.transforms.MelSpectrogram(8000, **MEL)(x))
    assert {(record.reason, record.device) for record in compat.report()} == {("", "mps:0, our kernels")}
