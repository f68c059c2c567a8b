"""Programs that torch compiles, exports, traces or transforms hold our operators, with gradients and batches."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio
from torch._dynamo.backends.common import aot_autograd
from torch._functorch._aot_autograd.utils import make_boxed_func
from torch._subclasses import FakeTensorMode
from torch.func import functional_call, functionalize, grad, jacrev, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from mlx_spectro import compat
from mlx_spectro.compat import torch as shim_torch
from mlx_spectro.compat import torchaudio as shim
from mlx_spectro.compat.arrays import torch_tensors
from mlx_spectro.compat.contract.decline import Decline
from mlx_spectro.design import notation
from mlx_spectro.design.epilogues import Decibels, Log
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import (
    Deltas,
    DeltasAdjoint,
    Filterbank,
    Istft,
    IstftAdjoint,
    Operator,
    Project,
    Spectrogram,
    Stft,
    StftAdjoint,
)
from mlx_spectro.kernels import cpu

from .torchaudio_modules import KINDS as EVERY_KIND
from .torchaudio_modules import close, given, make, noise, reasons

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("ours"),
    pytest.mark.skipif(not cpu.available(), reason="without numba, operators are torch's own operations"),
]

# sums of up to 64 terms, each rounded, in another order
ROUNDING = 64 * torch.finfo(torch.float32).eps
# of which torchaudio's own are compiled, as they would be without us
THEIRS = ("TimeStretch", "GriffinLim", "Resample", "Deemphasis")
KINDS = [kind for kind in EVERY_KIND if kind not in THEIRS]
SERVED = [kind for kind in KINDS if kind not in ("AmplitudeToDB", "MelScale")]
N, HOP = 64, 16
WINDOW = torch.hann_window(N)


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Graphs:
    """A back end that keeps the graphs that it gets, forward and backward."""

    def __init__(self) -> None:
        self.graphs: list[Any] = []
        self.backend = aot_autograd(fw_compiler=self._keep, bw_compiler=self._keep)

    def _keep(self, graph: Any, _: Any) -> Any:
        self.graphs.append(graph)
        return make_boxed_func(graph.forward)

    def compiled(self, function: Any, **options: Any) -> Any:
        return torch.compile(function, backend=self.backend, fullgraph=True, **options)

    @property
    def operators(self) -> list[str]:
        return [name for graph in self.graphs for name in operators_of(graph)]


def operators_of(graph: Any) -> list[str]:
    """Names of our operators in a graph."""
    nodes = (node for node in graph.graph.nodes if str(node.target) == "mlx_spectro.apply.default")
    return [node.args[0].removeprefix("mlx_spectro 1: ").partition("(")[0] for node in nodes]


def scalar(y: Any) -> Any:
    return y.abs().square().sum()


def gradient(function: Any, x: Any) -> Any:
    x = x.clone().requires_grad_()
    (result,) = torch.autograd.grad(scalar(function(x)), x)
    return result


def stft(x: Any, module: Any = shim_torch, window: Any = WINDOW, **options: Any) -> Any:
    return module.stft(x, N, HOP, window=window, return_complex=True, **options)


def istft(z: Any, module: Any = shim_torch, window: Any = WINDOW, **options: Any) -> Any:
    return module.istft(z, N, HOP, window=window, **options)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("kind", SERVED)
def test_a_module_compiles_to_operators_in_one_graph(kind: str, dynamic: bool) -> None:
    graphs, module, x = Graphs(), make(kind), given(kind)
    compiled = graphs.compiled(module, dynamic=dynamic)
    assert close(compiled(x), module(x), ROUNDING)
    assert graphs.operators
    assert close(gradient(compiled, x), gradient(module, x), ROUNDING)


@pytest.mark.parametrize("kind", ["AmplitudeToDB", "MelScale"])
def test_what_torch_s_compiler_does_best_is_left_to_it(kind: str) -> None:
    graphs, module, x = Graphs(), make(kind), given(kind)
    assert close(graphs.compiled(module)(x), module(x), ROUNDING)
    assert not graphs.operators


def test_functions_compile_once_for_every_length() -> None:
    graphs = Graphs()
    forward, inverse = (graphs.compiled(function, dynamic=True) for function in (stft, istft))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for length in (500, 700, 1600):
            x = noise(2, length)
            assert close(forward(x), stft(x), ROUNDING)
            assert close(inverse(stft(x)), istft(stft(x)), ROUNDING)
    assert graphs.operators == ["Stft", "Istft"]


def test_options_that_are_numbers_of_the_program_may_change() -> None:
    def function(x: Any, n_fft: int, length: int) -> Any:
        window = torch.hann_window(n_fft)
        z = shim_torch.stft(x, n_fft, window=window, return_complex=True)
        return shim_torch.istft(z, n_fft, window=window, length=length)

    graphs, x = Graphs(), noise(500)
    compiled = graphs.compiled(function)
    for n_fft, length in ((64, 500), (32, 500), (48, 400), (48, 300)):
        assert close(compiled(x, n_fft, length), function(x, n_fft, length), ROUNDING)


@pytest.mark.parametrize(
    ("function", "few", "many"),
    [(stft, (1000,), (140_000,)), (istft, (N // 2 + 1, 100), (N // 2 + 1, 8000))],
)
def test_few_samples_are_torch_s_under_its_compiler(function: Any, few: Any, many: Any) -> None:
    graphs = Graphs()
    with compat.route("auto"):
        for shape in (few, many):
            x = noise(*shape) if function is stft else torch.complex(noise(*shape), noise(*shape, seed=1))
            before = len(graphs.operators)
            graphs.compiled(function, dynamic=False)(x)
            assert (len(graphs.operators) > before) is (shape is many)


class Recognizer(torch.nn.Module):
    """A small model of mel spectra."""

    def __init__(self, library: Any) -> None:
        super().__init__()
        self.mel: Any = make("MelSpectrogram", library)
        self.decibels: Any = library.transforms.AmplitudeToDB(top_db=80.0)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv1d(8, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(self.decibels(self.mel(x)) / 80)
        return result


def trained(library: Any, compiling: Callable[[Any], Any]) -> tuple[list[float], Any]:
    """The losses of a few steps, and the first layer's weights."""
    torch.manual_seed(0)
    model = Recognizer(library)
    optimizer: Any = torch.optim.SGD(model.parameters(), lr=0.1)
    forward = compiling(model)
    losses = []
    for step in range(3):
        loss = forward(noise(4, 900, seed=step)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    weights: Any = model.layers[0].weight
    return losses, weights.detach()


def test_a_compiled_model_learns_what_torchaudio_s_learns() -> None:
    graphs = Graphs()
    mine, weights = trained(shim, graphs.compiled)
    theirs, expected = trained(torchaudio, lambda model: model)
    assert mine == pytest.approx(theirs, rel=1e-4)
    assert close(weights, expected)
    assert "Filterbank" in graphs.operators


def test_parts_with_hooks_are_called() -> None:
    called = []
    mel = make("MelSpectrogram")
    mel.mel_scale.register_forward_hook(lambda *_: called.append(1))
    graphs = Graphs()
    compiled: Any = torch.compile(mel, backend=graphs.backend)  # torchaudio's own does not compile in one graph
    assert close(compiled(given("MelSpectrogram")), make("MelSpectrogram")(given("MelSpectrogram")), ROUNDING)
    assert called
    assert "Filterbank" not in graphs.operators


def test_strict_numerics_are_honoured_by_compiled_programs() -> None:
    graphs, x = Graphs(), noise(500)
    compiled = graphs.compiled(stft)
    compiled(x)
    assert graphs.operators == ["Stft"]
    with compat.numerics("strict"):
        assert torch.equal(compiled(x), stft(x, torch))
    count = len(graphs.graphs)
    compiled(x)
    assert (graphs.operators, len(graphs.graphs)) == (["Stft"], count)


def test_a_window_that_is_learned_is_torch_s() -> None:
    graphs = Graphs()
    window = WINDOW.clone().requires_grad_()
    (mine,) = torch.autograd.grad(scalar(graphs.compiled(stft)(noise(500), window=window)), window)
    (theirs,) = torch.autograd.grad(scalar(stft(noise(500), torch, window)), window)
    assert close(mine, theirs, ROUNDING)
    assert not graphs.operators


def test_windows_that_do_not_overlap_raise_torch_s_error_when_the_program_runs() -> None:
    compiled = Graphs().compiled(istft)
    z = stft(noise(500), torch)
    compiled(z)
    with pytest.raises(RuntimeError, match="window overlap add min"):
        compiled(z, window=torch.zeros(N))


def test_what_has_no_engine_when_it_runs_is_torch_s_own_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise Decline("there is no engine")

    for kind in ("MFCC", "InverseSpectrogram", "ComputeDeltas"):
        module, x = make(kind), given(kind)
        compiled = Graphs().compiled(module)
        expected = gradient(compiled, x)
        with monkeypatch.context() as patch:
            patch.setattr(torch_tensors, "present_engine", none)
            assert close(gradient(compiled, x), expected)
        assert "there is no engine" in reasons()


def test_the_inductor_compiles_in_one_graph_on_a_cold_cache(tmp_path: Path) -> None:
    program = """if True:
        import torch
        from mlx_spectro import compat
        from mlx_spectro.compat import torch as shim, torchaudio
        compat.route("ours")
        window = torch.hann_window(64)
        def program(x):
            return shim.istft(shim.stft(x, 64, window=window, return_complex=True).mul(2), 64, window=window)
        x = torch.randn(2, 900)
        mfcc = torchaudio.transforms.MFCC(n_mfcc=5, melkwargs=dict(n_fft=64, n_mels=8))
        for function in (program, mfcc):
            compiled = torch.compile(function, fullgraph=True, dynamic=True)
            for given in (x.requires_grad_(), x.detach()[:, :700]):
                y, expected = compiled(given), function(given)
                assert (y - expected).abs().max() <= 1e-5 * expected.abs().max()
            compiled(x).sum().backward()
        print("compiled")
    """
    result = child(program, TORCHINDUCTOR_CACHE_DIR=str(tmp_path), TORCHINDUCTOR_COMPILE_THREADS="1")
    assert "compiled" in result.stdout, result.stderr


def child(program: str, *arguments: str, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


LENGTHS = {kind: {1 if given(kind).dim() == 2 else given(kind).dim() - 1: torch.export.Dim.DYNAMIC} for kind in KINDS}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", SERVED)
def test_an_exported_program_holds_operators_and_takes_every_length(kind: str, strict: bool) -> None:
    module, x = make(kind), given(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of itself
        program = torch.export.export(module, (x,), dynamic_shapes=(LENGTHS[kind],), strict=strict)
        file = io.BytesIO()
        torch.export.save(program, file)
        file.seek(0)
        again = torch.export.load(file).run_decompositions().module()
    assert operators_of(program)
    longer = torch.cat([x, x], -1)
    assert close(again(longer), module(longer), ROUNDING)


def test_an_exported_program_learns() -> None:
    module, x = make("MFCC"), given("MFCC")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (x,)).module()
    assert close(gradient(program, x), gradient(module, x), ROUNDING)


ELSEWHERE = """if True:
    import sys, warnings
    for name in ("torchaudio", "librosa", "mlx", "mlx.core"):
        sys.modules[name] = None
    warnings.simplefilter("ignore")
    import torch
    if len(sys.argv) > 2:
        __import__(sys.argv[2])
    x = torch.load(sys.argv[1] + "/x.pt")
    y = torch.export.load(sys.argv[1] + "/mel.pt2").module()(x)
    torch.save(y, sys.argv[1] + "/y.pt")
"""


def test_an_exported_program_needs_torch_and_mlx_spectro_alone(tmp_path: Path) -> None:
    module, x = make("MelSpectrogram"), given("MelSpectrogram")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module, (x,)), tmp_path / "mel.pt2")
    torch.save(x, tmp_path / "x.pt")
    refused = child(ELSEWHERE, str(tmp_path))
    assert refused.returncode
    assert "mlx_spectro" in refused.stderr
    loaded = child(ELSEWHERE, str(tmp_path), "mlx_spectro.compat.torch")
    assert not loaded.returncode, loaded.stderr
    assert close(torch.load(tmp_path / "y.pt"), module(x), ROUNDING)


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
@pytest.mark.parametrize("kind", SERVED)
def test_a_trace_holds_operators(kind: str, mode: Any) -> None:
    module, x = make(kind), given(kind)
    buffers = dict(module.named_buffers())
    graph = make_fx(lambda x, buffers: functional_call(module, buffers, (x,)), tracing_mode=mode)(x, buffers)
    assert operators_of(graph)
    assert close(graph(x, buffers), module(x), ROUNDING)


