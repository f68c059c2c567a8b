"""torch's CUDA tensors by our kernels, on a machine that stands in for one with a GPU."""

from __future__ import annotations

import errno
import math
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")
pytest.importorskip("mlx.core")

from mlx_spectro import caches, compat
from mlx_spectro.compat import torch as shim
from mlx_spectro.compat import torchaudio as audio_shim
from mlx_spectro.compat.arrays import cuda_modules, torch_cuda
from mlx_spectro.compat.contract import records
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.contract.decline import Decline
from mlx_spectro.compat.torch import _spectral
from mlx_spectro.compat.torchaudio._functional import sliding_normalization
from mlx_spectro.kernels import tuning_cache
from mlx_spectro.kernels.gpu import tune

from ..kernels.kernel_host import host
from .cuda_machine import VERSION, Machine, OnCuda, Status, cuda
from .test_torch_gpu import MEL, WINDOW, alike, istft, moved, noise, reason, served, stft

pytestmark = [
    pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU"),
    pytest.mark.usefixtures("gpu"),
]


def test_without_the_bindings_torch_serves_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_modules, "bindings", lambda: "cuda.bindings is not installed: pip install cuda-bindings")
    torch_cuda._why_none.cache_clear()
    stft(cuda(noise(300)))
    assert reason() == "cuda.bindings is not installed: pip install cuda-bindings"


def test_a_missing_module_and_a_missing_library_are_reasons_with_remedies(
    gpu: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert "pip install cuda-bindings" in str(cuda_modules.bindings.__wrapped__())

    def missing() -> None:
        raise RuntimeError("no such library")

    monkeypatch.setitem(sys.modules, "cuda.bindings", SimpleNamespace(driver=gpu.driver, nvrtc=gpu.nvrtc))
    assert cuda_modules.bindings.__wrapped__() == (gpu.driver, gpu.nvrtc, VERSION)
    monkeypatch.setattr(gpu.driver, "cuDriverGetVersion", lambda: (Status(100),))  # no device
    said = "NVIDIA's driver cannot be loaded (CUDA_ERROR_100): install it anew"
    assert cuda_modules.bindings.__wrapped__() == said
    monkeypatch.setattr(gpu.nvrtc, "nvrtcVersion", missing)
    said = (
        "CUDA's compiler cannot be loaded (no such library): pip install nvidia-cuda-nvrtc, or nvidia-cuda-nvrtc-cu12"
    )
    assert cuda_modules.bindings.__wrapped__() == said


def test_a_driver_that_is_older_than_the_compiler_is_a_reason_with_a_remedy(
    gpu: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu.driver, "cuModuleLoadData", lambda code: (Status(222), None))
    monkeypatch.setattr(gpu.driver, "cuDriverGetVersion", lambda: (Status(0), 12080))
    x = noise(2, 301)
    assert torch.equal(stft(cuda(x)).as_subclass(torch.Tensor), stft(x, torch))
    said = "CUDA_ERROR_222 (the driver knows CUDA 12.8: where the compiler is newer, update it)"
    assert reason() == f"a kernel cannot be used on cuda:0 with NVRTC 13.0 and this driver: {said}"


@pytest.mark.parametrize("why", ["no home", "another's", "read-only"])
def test_a_folder_that_cannot_be_written_to_is_said_once_and_the_call_is_ours(
    why: str, gpu: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    if why == "no home":
        monkeypatch.setattr(caches, "folder", lambda: None)
    else:
        monkeypatch.setattr(caches, "make_private" if why == "another's" else "write_whole", refused)
    cuda_modules._say_not_kept.cache_clear()
    x = noise(2, 301)
    for _ in range(2):
        alike(stft(cuda(x)), stft(x, torch))
    alike(istft(stft(cuda(x))), istft(stft(x, torch), torch))
    served(gpu)
    said = "no home folder" if why == "no home" else str(tmp_path)
    assert [said in record.message for record in caplog.records if record.levelname == "WARNING"] == [True]


def test_a_captured_call_waits_for_nothing(gpu: Machine) -> None:
    mel, x = moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL)), cuda(noise(2, 301))
    gpu.capturing = True
    mel(x)
    assert re.fullmatch(r"a CUDA graph is being captured, and .* for the first time: call once before.*", reason())
    gpu.capturing = False
    mel(x)
    compat.reset()
    gpu.capturing = True
    mel(x)
    mel(cuda(noise(3, 400)))  # another shape needs nothing but what there is
    served(gpu)


