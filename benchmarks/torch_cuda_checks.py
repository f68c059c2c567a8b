"""What has to hold of torch's CUDA tensors, on the machine itself: values, gradients, graphs, streams, threads."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torchaudio
from torch import Tensor

from mlx_spectro import compat
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

DEVICE = torch.device("cuda", 0)
# how many times the reference's own error ours may be; the parity table, which pools more samples, allows 1.5
_FACTOR = 2.0
# relative to the largest value, what is not told apart: two units in the last place
_ROUNDING = 2.4e-7

Check = Callable[[], Any]
checks: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Have a function be run, by the name that it has; it raises, or returns what is to be printed."""
    checks[function.__name__] = function
    return function


def run(only: str = "") -> dict[str, str]:
    """Run the checks whose names contain ``only``: what failed, by name."""
    failed = {}
    for name, function in checks.items():
        if only not in name:
            continue
        compat.reset()
        begin = time.perf_counter()
        try:
            said = function()
            torch.cuda.synchronize()
        except Exception as error:  # noqa: BLE001 - one run is to show whatever is wrong
            failed[name] = f"{type(error).__name__}: {error}"[:2000]
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok {name} ({time.perf_counter() - begin:.1f} s)" + (f": {said}" if said else ""))
        sys.stdout.flush()
    return failed


def noise(*shape: int, seed: int = 0, device: Any = DEVICE) -> Tensor:
    """White noise."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)


@contextlib.contextmanager
def each(problems: list[str]) -> Iterator[None]:
    """One of several cases, all of which are to be seen."""
    try:
        yield
    except AssertionError as error:
        problems.append(str(error))
        compat.reset()


def none(problems: list[str]) -> None:
    """Raise what the cases of a check have found."""
    assert not problems, f"{len(problems)} cases: " + "\n  ".join(problems[:12])


def served(device: str = "cuda:0") -> None:
    """All calls since the last time were ours, and on the device."""
    found = {(record.function, record.reason, record.device) for record in compat.report()}
    assert found, "nothing was recorded"
    wrong = [entry for entry in found if entry[1:] != ("", f"{device}, our kernels")]
    assert not wrong, wrong
    compat.reset()


def errors(y: Tensor, truth: Tensor) -> tuple[float, float]:
    """Root of the mean square and the largest of a result's errors, relative to the largest value."""
    away = (y.to(truth.dtype) - truth).abs() / truth.abs().max()
    return float(away.square().mean().sqrt()), float(away.max())


def near(mine: Tensor, theirs: Tensor, truth: Tensor, what: str, strides: bool = True) -> float:
    """Ours is as exact as the reference's, and lies in memory as it does; how many times its errors ours are."""
    assert mine.device == theirs.device, what
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype), (what, mine.shape, theirs.shape, mine.dtype)
    if strides:
        assert mine.stride() == theirs.stride(), (what, tuple(mine.shape), mine.stride(), theirs.stride())
    pairs = list(zip(errors(mine, truth), errors(theirs, truth), strict=True))
    assert all(a <= max(_ROUNDING, _FACTOR * b) for a, b in pairs), (what, pairs)
    return max(a / max(b, 1e-9) for a, b in pairs)


def both(call: Callable[[Any, Any], Tensor], *inputs: Any, what: str, strides: bool = True) -> float:
    """Ours, the reference's and the truth of a call that takes a library and its inputs."""
    mine = call(ours, inputs)
    served()
    exact = [x.to(torch.complex128 if x.is_complex() else torch.float64) for x in inputs]
    return near(mine, call(torch, inputs), call(torch, exact), what, strides)


def _stft(n_fft: int, hop: int, win: int | None = None, **options: Any) -> Callable[[Any, Any], Tensor]:
    def call(library: Any, inputs: Any) -> Tensor:
        x, window = inputs
        return library.stft(x, n_fft, hop, win, window, return_complex=True, **options)  # type: ignore[no-any-return]

    return call


def _istft(n_fft: int, hop: int, win: int | None = None, **options: Any) -> Callable[[Any, Any], Tensor]:
    def call(library: Any, inputs: Any) -> Tensor:
        z, window = inputs
        return library.istft(z, n_fft, hop, win, window, **options)  # type: ignore[no-any-return]

    return call


