"""torch's CUDA tensors by our kernels, on a machine that stands in for one with a GPU."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")
pytest.importorskip("mlx.core")

from mlx_spectro import caches, compat
from mlx_spectro.compat import torch as shim
from mlx_spectro.compat import torchaudio as audio_shim
from mlx_spectro.compat.arrays import cuda_modules, torch_launch
from mlx_spectro.kernels import tuning_cache
from mlx_spectro.kernels.gpu import tune

from ..kernels.kernel_host import host
from .cuda_machine import Machine, OnCuda, cuda, machine, moved

pytestmark = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")

WINDOW, OURS = torch.hann_window(64), "cuda:0, our kernels"


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    monkeypatch.setattr(tune, "enabled", lambda: False)
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    with machine(monkeypatch) as made, compat.route("ours"):
        yield made


def noise(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def served() -> None:
    """All calls were ours, on the device."""
    found = {(record.reason, record.device) for record in compat.report()}
    assert found == {("", OURS)}


def reason() -> str:
    (record,) = compat.report()
    return record.reason


def alike(ours: Any, theirs: Any) -> None:
    """Equal but for a few roundings, and so in memory."""
    ours = ours.as_subclass(torch.Tensor)
    assert (ours.shape, ours.stride(), ours.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def stft(x: Any, module: Any = shim, window: Any = WINDOW, **options: Any) -> Any:
    window = cuda(window) if isinstance(x, OnCuda) else window
    return module.stft(x, 64, 16, window=window, return_complex=True, **options)


def istft(z: Any, module: Any = shim, window: Any = WINDOW, **options: Any) -> Any:
    window = cuda(window) if isinstance(z, OnCuda) else window
    return module.istft(z, 64, 16, window=window, **options)


OPTIONS: dict[str, dict[str, Any]] = {
    **{mode: {"pad_mode": mode} for mode in ("reflect", "constant", "replicate", "circular")},
    "not centred": {"center": False},
    "normalized": {"normalized": True},
    "two-sided": {"onesided": False},
}


@pytest.mark.parametrize("lead", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("name", OPTIONS)
def test_spectra_are_torch_s(name: str, lead: tuple[int, ...]) -> None:
    x = noise(*lead, 301)
    alike(stft(cuda(x), **OPTIONS[name]), stft(x, torch, **OPTIONS[name]))
    served()


@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("length", [None, 250])
def test_inverses_are_torch_s(length: int | None, onesided: bool) -> None:
    z = stft(noise(3, 301), torch, onesided=onesided)
    for spectrum in (z, z.contiguous(), z.conj()):
        options = {"length": length, "onesided": onesided}
        alike(istft(cuda(spectrum), **options), istft(spectrum, torch, **options))
    served()


def test_an_odd_frame_has_both_sides_too() -> None:
    x, window = noise(2, 300), torch.hann_window(63)
    for module, signal in ((shim, cuda(x)), (torch, x)):
        given = cuda(window) if module is shim else window
        z = module.stft(signal, 63, 16, window=given, onesided=False, return_complex=True)
        y = module.istft(z, 63, 16, window=given, onesided=False, length=300)
        if module is shim:
            ours = z, y
    alike(ours[0], z)
    alike(ours[1], y)
    served()


def test_views_are_taken_as_they_are_and_short_windows_are_centred() -> None:
    x = noise(3, 903)[1:, ::3]
    alike(stft(cuda(x)), stft(x, torch))
    window = torch.hann_window(40)
    z = torch.stft(x, 64, 10, 40, window, return_complex=True)
    alike(shim.stft(cuda(x), 64, 10, 40, cuda(window), return_complex=True), z)
    alike(shim.istft(cuda(z), 64, 10, 40, cuda(window)), torch.istft(z, 64, 10, 40, window))
    negative = noise(300).to(torch.complex64).conj().imag + 1
    alike(stft(cuda(negative)), stft(negative, torch))
    served()


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "magnitude": lambda x, m: stft(x, m).abs().square().sum(),
    "two-sided": lambda x, m: stft(x, m, onesided=False).abs().pow(3).sum(),
    "round trip": lambda x, m: istft(stft(x, m), m, length=x.shape[-1]).pow(3).sum(),
    "two-sided round trip": lambda x, m: (
        istft(stft(x, m, onesided=False), m, onesided=False, length=x.shape[-1]).pow(3).sum()
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_backward_and_double_backward_are_torch_s(name: str, gpu: Machine) -> None:
    results = []
    for module in (shim, torch):
        x = noise(2, 300)
        x = (cuda(x) if module is shim else x).requires_grad_()
        (first,) = torch.autograd.grad(LOSSES[name](x, module), x, create_graph=True)
        (second,) = torch.autograd.grad((first * noise(2, 300, seed=1)).sum(), x)
        results.append((first.detach(), second))
    for mine, theirs in zip(*results, strict=True):
        assert (mine - theirs).abs().max() <= 2e-5 * theirs.abs().max()
    served()
    assert sum("adjoint" in kernel for kernel in gpu.launched) > 0


SIZES = {"n_fft": 64, "hop_length": 16}
MEL = {**SIZES, "n_mels": 8}
TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "magnitudes": lambda m: m.Spectrogram(**SIZES, power=1.0),
    "powers": lambda m: m.Spectrogram(**SIZES),
    "powers of both sides": lambda m: m.Spectrogram(**SIZES, onesided=False),
    "spectra": lambda m: m.Spectrogram(**SIZES, power=None, normalized="window", pad=5),
    "mel": lambda m: m.MelSpectrogram(8000, **MEL),
    "mel of magnitudes": lambda m: m.MelSpectrogram(8000, **MEL, power=1.0, normalized=True),
    "MFCC": lambda m: m.MFCC(8000, 5, melkwargs=MEL),
    "MFCC of logarithms": lambda m: m.MFCC(8000, 5, log_mels=True, melkwargs=MEL),
    "LFCC": lambda m: m.LFCC(8000, 8, n_lfcc=5, speckwargs=SIZES),
    "centroid": lambda m: m.SpectralCentroid(8000, **SIZES),
}


@pytest.mark.parametrize("gradient", [False, True], ids=["values", "gradient"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_torchaudio_s_transforms_are_torchaudio_s(name: str, gradient: bool) -> None:
    results = []
    for module in (audio_shim, torchaudio):
        x = noise(2, 3, 301)
        x = (cuda(x) if module is audio_shim else x).requires_grad_(gradient)
        transform = TRANSFORMS[name](module.transforms)
        y = (moved(transform) if module is audio_shim else transform)(x)
        if gradient:
            y.abs().square().sum().backward()
            results.append(x.grad.as_subclass(torch.Tensor))
        else:
            results.append(y.as_subclass(torch.Tensor))
    mine, theirs = results
    assert mine.shape == theirs.shape
    # a logarithm makes of a rounding of small values a larger one
    assert (mine - theirs).abs().max() <= 1e-4 * theirs.abs().max()
    served()


@pytest.mark.parametrize("mode", ["replicate", "constant", "reflect", "circular"])
def test_slopes_are_torchaudio_s_at_every_call(mode: str) -> None:
    theirs = pytest.importorskip("torchaudio").functional
    from mlx_spectro.compat import torchaudio as shim_audio

    x = noise(2, 3, 50)
    for _ in range(3):
        alike(shim_audio.functional.compute_deltas(cuda(x), 5, mode), theirs.compute_deltas(x, 5, mode))
    grads = []
    for module, tensor in ((shim_audio.functional, cuda(x)), (theirs, x.clone())):
        tensor.requires_grad_()
        grads.append(torch.autograd.grad(module.compute_deltas(tensor, 5, mode).square().sum(), tensor)[0])
    alike(*grads)
    served()


def test_filters_and_inverses_of_torchaudio_are_torchaudio_s() -> None:
    make: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "InverseSpectrogram": (
            lambda m: m.InverseSpectrogram(**SIZES, normalized="window"),
            stft(noise(2, 3, 301).reshape(6, -1), torch),
        ),
        "MelScale": (lambda m: m.MelScale(8, 8000, n_stft=33), stft(noise(2, 301), torch).abs()),
    }
    for build, x in make.values():
        alike(moved(build(audio_shim.transforms))(cuda(x)), build(torchaudio.transforms)(x))
    served()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda x: stft(x.double(), window=WINDOW.double()), "on CUDA, our kernels compute in float32, not in float64"),
        (lambda x: shim.stft(x, 74, 20, window=cuda(torch.ones(74)), return_complex=True), "prime factor"),
        (lambda x: audio_shim.transforms.AmplitudeToDB()(x), "no GPU kernel computes Elementwise"),
        (lambda x: audio_shim.functional.DB_to_amplitude(x, 1.0, 1.0), "cannot share CUDA memory"),
    ],
)
def test_what_is_not_served_goes_to_torch_with_the_reason(call: Callable[[Any], Any], expected: str) -> None:
    with compat.route("ours"):
        call(cuda(noise(2, 400)))
    assert expected in reason()


def test_without_the_bindings_torch_serves_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_modules, "bindings", lambda: "cuda.bindings is not installed: pip install cuda-bindings")
    torch_launch._why_none.cache_clear()
    stft(cuda(noise(300)))
    assert reason() == "cuda.bindings is not installed: pip install cuda-bindings"


def test_a_missing_module_and_a_missing_library_are_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert "pip install cuda-bindings" in str(cuda_modules.bindings.__wrapped__())


def test_nothing_is_waited_for_after_the_first_call_of_a_kind(gpu: Machine) -> None:
    mel, x = moved(audio_shim.transforms.MelSpectrogram(8000, **MEL)), cuda(noise(2, 301))
    window = cuda(WINDOW)

    def calls() -> None:
        mel(x)
        z = shim.stft(x, 64, 16, window=window, return_complex=True)
        shim.istft(z, 64, 16, window=window)

    calls()
    before, kernels = gpu.waited, list(gpu.compiled)
    calls()
    assert (gpu.waited, gpu.compiled) == (before, kernels)
    served()


def test_a_changed_bank_is_seen_and_one_that_hides_its_changes_is_declined(gpu: Machine) -> None:
    mel, theirs = (
        moved(audio_shim.transforms.MelSpectrogram(8000, **MEL)),
        torchaudio.transforms.MelSpectrogram(8000, **MEL),
    )
    x = noise(2, 301)
    alike(mel(cuda(x)), theirs(x))
    mel.mel_scale.fb.mul_(2)
    alike(mel(cuda(x)), 2 * theirs(x))
    served()
    compat.reset()
    with torch.inference_mode():
        mel.mel_scale.fb = cuda(theirs.mel_scale.fb.clone())
    mel(cuda(x))
    assert "torch.inference_mode, which hides its changes" in reason()


def test_a_table_lives_as_long_as_its_bank() -> None:
    x, kept = cuda(noise(2, 301)), None
    for _ in range(5):
        moved(audio_shim.transforms.MelSpectrogram(8000, **MEL))(x)
        kept = torch_launch._launchers[0]._made
    assert kept is not None
    assert not kept._known
    # what was let go waits until nothing can be reading it
    assert len(kept._dropped) == 1
    served()


def test_a_captured_call_waits_for_nothing(gpu: Machine) -> None:
    mel, x = moved(audio_shim.transforms.MelSpectrogram(8000, **MEL)), cuda(noise(2, 301))
    gpu.capturing = True
    mel(x)
    assert re.fullmatch(r"a CUDA graph is being captured, and .* for the first time: call once before.*", reason())
    gpu.capturing = False
    mel(x)
    compat.reset()
    gpu.capturing = True
    mel(x)
    mel(cuda(noise(3, 400)))  # another shape needs nothing but what there is
    served()


def test_what_torch_transforms_as_fast_is_torch_s_but_in_a_capture_and_with_a_gradient(gpu: Machine) -> None:
    x = cuda(noise(2, 300))
    stft(x)
    with compat.route("auto"):
        compat.reset()
        stft(x)
        assert "as fast on so few samples" in reason()
        compat.reset()
        stft(cuda(noise(2, 300)).requires_grad_())
        gpu.capturing = True
        stft(x)
        gpu.capturing = False
        served()


def test_a_window_not_seen_before_a_capture_is_declined_in_it(gpu: Machine) -> None:
    z, window = stft(cuda(noise(2, 301))), cuda(WINDOW.clone())
    istft(z)
    compat.reset()
    gpu.capturing = True
    shim.istft(z, 64, 16, window=window)
    assert "a window is seen for the first time" in reason()


def test_geometries_are_tried_with_events_and_never_in_a_capture(
    gpu: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tune, "enabled", lambda: True)
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", str(tmp_path / "autotune.json"))
    monkeypatch.setattr(tune, "_choices", {})
    tuning_cache.forget()
    x = cuda(noise(2, 301))
    with compat.numerics("fast"):
        stft(x[0])
        (key,) = tuning_cache.entries()
        assert key.startswith("cuda:a card:sm_90|torch|stft|64|16|")
        launched = len(gpu.launched)
        stft(x[0])
        assert len(gpu.launched) == launched + 1
        gpu.capturing = True
        stft(cuda(noise(9, 3000)))
    assert list(tuning_cache.entries()) == [key]
    served()
    tuning_cache.forget()


def test_a_thread_without_a_context_gets_one(gpu: Machine) -> None:
    x = noise(2, 301)
    stft(cuda(x))
    gpu.entered.clear()
    gpu.statuses = [201]
    alike(stft(cuda(x)), stft(x, torch))
    assert gpu.entered == [0]
    served()
    gpu.statuses = [700, 700]
    with pytest.raises(cuda_modules.CudaError, match=r"stft_64_complex_bnf was not launched: CUDA_ERROR_700"):
        stft(cuda(x))


def test_work_is_launched_on_the_tensor_s_device(gpu: Machine) -> None:
    gpu.current = 1
    x = noise(2, 301)
    alike(stft(cuda(x)), stft(x, torch))
    assert gpu.current == 1
    served()


def test_a_call_in_another_thread_leaves_this_one_s_arguments_alone(gpu: Machine) -> None:
    x, other = noise(2, 301), noise(2, 301, seed=1)
    results: list[Any] = []
    stft(cuda(x))

    def meanwhile() -> None:
        thread = threading.Thread(target=lambda: results.append(stft(cuda(other))))
        thread.start()
        thread.join()

    gpu.meanwhile = meanwhile
    alike(stft(cuda(x)), stft(x, torch))
    alike(results[0], stft(other, torch))


def test_binaries_are_kept_and_torn_ones_are_made_again(gpu: Machine, tmp_path: Path) -> None:
    def first_call() -> None:
        torch_launch._launchers.clear()
        stft(cuda(noise(2, 301)))

    first_call()
    (file,) = (tmp_path / "cuda-kernels").iterdir()
    first_call()
    assert len(gpu.compiled) == 1
    whole = file.read_bytes()
    for torn in (b"", whole[:20], whole[:-1]):
        file.write_bytes(torn)
        first_call()
        assert file.read_bytes() == whole
    assert len(gpu.compiled) == 4
    file.parent.chmod(0o770)  # others may write to it
    first_call()
    assert len(gpu.compiled) == 5
    served()


def test_a_compiler_older_than_the_device_makes_what_the_driver_translates() -> None:
    assert cuda_modules._options((9, 0))[0] == b"--gpu-architecture=sm_90"
    assert cuda_modules._options((12, 0))[0] == b"--gpu-architecture=compute_90"


def test_a_program_that_does_not_compile_is_a_reason_with_what_the_compiler_says(gpu: Machine) -> None:
    gpu.log = b"no such thing"
    for _ in range(2):
        stft(cuda(noise(2, 301)))
        assert "does not compile: no such thing" in reason()
    assert len(gpu.compiled) == 1


def test_cpu_tensors_load_nothing_of_cuda_s() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from mlx_spectro.compat import torch\n"
        "torch.stft(torch.ones(300), 64, window=torch.ones(64), return_complex=True)\n"
        "print([name for name in sys.modules if name.startswith('cuda') or name.endswith('torch_launch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_compiler_takes_the_text_and_keeps_every_value_in_registers() -> None:
    from mlx_spectro.design.framing import Framing
    from mlx_spectro.design.operators import Stft
    from mlx_spectro.kernels import gpu as kernels
    from mlx_spectro.kernels.gpu.dialect import cuda_program

    nvrtc = pytest.importorskip("cuda.bindings.nvrtc")
    try:
        nvrtc.nvrtcVersion()
    except RuntimeError as error:
        pytest.skip(f"no NVRTC: {error}")
    found = kernels.program(Stft(Framing(512, 128)), ((2, 9000), (512,)))
    assert found is not None
    (step,) = found.steps
    _, handle = nvrtc.nvrtcCreateProgram(cuda_program(step.launch.kernel).encode(), b"k.cu", 0, [], [])
    options = [b"--gpu-architecture=sm_90", b"-std=c++17", b"--ptxas-options=-v"]
    (status,) = nvrtc.nvrtcCompileProgram(handle, len(options), options)
    _, size = nvrtc.nvrtcGetProgramLogSize(handle)
    log = bytes(size)
    nvrtc.nvrtcGetProgramLog(handle, log)
    assert int(status) == 0, log
    assert b"0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in log