def test_a_prewarmed_call_is_captured(gpu: Machine) -> None:
    x, window = cuda(noise(2, 301)), cuda(WINDOW)
    with compat.route("auto"):
        compat.prewarm(shim.stft, x, 64, 16, window=window, return_complex=True)
        gpu.capturing = True
        shim.stft(x, 64, 16, window=window, return_complex=True)
    served(gpu)


def test_few_samples_are_ours_in_shapes_that_come_again_and_stay_whose_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_spectral, "_shapes", _spectral._Shapes())

    def ours(samples: int, **options: Any) -> bool:
        compat.reset()
        stft(cuda(noise(samples)), **options)
        return not reason()

    with compat.route("auto"):
        # each comes again before the next: all are ours
        for samples in range(200, 220):
            assert [ours(samples) for _ in range(3)] == [True] * 3
        # each comes once, as in a program of ever new lengths
        once = {samples: ours(samples) for samples in range(300, 320)}
        assert list(once.values()) == [True] * 8 + [False] * 12
        assert "ever new shapes" in reason()
        for _ in range(3):
            assert {samples: ours(samples) for samples in once} == once
        assert ours(200)
        # in another kind of frames, those that came once have come again by now
        assert ours(319, center=False)


def test_few_samples_are_ours_with_a_gradient(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_spectral._Shapes, "_MOST_ONCE", 0)
    with compat.route("auto"):
        x = cuda(noise(2, 310))
        for _ in range(3):
            stft(x)
            assert "ever new shapes" in reason()
        compat.reset()
        stft(cuda(noise(2, 310)).requires_grad_())
        served(gpu)