_OPTIONS: dict[str, dict[str, Any]] = {
    **{mode: {"pad_mode": mode} for mode in ("reflect", "constant", "replicate", "circular")},
    "not centred": {"center": False},
    "normalized": {"normalized": True},
    "two-sided": {"onesided": False},
}
_SIZES = ((63, 16), (64, 16), (400, 160), (441, 100), (512, 128), (1024, 256), (2048, 512), (4096, 1024), (8192, 2048))


@check
def spectra() -> str:
    worst, problems = 0.0, list[str]()
    for n_fft, hop in _SIZES:
        window = torch.hann_window(n_fft, device=DEVICE)
        for lead in ((), (1,), (3,)):
            for name, options in _OPTIONS.items() if n_fft in (63, 512) else [("reflect", {})]:
                x = noise(*lead, 4 * n_fft + 1237)
                with each(problems):
                    worst = max(worst, both(_stft(n_fft, hop, **options), x, window, what=f"{n_fft} {lead} {name}"))
    none(problems)
    return f"at most {worst:.2f} times torch's errors"


@check
def single_frames() -> None:
    window, problems = torch.hann_window(512, device=DEVICE), list[str]()
    for length in (512, 600):
        for lead in ((), (1,), (3,)):
            x = noise(*lead, length)
            with each(problems):
                both(_stft(512, 128, center=False), x, window, what=f"one frame {lead} {length}")
            with each(problems):
                both(_stft(512, 1024), x, window, what=f"one centred frame {lead} {length}")
    none(problems)


@check
def inverses() -> str:
    worst, problems = 0.0, list[str]()
    for n_fft, hop in _SIZES:
        window = torch.hann_window(n_fft, device=DEVICE)
        for lead in ((), (3,)):
            for onesided in (True, False) if n_fft in (63, 512) else (True,):
                x = noise(*lead, 4 * n_fft + 1237)
                z = torch.stft(x, n_fft, hop, window=window, onesided=onesided, return_complex=True)
                for spectrum in (z, z.contiguous()):
                    for length in (None, 3 * n_fft + 1):
                        call = _istft(n_fft, hop, onesided=onesided, length=length)
                        what = f"{n_fft} {lead} {onesided} {length}"
                        with each(problems):
                            worst = max(worst, both(call, spectrum, window, what=what))
    none(problems)
    return f"at most {worst:.2f} times torch's errors"


@check
def views_and_odd_addresses() -> None:
    window, problems = torch.hann_window(513, device=DEVICE)[1:], list[str]()
    for name, x in {
        "an odd address": noise(9001)[1:],
        "odd rows": noise(3, 3001),
        "every third": noise(3, 9003)[1:, ::3],
        "expanded": noise(3000).expand(4, 3000),
        "transposed": noise(3000, 3).t(),
    }.items():
        with each(problems):
            both(_stft(512, 128), x, window, what=name, strides=name != "expanded")
    none(problems)
    z = torch.stft(noise(2, 4000), 512, 128, window=window, return_complex=True)
    both(_istft(512, 128), z.conj(), window, what="a conjugate")
    both(_stft(512, 100, 300), noise(2, 4000), window[:300], what="a short window")
    both(_istft(512, 100, 300), z, window[100:400], what="an inverse by a short window")


_MEL = {"n_fft": 400, "hop_length": 160, "n_mels": 80}
_TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "magnitudes": lambda m: m.Spectrogram(400, power=1.0),
    "powers": lambda m: m.Spectrogram(400),
    "powers of both sides": lambda m: m.Spectrogram(400, onesided=False),
    "spectra": lambda m: m.Spectrogram(400, power=None, normalized="window", pad=5),
    "another power": lambda m: m.Spectrogram(400, power=1.5),
    "mel": lambda m: m.MelSpectrogram(16000, **_MEL),
    "mel of 2048": lambda m: m.MelSpectrogram(44100, n_fft=2048, n_mels=128),
    "mel of magnitudes": lambda m: m.MelSpectrogram(16000, **_MEL, power=1.0, normalized=True),
    "MFCC": lambda m: m.MFCC(16000, 40, melkwargs=_MEL),
    "MFCC of logarithms": lambda m: m.MFCC(16000, 40, log_mels=True, melkwargs=_MEL),
    "LFCC": lambda m: m.LFCC(16000),
    "centroid": lambda m: m.SpectralCentroid(16000),
}


