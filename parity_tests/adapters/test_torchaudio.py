"""The torchaudio adapters beyond what the parity rows measure: each of our classes is a torchaudio class."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio
from torch.nn.utils import parametrize

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim

from .torchaudio_modules import KINDS, close, each_implementation, each_kind, given, make, noise, reasons

pytestmark = pytest.mark.usefixtures("ours")


@each_kind
def test_instances_and_classes_are_torchaudio_s(kind: str) -> None:
    ours, theirs = getattr(shim.transforms, kind), getattr(torchaudio.transforms, kind)
    assert isinstance(make(kind), theirs)
    assert isinstance(make(kind, torchaudio), ours)
    assert issubclass(ours, theirs)
    assert issubclass(theirs, ours)
    other = "MelScale" if kind != "MelScale" else "MFCC"
    assert not isinstance(make(other), ours)
    assert inspect.signature(ours) == inspect.signature(theirs)


@each_kind
def test_state_and_representation_are_torchaudio_s(kind: str) -> None:
    mine, theirs = make(kind), make(kind, torchaudio)
    assert repr(mine) == repr(theirs)
    assert [name for name, _ in mine.named_modules()] == [name for name, _ in theirs.named_modules()]
    assert dict(mine.named_buffers()).keys() == dict(theirs.named_buffers()).keys()
    state = mine.state_dict()
    assert list(state) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        # under route "ours" the filters are designed in float64, under "auto" they are torchaudio's to the bit
        assert close(state[name], value, 1e-5)
    with compat.route("auto"):
        assert all(torch.equal(a, b) for a, b in zip(make(kind).buffers(), theirs.buffers(), strict=True))
    theirs.load_state_dict(state)
    mine.load_state_dict(theirs.state_dict())


@each_kind
def test_a_pickle_is_torchaudio_s_and_loads_without_us(kind: str) -> None:
    data = pickle.dumps(make(kind))
    assert b"mlx_spectro" not in data
    loaded = pickle.loads(data)
    assert type(loaded) is getattr(torchaudio.transforms, kind)
    assert close(loaded(given(kind)), make(kind)(given(kind)))


def test_a_saved_model_loads_where_we_are_not_installed(tmp_path: Any) -> None:
    model = torch.nn.Sequential(make("MelSpectrogram"), make("AmplitudeToDB"))
    torch.save(model, tmp_path / "model.pt")
    torch.save(given("MelSpectrogram"), tmp_path / "x.pt")
    code = (
        "import sys, warnings; sys.modules['mlx_spectro'] = None\n"
        "import torch, torchaudio\n"
        "model = torch.load('model.pt', weights_only=False)\n"
        "assert type(model[0]) is torchaudio.transforms.MelSpectrogram\n"
        "torch.save(model(torch.load('x.pt')), 'y.pt')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert close(torch.load(tmp_path / "y.pt"), model(given("MelSpectrogram")))


def test_a_saved_module_loads_where_torchaudio_s_classes_alone_are_allowed(tmp_path: Any) -> None:
    parts = ["Spectrogram", "MelScale", "MelSpectrogram", "MFCC", "AmplitudeToDB"]
    allowed = [getattr(torchaudio.transforms, part) for part in parts]
    for kind in ("MelSpectrogram", "MFCC"):
        module = make(kind)
        torch.save(module, tmp_path / "module.pt")
        assert type(module) is getattr(shim.transforms, kind)
        with torch.serialization.safe_globals([*allowed, set, torch.hann_window]):
            loaded = torch.load(tmp_path / "module.pt", weights_only=True)
        assert type(loaded) is getattr(torchaudio.transforms, kind)
        assert close(loaded(given(kind)), module(given(kind)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_module_is_ours_after_it_was_pickled_or_could_not_be(protocol: int) -> None:
    for pickled in (pickle.dumps, pickle._dumps):  # type: ignore[attr-defined]
        module: Any = make("MelSpectrogram")
        ours, theirs = type(module), torchaudio.transforms.MelSpectrogram
        assert type(pickle.loads(pickled(module, protocol))) is theirs
        assert type(module) is ours
        module.unknown = lambda: None
        with pytest.raises((AttributeError, pickle.PicklingError)):
            pickled(module, protocol)
        assert type(module) is ours
        module.__reduce_ex__(protocol)
        assert type(module) is ours


SPAWNING = """
import multiprocessing, sys
from mlx_spectro import compat
from mlx_spectro.compat import torch, torchaudio

X = torch.ones(1000)
transform = torchaudio.transforms.MelSpectrogram(n_fft=64, n_mels=8)

def called(module):
    compat.reset()
    module(X)
    return {(type(part).__module__.partition(".")[0], r.reason) for part in module for r in compat.report()}