@pytest.mark.parametrize("kind", KINDS)
def test_fake_tensors_have_the_shape_and_memory_of_real_ones(kind: str) -> None:
    module, x = make(kind), given(kind)
    expected = module(x)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = module(mode.from_tensor(x))
    assert (fake.shape, fake.stride(), fake.dtype) == (expected.shape, expected.stride(), expected.dtype)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_fake_tensors_of_a_device_that_is_not_here_are_torch_s(device: str) -> None:
    if torch.get_device_module(device).is_available():
        pytest.skip(f"there is a {device} device")
    with FakeTensorMode():
        z = stft(torch.empty(2, 500, device=device), window=torch.empty(N, device=device))
    assert (z.shape, z.device.type) == ((2, N // 2 + 1, 1 + 500 // HOP), device)
    assert reasons() == {f"there is no {device} device here, where the program is traced"}


# given(kind) in threes
def batch(kind: str) -> Any:
    return torch.stack([given(kind), 2 * given(kind), given(kind).flip(-1)])


@pytest.mark.parametrize("kind", SERVED + ["MelScale"])
def test_vmap_is_a_loop(kind: str) -> None:
    module, x = make(kind), batch(kind)
    expected = torch.stack([module(row) for row in x])
    compat.reset()
    assert close(vmap(module)(x), expected, ROUNDING)
    across = vmap(module, in_dims=1, out_dims=1)(x.transpose(0, 1))
    assert close(across, expected.transpose(0, 1), ROUNDING)
    nested = vmap(vmap(module))(x)
    assert close(nested, torch.stack([torch.stack([module(row) for row in rows]) for rows in x]), ROUNDING)
    assert reasons() == {""}


def test_vmap_over_windows_is_a_loop() -> None:
    x, windows = noise(500), torch.stack([WINDOW, WINDOW + 1])
    expected = torch.stack([stft(x, window=window) for window in windows])
    assert close(vmap(lambda window: stft(x, window=window))(windows), expected, ROUNDING)
    resynthesized = torch.stack([istft(expected[0], window=window) for window in windows])
    assert close(vmap(lambda window: istft(expected[0], window=window))(windows), resynthesized, ROUNDING)


@pytest.mark.parametrize("kind", SERVED + ["MelScale"])
def test_derivatives_by_torch_func_are_autograd_s(kind: str) -> None:
    module, x = make(kind), given(kind)
    expected = gradient(module, x)
    compat.reset()

    def loss(x: Any) -> Any:
        return scalar(module(x))

    assert close(grad(loss)(x), expected, ROUNDING)
    rows = torch.stack([x, x])
    assert close(vmap(grad(loss))(rows), torch.stack([expected, expected]), ROUNDING)
    theirs = make(kind, torchaudio)
    again, reference = (grad(lambda x, m=m: scalar(grad(lambda x: scalar(m(x)))(x)))(x) for m in (module, theirs))
    assert close(again, reference)
    assert reasons() == {""}


NESTED: dict[str, Any] = {
    "vmap": vmap,
    "vmap along another axis": lambda module: vmap(module, in_dims=1, out_dims=1),
    "vmap of vmap": lambda module: vmap(vmap(module)),
    "grad of vmap": lambda module: _gradient_of(vmap(module)),
    "vmap of grad": lambda module: vmap(_gradient_of(module)),
    "grad of vmap of grad": lambda module: _gradient_of(vmap(_gradient_of(module))),
}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("how", NESTED)
@pytest.mark.parametrize("kind", SERVED + ["MelScale"])
def test_what_transforms_of_transforms_give_lies_in_memory_as_torchaudio_s_does(kind: str, how: str) -> None:
    mine, theirs = (NESTED[how](make(kind, library))(batch(kind)) for library in (shim, torchaudio))
    assert close(mine, theirs)
    assert mine.stride() == theirs.stride()
    assert reasons() == {""}


@pytest.mark.parametrize("kind", SERVED)
def test_what_is_functionalized_is_torchaudio_s(kind: str) -> None:
    mine, theirs = (functionalize(make(kind, library))(given(kind)) for library in (shim, torchaudio))
    assert torch.equal(mine, theirs)
    assert "inside torch.func.functionalize, which has to see torch's own operations" in reasons()


def test_a_jacobian_is_the_transform_s() -> None:
    x = noise(100)
    mine, theirs = (jacrev(lambda x, m=module: torch.view_as_real(stft(x, m)))(x) for module in (shim_torch, torch))
    assert close(mine, theirs, ROUNDING)


def _gradient_of(function: Any) -> Any:
    return grad(lambda x: scalar(function(x)))


@pytest.mark.parametrize("transform", [vmap, _gradient_of, lambda function: vmap(_gradient_of(function))])
def test_transforms_compile(transform: Any) -> None:
    graphs, x = Graphs(), noise(2, 500)
    function = transform(stft)
    assert close(graphs.compiled(function)(x), function(x), ROUNDING)
    assert graphs.operators


FRAMING = Framing(N, HOP, N // 2, N // 2, "reflect")
F, T = N // 2 + 1, 1 + 500 // HOP
BANK = noise(F, 8).square()
OPERATORS: list[tuple[Operator, tuple[int, ...], bool, list[Any]]] = [
    (Stft(FRAMING), (2, 500), False, [WINDOW]),
    (Stft(FRAMING, onesided=False), (500,), False, [WINDOW]),
    (StftAdjoint(FRAMING, 500), (2, T, F), True, [WINDOW]),
    (Istft(FRAMING, 500), (2, T, F), True, [WINDOW]),
    (IstftAdjoint(FRAMING, T), (2, 500), False, [WINDOW]),
    (Spectrogram(FRAMING, 1.0), (2, 500), False, [WINDOW]),
    (Filterbank(FRAMING, 2.0), (2, 500), False, [WINDOW, BANK]),
    (Filterbank(FRAMING, 1.5, epilogue=Log(1e-6, added=True)), (2, 500), False, [WINDOW, BANK]),
    (Filterbank(FRAMING, 2.0, epilogue=Decibels(10.0, 1e-10)), (2, 500), False, [WINDOW, BANK]),
    (Project(), (2, T, F), False, [BANK]),
    (Project(transposed=True), (2, T, 8), False, [BANK]),
    (Deltas(2), (2, 50), False, []),
    (DeltasAdjoint(2), (2, 50), False, []),
]


# torch 2.14's own reading of it
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
@pytest.mark.parametrize(("op", "shape", "is_complex", "weights"), OPERATORS)
def test_torch_finds_no_fault_with_the_operator(op: Any, shape: Any, is_complex: bool, weights: Any) -> None:
    x = torch.complex(noise(*shape), noise(*shape, seed=1)) if is_complex else noise(*shape)
    text, size = notation.write(op)
    torch.library.opcheck(torch.ops.mlx_spectro.apply.default, (text, size, x.requires_grad_(), weights))


def test_torch_finds_no_fault_with_the_overlap() -> None:
    torch.library.opcheck(torch.ops.mlx_spectro.with_overlap.default, (WINDOW, HOP, T, N // 2, 400))


def test_a_gradient_that_there_is_not_is_an_error() -> None:
    text, size = notation.write(Stft(FRAMING))
    window = WINDOW.clone().requires_grad_()
    with pytest.raises(NotImplementedError, match="no gradient of its weights"):
        torch.ops.mlx_spectro.apply(text, size, noise(500).requires_grad_(), [window])