@check
def transforms() -> str:
    ratios, problems = {}, list[str]()
    for name, make in _TRANSFORMS.items():
        ratio = 0.0
        for lead in ((), (1,), (2, 3)):
            x, modules = noise(*lead, 8001), [make(m.transforms).to(DEVICE) for m in (our_audio, torchaudio)]
            mine = modules[0](x)
            truth = make(torchaudio.transforms).double().to(DEVICE)(x.double())
            with each(problems):
                served()
                ratio = max(ratio, near(mine, modules[1](x), truth, f"{name} {lead}"))
        ratios[name] = round(ratio, 2)
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def filters_and_inverses() -> None:
    z = torch.stft(noise(6, 9001), 400, 200, window=torch.hann_window(400, device=DEVICE), return_complex=True)
    given: dict[str, tuple[Callable[[Any], Any], Tensor]] = {
        "MelScale": (lambda m: m.MelScale(80, 16000, n_stft=201), z.abs().square()),
        "MelScale of what torch lays out": (lambda m: m.MelScale(80, 16000, n_stft=201), z.abs().contiguous()),
        "AmplitudeToDB": (lambda m: m.AmplitudeToDB(top_db=60.0), z.abs().square()),
        "InverseSpectrogram": (lambda m: m.InverseSpectrogram(400, normalized="window"), z.reshape(2, 3, *z.shape[1:])),
    }
    for name, (make, x) in given.items():
        mine = make(our_audio.transforms).to(DEVICE)(x)
        served()
        truth = make(torchaudio.transforms).double().to(DEVICE)(x.to(torch.promote_types(x.dtype, torch.float64)))
        near(mine, make(torchaudio.transforms).to(DEVICE)(x), truth, name)


def _losses(library: Any, audio: Any, dtype: torch.dtype) -> dict[str, Callable[[Tensor], Tensor]]:
    window = torch.hann_window(400, device=DEVICE).to(dtype)
    options = {"n_fft": 400, "hop_length": 100, "window": window}
    mel = audio.transforms.MelSpectrogram(16000, **_MEL).to(DEVICE, dtype)
    magnitude = audio.transforms.Spectrogram(400, power=1.0).to(DEVICE, dtype)
    mfcc = audio.transforms.MFCC(16000, 40, log_mels=True, melkwargs=_MEL).to(DEVICE, dtype)

    def stft(x: Tensor, **more: Any) -> Tensor:
        return library.stft(x, **options, return_complex=True, **more)  # type: ignore[no-any-return]

    return {
        **{
            f"power, {mode}": lambda x, mode=mode: stft(x, pad_mode=mode).abs().square().sum()  # type: ignore[misc]
            for mode in ("reflect", "constant", "replicate", "circular")
        },
        "two-sided": lambda x: stft(x, onesided=False).abs().pow(3).sum(),
        "round trip": lambda x: library.istft(stft(x), **options, length=x.shape[-1]).pow(3).sum(),
        "masked": lambda x: library.istft(stft(x) * stft(x).abs(), **options).pow(2).sum(),
        "mel": lambda x: mel(x).square().mean(),
        "magnitudes": lambda x: magnitude(x).pow(1.5).sum(),
        "MFCC": lambda x: mfcc(x).square().mean(),
    }


@check
def gradients_and_their_gradients() -> str:
    x = noise(2, 5001)
    kinds = {"ours": (ours, our_audio, x), "theirs": (torch, torchaudio, x), "truth": (torch, torchaudio, x.double())}
    ratios, problems = {}, list[str]()
    for name in _losses(torch, torchaudio, torch.float32):
        found: dict[str, list[Tensor]] = {}
        for kind, (library, audio, signal) in kinds.items():
            loss = _losses(library, audio, signal.dtype)[name]
            at = signal.clone().requires_grad_()
            (first,) = torch.autograd.grad(loss(at), at, create_graph=True)
            found[kind] = [first.detach()]
            along = noise(2, 5001, seed=1).to(signal.dtype)
            found[kind] += torch.autograd.grad((first * along).sum(), at, retain_graph=True)
            if kind == "ours":
                served()
        for order, (mine, theirs, truth) in enumerate(zip(*map(found.__getitem__, kinds), strict=True)):
            with each(problems):
                what = f"{'second' if order else 'first'} gradient of {name}"
                ratios[what] = round(near(mine, theirs, truth, what), 2)
    none(problems)
    return f"times torch's errors: {ratios}"