def test_phases_are_captured_and_what_we_would_not_take_is_nan(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    find, levels = moved(gpu, audio_shim.transforms.GriffinLim(64, 2, hop_length=16)), stft(noise(801), torch).abs()
    torch.manual_seed(1)
    expected = find(cuda(levels))
    gpu.capturing = True
    torch.manual_seed(1)
    assert torch.equal(find(cuda(levels)), expected)
    for value in (-1.0, math.nan, math.inf, 1e31):
        unfit = levels.clone()
        unfit[9, 20] = value
        assert find(cuda(unfit)).isnan().all()
    served(gpu)
    compat.reset()
    gpu.capturing = False
    find(cuda(unfit))
    assert "very large" in reason()


def test_sliding_means_are_captured_and_sums_that_may_overflow_make_nan(
    gpu: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, features = audio_shim.transforms.SlidingWindowCmn(30, 10), noise(2, 90, 13)
    expected = level(cuda(features))
    monkeypatch.setattr(sliding_normalization, "_check_sums", None)  # which waits for values
    gpu.capturing = True
    assert torch.equal(level(cuda(features)), expected)
    for value in (1e38, math.nan, math.inf):
        unfit = features.clone()
        unfit[0, 9, 3] = value
        assert level(cuda(unfit)).isnan().all()
    served(gpu)


def test_phases_of_a_kind_that_a_capture_meets_first_are_not_drawn(
    gpu: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, levels = audio_shim.functional.griffinlim.plan, cuda(stft(noise(801), torch).abs())
    arguments = levels, cuda(WINDOW), 64, 16, 64, 1.0, 2, 0.5, None, True
    find(*arguments)()
    torch_cuda._launchers.clear()
    state = torch.get_rng_state()
    gpu.capturing = True
    with pytest.raises(Decline, match="is needed for the first time"):
        find(*arguments)()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_window_not_seen_before_a_capture_is_declined_in_it(gpu: Machine) -> None:
    z, window = stft(cuda(noise(2, 301))), cuda(WINDOW.clone())
    istft(z)
    compat.reset()
    gpu.capturing = True
    shim.istft(z, 64, 16, window=window)
    assert "a window is seen for the first time" in reason()


def test_geometries_are_never_tried_in_a_capture(gpu: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stft(cuda(noise(301)))
    monkeypatch.setattr(tune, "enabled", lambda: True)
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", str(tmp_path / "autotune.json"))
    monkeypatch.setattr(tune, "_choices", {})
    tuning_cache.forget()
    gpu.capturing = True
    stft(cuda(noise(9, 3000)))
    assert not tuning_cache.entries()
    served(gpu)
    tuning_cache.forget()


def test_a_thread_without_a_context_gets_one(gpu: Machine) -> None:
    x = noise(2, 301)
    stft(cuda(x))
    gpu.entered.clear()
    gpu.statuses = [201]
    alike(stft(cuda(x)), stft(x, torch))
    assert gpu.entered == [0]
    served(gpu)
    gpu.statuses = [1, 1]  # of a wrong argument, which would be our fault
    with pytest.raises(cuda_modules.CudaError, match=r"stft_64_complex_bnf was not launched: CUDA_ERROR_1$"):
        stft(cuda(x))


@pytest.mark.parametrize("status", [400, 700, 709, 719])
def test_after_a_device_was_reset_or_a_kernel_failed_torch_serves_and_says_what_to_do(
    status: int, gpu: Machine
) -> None:
    x = noise(2, 301)
    for again in (False, True):
        stft(cuda(x))
        compat.reset()
        gpu.statuses = [201 if again else status, status]
        assert torch.equal(stft(cuda(x)).as_subclass(torch.Tensor), stft(x, torch))
        said = f"CUDA_ERROR_{status}: the device was reset, or a kernel failed on it; a new process can use it again"
        assert reason() == f"the GPU kernel stft_64_complex_bnf was not launched: {said}"
        compat.reset()


@pytest.mark.parametrize("known", [False, True], ids=["the first", "a later one"])
def test_no_kernel_reads_memory_that_a_program_has_let_go(known: bool, gpu: Machine) -> None:
    # NumPy's memory is not torch's to let go
    theirs, x = noise(2, 301).clone(), cuda(noise(2, 301).clone())
    for _ in range(3 * known):
        stft(x)
    compat.reset()
    launched = len(gpu.launched)
    for module, signal in ((torch, theirs), (shim, x)):
        signal.untyped_storage().resize_(0)
        with pytest.raises(RuntimeError, match="its data is not allocated"):
            stft(signal, module)
    assert "memory has been freed" in reason()
    assert len(gpu.launched) == launched


@pytest.mark.parametrize("place", ["cpu", "cuda:1"])
def test_weights_on_another_device_are_torch_s_to_refuse(
    place: str, gpu: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    mel = moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL))
    x, z, window = cuda(noise(2, 301)), stft(cuda(noise(2, 301))), cuda(WINDOW)
    elsewhere = id(window), id(mel.spectrogram.window)
    monkeypatch.setattr(OnCuda, "device", property(lambda t: torch.device(place if id(t) in elsewhere else "cuda:0")))
    compat.reset()
    calls: list[Callable[[], Any]] = [
        lambda: shim.stft(x, 64, 16, window=window, return_complex=True),
        lambda: shim.istft(z, 64, 16, window=window),
        lambda: mel(x),
    ]
    for call in calls:
        with pytest.raises(records.FaultError, match="the reference rejects the arguments"):  # which this one does not
            call()


def test_work_is_launched_on_the_tensor_s_device(gpu: Machine) -> None:
    gpu.current = 1
    x = noise(2, 301)
    alike(stft(cuda(x)), stft(x, torch))
    assert gpu.current == 1
    served(gpu)


def test_a_kernel_loaded_before_random_numbers_are_drawn_leaves_the_program_s_device(gpu: Machine) -> None:
    gpu.current = 1
    levels = cuda(stft(noise(801), torch).abs())
    moved(gpu, audio_shim.transforms.GriffinLim(64, 2, hop_length=16))(levels)
    audio_shim.transforms.SpecAugment(2, 30, 3, 9)(cuda(noise(2, 33, 70)))
    assert gpu.current == 1
    served(gpu)


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
        torch_cuda._launchers.clear()
        adapters["torch.stft"].function.forget()
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
    served(gpu)


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