class Signals(torch.utils.data.Dataset):
    def __init__(self, module): self.module = module
    def __len__(self): return 1
    def __getitem__(self, i): return str(called(self.module))

if __name__ == "__main__":
    module = torch.nn.Sequential(torchaudio.transforms.MelSpectrogram(n_fft=64, n_mels=8))
    for method in sys.argv[1:]:
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.apply(called, (module,)))
    ((found,),) = torch.utils.data.DataLoader(Signals(module), num_workers=1, multiprocessing_context="spawn")
    print(found)
"""


@pytest.mark.slow
def test_in_a_spawned_process_a_transform_is_ours_and_served(tmp_path: Any) -> None:
    (tmp_path / "program.py").write_text(SPAWNING)
    environment = {**os.environ, "MLX_SPECTRO_ROUTE": "ours"}
    done = subprocess.run(
        [sys.executable, "program.py", "spawn", "forkserver"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str({("mlx_spectro", "")})] * 3


@each_implementation
@each_kind
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_ours(kind: str, copied: Callable[[Any], Any]) -> None:
    module = make(kind)
    twin = copied(module)
    assert type(twin) is type(module)
    assert torch.equal(twin(given(kind)), module(given(kind)))
    for mine, other in zip(module.buffers(), twin.buffers(), strict=True):
        assert (mine.data_ptr() == other.data_ptr()) == (copied is copy.copy)
    assert reasons() == {""}


class Halved(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x / 2


@pytest.mark.parametrize(
    ("kind", "part", "name"),
    [
        ("Spectrogram", "", "window"),
        ("MelScale", "", "fb"),
        ("MFCC", "MelSpectrogram.mel_scale", "fb"),
        ("MFCC", "", "dct_mat"),
    ],
)
def test_a_module_with_parametrizations_is_used_and_copied(kind: str, part: str, name: str) -> None:
    results = []
    for library in (shim, torchaudio):
        module = make(kind, library)
        parametrize.register_parametrization(module.get_submodule(part), name, Halved())
        twin = copy.deepcopy(module)
        assert type(twin) is type(module)
        assert twin.get_submodule(part).parametrizations is not module.get_submodule(part).parametrizations
        results += [module(given(kind)), twin(given(kind))]
    assert torch.equal(results[0], results[1])
    assert close(results[0], results[2])


@each_kind
def test_to_double_follows_torchaudio(kind: str, implementation: str) -> None:
    x = given(kind)
    x = x.to(torch.promote_types(x.dtype, torch.float64))
    mine, theirs = make(kind).to(torch.float64), make(kind, torchaudio).to(torch.float64)
    result, expected = mine(x), theirs(x)
    assert result.dtype == expected.dtype
    assert close(result, expected, 1e-5)
    if implementation == "host":
        assert reasons() == {""}


@each_implementation
def test_a_filterbank_changed_in_place_is_seen() -> None:
    module, expected = make("MelSpectrogram"), make("MelSpectrogram")(given("MelSpectrogram"))
    module.mel_scale.fb.mul_(2)
    module.spectrogram.window.mul_(3)
    assert close(module(given("MelSpectrogram")), 18 * expected)
    assert reasons() == {""}


def test_a_window_function_and_its_arguments_are_used() -> None:
    module = shim.transforms.Spectrogram(64, window_fn=torch.hamming_window, wkwargs={"periodic": False})
    theirs = torchaudio.transforms.Spectrogram(64, window_fn=torch.hamming_window, wkwargs={"periodic": False})
    assert torch.equal(module.window, theirs.window)
    assert close(module(noise(900)), theirs(noise(900)))


@each_implementation
@each_kind
def test_hooks_of_the_module_run(kind: str) -> None:
    module: Any = make(kind)
    seen: list[str] = []

    def after(module: Any, args: Any, result: Any) -> Any:
        seen.append("after")
        return result + 1

    module.register_forward_pre_hook(lambda module, args: seen.append("before"))
    module.register_forward_hook(after)
    assert close(module(given(kind)), make(kind)(given(kind)) + 1)
    assert seen == ["before", "after"]
    assert reasons() == {""}


def test_hooks_of_submodules_run() -> None:
    for kind, path in (
        ("MelSpectrogram", "spectrogram"),
        ("MFCC", "MelSpectrogram.mel_scale"),
        ("LFCC", "Spectrogram"),
    ):
        module: Any = make(kind)
        seen: list[Any] = []
        module.get_submodule(path).register_forward_hook(lambda module, args, result, seen=seen: seen.append(result))
        expected = make(kind, torchaudio)(given(kind))
        assert close(module(given(kind)), expected)
        assert len(seen) == 1
        assert any("carries hooks" in reason for reason in reasons())
        compat.reset()


def test_a_submodule_that_is_replaced_is_called() -> None:
    class Twice(torchaudio.transforms.MelScale):
        def forward(self, specgram: Any) -> Any:
            return 2 * super().forward(specgram)

    module = make("MelSpectrogram")
    expected = 2 * module(given("MelSpectrogram"))
    module.mel_scale = Twice(n_mels=8, n_stft=33)
    assert close(module(given("MelSpectrogram")), expected)
    assert "the submodule Twice is not a class of torchaudio's own" in reasons()


def test_filters_over_two_sided_spectra_are_torchaudio_s() -> None:
    results = []
    for library in (shim, torchaudio):
        module = make("MelSpectrogram", library)
        module.spectrogram.onesided = False
        module.mel_scale = library.transforms.MelScale(n_mels=8, n_stft=64)
        results.append(module(given("MelSpectrogram")))
    assert close(*results)
    assert any(reason.startswith("onesided is False") for reason in reasons())


@each_implementation
@each_kind
def test_a_program_s_subclass_is_served(kind: str) -> None:
    kinds: Any = getattr(shim.transforms, kind)

    class Program(kinds):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * 2

    assert close(Program(**KINDS[kind])(given(kind)), 2 * make(kind)(given(kind)))
    assert reasons() == {""}
    assert not isinstance(make(kind), Program)
    assert not issubclass(kinds, Program)


BASE: Any = shim.transforms.MelSpectrogram


class Louder(BASE):
    """What a program may define and save."""

    gain = 1.0

    def forward(self, waveform: Any) -> Any:
        return self.gain * super().forward(waveform)


def test_a_program_s_subclass_keeps_its_type_and_attributes() -> None:
    louder = Louder(n_fft=64, n_mels=8)
    louder.gain = 3.0
    for twin in (pickle.loads(pickle.dumps(louder)), copy.copy(louder), copy.deepcopy(louder)):
        assert type(twin) is Louder
        assert close(twin(given("MelSpectrogram")), 3 * make("MelSpectrogram")(given("MelSpectrogram")))


def test_a_sequence_of_modules_is_served_with_the_caller_s_place() -> None:
    model = torch.nn.Sequential(make("MelSpectrogram"), make("AmplitudeToDB"))
    theirs = torch.nn.Sequential(make("MelSpectrogram", torchaudio), make("AmplitudeToDB", torchaudio))
    assert close(model(given("MelSpectrogram")), theirs(given("MelSpectrogram")))
    assert {(record.file, record.reason) for record in compat.report()} == {(__file__, "")}


class Clips(torch.utils.data.Dataset[Any]):
    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        torch.set_num_threads(1)
        return self.transform(noise(2, 9000, seed=index))


@each_implementation
def test_workers_of_a_data_loader_never_hang() -> None:
    clips = Clips(make("MelSpectrogram"))
    expected = torch.stack([clips[i] for i in range(4)])
    loader = torch.utils.data.DataLoader(clips, batch_size=2, num_workers=2, multiprocessing_context="fork", timeout=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns that forking a process with threads may hang, which is the point
        assert close(torch.cat(list(loader)), expected)


@each_implementation
@each_kind
def test_arrays_come_back_as_they_came(kind: str) -> None:
    import mlx.core as mx

    x, module = given(kind), make(kind)
    expected = module(x).numpy()
    for convert, back in ((lambda t: t.numpy(), np.ndarray), (lambda t: mx.array(t.numpy()), mx.array)):
        result = module(convert(x))
        assert isinstance(result, back)
        np.testing.assert_array_equal(np.array(result), expected)
    assert reasons() == {""}


@pytest.mark.parametrize("least", [1.0, 1e-30, 1e-36, 1e-38, 1e-41])
def test_a_centroid_of_next_to_nothing_is_as_near_as_torchaudio_s(least: float) -> None:
    x = noise(2, 900)
    x[:, 450:] *= least
    x[1, :300] = 0
    mine, theirs = (make("SpectralCentroid", library) for library in (shim, torchaudio))
    truth = make("SpectralCentroid", torchaudio).double()(x.double())
    result, expected = mine(x), theirs(x)
    finite = expected.isfinite()
    assert torch.equal(result.isfinite(), finite)
    errors = [float((each[finite] - truth[finite]).abs().max()) for each in (result, expected)]
    # of the highest frequency, 8000, a rounding of each of the 33 magnitudes
    assert errors[0] <= max(2 * errors[1], 33 * 8000 * torch.finfo(torch.float32).eps)
    assert (reasons() == {""}) == (least == 1.0)