@check
def checkpoints_and_retained_graphs() -> None:
    from torch.utils.checkpoint import checkpoint

    mel = our_audio.transforms.MelSpectrogram(16000, **_MEL).to(DEVICE)
    x = noise(2, 5001).requires_grad_()
    loss = mel(x).square().sum()
    (plain,) = torch.autograd.grad(loss, x, retain_graph=True)
    (again,) = torch.autograd.grad(loss, x)
    (kept,) = torch.autograd.grad(checkpoint(lambda x: mel(x).square().sum(), x, use_reentrant=False), x)
    assert torch.equal(plain, again)
    assert torch.equal(plain, kept)
    served()


@check
def what_is_changed_before_the_backward_pass_is_an_error() -> None:
    window, bank = torch.hann_window(400, device=DEVICE), our_audio.transforms.MelSpectrogram(16000, **_MEL).to(DEVICE)
    x = noise(2, 5001).requires_grad_()
    for loss, tensor in (
        (ours.stft(x, 400, window=window, return_complex=True).abs().sum(), window),
        (bank(x).sum(), bank.mel_scale.fb),
    ):
        tensor.mul_(2)
        try:
            loss.backward()
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error), error
        else:
            raise AssertionError("no error")


@check
def a_changed_bank_is_seen() -> None:
    mel, theirs = (m.transforms.MelSpectrogram(16000, **_MEL).to(DEVICE) for m in (our_audio, torchaudio))
    x = noise(2, 5001)
    mel(x)
    mel.mel_scale.fb.mul_(3)
    assert torch.allclose(mel(x), 3 * theirs(x), rtol=1e-4)
    served()


@check
def one_nan_spoils_its_frames() -> None:
    x, window = noise(2, 9001), torch.hann_window(512, device=DEVICE)
    x[1, 4000] = float("nan")
    z, expected = (m.stft(x, 512, 128, window=window, return_complex=True) for m in (ours, torch))
    assert torch.equal(z.isnan().any(-2), expected.isnan().any(-2))
    assert z.isnan().any()


def _calls() -> dict[str, Callable[[Tensor], Tensor]]:
    window = torch.hann_window(512, device=DEVICE)
    modules = {
        "mel": our_audio.transforms.MelSpectrogram(16000, n_fft=512, n_mels=80),
        "MFCC": our_audio.transforms.MFCC(16000, melkwargs={"n_fft": 512, "n_mels": 80}),
        "centroid": our_audio.transforms.SpectralCentroid(16000, n_fft=512),
        "magnitudes": our_audio.transforms.Spectrogram(512, power=1.0, normalized=True),
    }

    def round_trip(x: Tensor) -> Tensor:
        z = ours.stft(x, 512, 128, window=window, return_complex=True)
        return ours.istft(z, 512, 128, window=window)  # type: ignore[no-any-return]

    def gradient(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def call(x: Tensor) -> Tensor:
            at = x.detach().requires_grad_()
            return torch.autograd.grad(function(at).sum(), at)[0]

        return call

    calls = {"round trip": round_trip, **{name: module.to(DEVICE) for name, module in modules.items()}}
    return {**calls, **{f"{name}, gradient": gradient(calls[name]) for name in ("round trip", "mel", "magnitudes")}}


@check
def nothing_waits_for_the_device() -> None:
    x = noise(2, 9001)
    for name, call in _calls().items():
        call(x)
        torch.cuda.set_sync_debug_mode("error")
        try:
            call(x)
        except RuntimeError as error:
            raise AssertionError(f"{name} waits: {error}") from error
        finally:
            torch.cuda.set_sync_debug_mode("default")
    served()


@check
def graphs() -> None:
    for name, call in _calls().items():
        x = noise(2, 9001)
        call(x)
        compat.reset()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = call(x)
        served()
        x.copy_(noise(2, 9001, seed=3))
        graph.replay()
        assert torch.equal(y, call(x)), name


@check
def a_graph_of_another_shape() -> None:
    x, window = noise(5, 12345), torch.hann_window(512, device=DEVICE)
    ours.stft(noise(2, 9001), 512, 128, window=window, return_complex=True)
    graph = torch.cuda.CUDAGraph()
    compat.reset()
    with torch.cuda.graph(graph):
        z = ours.stft(x, 512, 128, window=window, return_complex=True)
    served()
    graph.replay()
    assert torch.equal(z, ours.stft(x, 512, 128, window=window, return_complex=True))


@check
def a_prewarmed_call_is_captured() -> None:
    mel, x = (
        our_audio.transforms.MelSpectrogram(16000, n_fft=480, n_mels=80).to(DEVICE),
        noise(2, 9001).requires_grad_(),
    )
    compat.prewarm(mel, x)
    compat.reset()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = mel(x)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
    served()
    graph.replay()
    assert torch.equal(y, mel(x))
    assert torch.equal(gradient, torch.autograd.grad(mel(x).square().sum(), x)[0])


@check
def a_kernel_that_a_graph_meets_first_is_torch_s() -> str:
    x, window = noise(2, 9001), torch.hann_window(320, device=DEVICE)
    with compat.numerics("strict"):
        expected = ours.stft(x, 320, 80, window=window, return_complex=True)
    compat.reset()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        z = ours.stft(x, 320, 80, window=window, return_complex=True)
    graph.replay()
    (record,) = compat.report()
    assert "call once before the capture" in record.reason, record
    assert torch.equal(z, expected)
    return record.reason


class _Net(torch.nn.Module):
    def __init__(self, audio: Any) -> None:
        super().__init__()
        self.mel = audio.transforms.MelSpectrogram(16000, **_MEL)
        self.scale = audio.transforms.AmplitudeToDB()
        self.first, self.second = torch.nn.Conv1d(80, 16, 3, padding=1), torch.nn.Conv1d(16, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.scale(self.mel(x)) / 40
        return self.second(torch.relu(self.first(y))).mean((-1, -2))  # type: ignore[no-any-return]


def _trained(audio: Any, graphed: bool = False, nudge: float = 0.0) -> tuple[list[float], float]:
    """Losses of 50 steps, and seconds a step."""
    torch.manual_seed(0)
    net: Any = _Net(audio).to(DEVICE)
    x, target = noise(8, 16000) * (1 + nudge), noise(8, seed=1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    step: Any = torch.cuda.make_graphed_callables(net, (x,)) if graphed else net
    losses = []
    begin = 0.0
    for number in range(50):
        if number == 5:
            torch.cuda.synchronize()
            begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(step(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    torch.cuda.synchronize()
    return [float(loss) for loss in losses], (time.perf_counter() - begin) / 45


@check
def training() -> str:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    (theirs, slow), (mine, quick) = _trained(torchaudio), _trained(our_audio)
    reasons = {(record.function, record.reason) for record in compat.report()}
    assert ("torchaudio.transforms.MelSpectrogram", "") in reasons, reasons
    graphed, fastest = _trained(our_audio, graphed=True)
    assert theirs[-1] < theirs[0], (theirs[0], theirs[-1])
    nudged, _ = _trained(torchaudio, nudge=1e-6)

    def away(found: list[float]) -> float:
        return max(abs(a - b) for a, b in zip(found, theirs, strict=True)) / theirs[0]

    assert max(away(mine), away(graphed)) <= max(1e-3, 3 * away(nudged)), tuple(map(away, (mine, graphed, nudged)))
    return f"a step: torch {slow * 1e3:.2f} ms, ours {quick * 1e3:.2f} ms, in graphs {fastest * 1e3:.2f} ms"


@check
def threads_with_a_stream_each() -> None:
    calls = _calls()
    inputs = [noise(2, 9001, seed=seed) for seed in range(8)]
    expected = [{name: call(x) for name, call in calls.items()} for x in inputs]
    torch.cuda.synchronize()
    wrong: list[str] = []

    def work(number: int) -> None:
        try:
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(20):
                    found = {name: call(inputs[number]) for name, call in calls.items()}
                torch.cuda.current_stream().synchronize()
                wrong.extend(name for name in calls if not torch.equal(found[name], expected[number][name]))
        except Exception:  # noqa: BLE001 - a thread's own would be lost
            wrong.append(traceback.format_exc())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]


@check
def a_thread_that_has_called_nothing_of_cuda_s() -> None:
    x, window, found = noise(2, 9001), torch.hann_window(512, device=DEVICE), list[Tensor]()
    thread = threading.Thread(target=lambda: found.append(ours.stft(x, 512, 128, window=window, return_complex=True)))
    thread.start()
    thread.join()
    served()
    assert torch.equal(found[0], ours.stft(x, 512, 128, window=window, return_complex=True))


@check
def another_device() -> str:
    if torch.cuda.device_count() < 2:
        return "there is one device"
    there = torch.device("cuda", 1)
    for name, make in _TRANSFORMS.items():
        x = noise(2, 9001)
        expected = make(our_audio.transforms).to(DEVICE)(x)
        compat.reset()
        y = make(our_audio.transforms).to(there)(x.to(there))
        served("cuda:1")
        assert y.device == there
        assert torch.allclose(y.to(DEVICE), expected, rtol=1e-4, atol=1e-5), name
    at = noise(2, 9001).to(there).requires_grad_()
    our_audio.transforms.MelSpectrogram(16000, **_MEL).to(there)(at).sum().backward()
    assert torch.cuda.current_device() == 0
    return "two devices"


@check
def what_is_torch_s_goes_to_torch() -> str:
    x, window = noise(2, 9001), torch.hann_window(512, device=DEVICE)
    said = []
    for dtype in (torch.float64, torch.float16):
        options: dict[str, Any] = {"window": window.to(dtype), "return_complex": True}
        assert torch.equal(ours.stft(x.to(dtype), 512, **options), torch.stft(x.to(dtype), 512, **options))
        said.append(compat.report()[0].reason)
        compat.reset()
    assert "float64" in said[0], said
    assert "float16" in said[1], said
    for call in (ours.stft, torch.stft):
        try:
            call(x, 512, window=window.cpu(), return_complex=True)
        except RuntimeError as error:
            said.append(str(error))
    assert said[2] == said[3]
    with torch.autocast("cuda", torch.float16):
        ours.stft(x, 512, window=window, return_complex=True)
    assert any("autocast" in record.reason for record in compat.report())
    return said[0]


@check
def verification_and_a_profile() -> str:
    x = noise(2, 3, 9001)
    state = torch.cuda.get_rng_state()
    with compat.numerics("verify"):
        for make in _TRANSFORMS.values():
            make(our_audio.transforms).to(DEVICE)(x)
        ours.stft(x[0], 400, window=torch.hann_window(400, device=DEVICE), return_complex=True)
    assert torch.equal(state, torch.cuda.get_rng_state())
    verified = [record for record in compat.report() if not record.reason]
    assert verified and not any(record.breaches for record in verified), verified
    compat.reset()
    with compat.profile():
        for make in _TRANSFORMS.values():
            make(our_audio.transforms).to(DEVICE)(x)
    for record in compat.report():
        assert record.seconds > 0 and record.device.startswith("cuda:0"), record
    worst = max(verified, key=lambda record: record.error / record.limit)
    return f"nearest its limit: {worst.function}, {worst.error:.2g} of {worst.limit:.2g}"


@check
def addresses_beyond_32_bits() -> str:
    if torch.cuda.mem_get_info()[0] < 45 << 30:
        return "there is too little memory"
    n_fft = hop = 512
    length = (1 << 31) + 5000
    window, x = torch.ones(n_fft, device=DEVICE), torch.zeros(length, device=DEVICE)
    x[-100_000:] = noise(100_000)
    frames = length // hop
    z = ours.stft(x, n_fft, hop, window=window, center=False, return_complex=True)
    served()
    tail = x[(frames - 50) * hop :]
    expected = torch.stft(tail, n_fft, hop, window=window, center=False, return_complex=True)
    assert z.shape == (n_fft // 2 + 1, frames)
    assert torch.allclose(z[:, -50:], expected, atol=1e-3)
    y = ours.istft(z, n_fft, hop, window=window, center=False)
    served()
    assert torch.allclose(y[-1000:], x[: len(y)][-1000:], atol=1e-4)
    assert not y[:1000].any()
    torch.cuda.empty_cache()
    return f"{z.numel()} bins"


@check
def deterministic_algorithms() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        for call in _calls().values():
            x = noise(2, 9001)
            assert torch.equal(call(x), call(x))
    finally:
        torch.use_deterministic_algorithms(False)
    served()


_NEXT = """
import logging, sys, time
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
import torch
from mlx_spectro.compat import torch as ours
x, window = torch.randn(2, 9001, device="cuda"), torch.hann_window(512, device="cuda")
torch.cuda.synchronize(); begin = time.perf_counter()
ours.stft(x, 512, 128, window=window, return_complex=True); torch.cuda.synchronize()
print(f"the first call took {time.perf_counter() - begin:.3f} s")
"""


@check
def the_next_process_compiles_nothing() -> str:
    ours.stft(noise(2, 9001), 512, 128, window=torch.hann_window(512, device=DEVICE), return_complex=True)
    done = subprocess.run([sys.executable, "-c", _NEXT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compiling the CUDA kernel" not in done.stdout, done.stdout
    return done.stdout.strip().splitlines()[-1]
