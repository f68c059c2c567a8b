"""Programs where torchaudio is not installed, or does not load: the same names, the same numbers."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

RUN = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "torchaudio":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

if sys.argv[1] == "without":
    sys.meta_path.insert(0, Hide())
sys.argv = ["mlx-spectro", *sys.argv[2:]]
from mlx_spectro.compat.runner import cli

cli.main()
"""
TRAINING = """
import torch
import torchaudio
import torchaudio.compliance.kaldi as kaldi
import torchaudio.functional as F
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram, Resample, SpecAugment, SpeedPerturbation

print(torchaudio.__name__, F.__name__, kaldi.__name__, MelSpectrogram.__module__)
torch.manual_seed(1)
audio = 0.1 * torch.randn(4, 22050)
resample, perturb = Resample(22050, 16000), SpeedPerturbation(16000, [0.9, 1.0, 1.1])
features = torch.nn.Sequential(MelSpectrogram(16000, n_fft=400, n_mels=40), AmplitudeToDB("power", 80.0))
augment = SpecAugment(2, 20, 2, 8)
model = torch.nn.Linear(40 + 23, 3)
optimizer = torch.optim.SGD(model.parameters(), 1e-4)
target = torch.tensor([0, 1, 2, 0])
for step in range(5):
    x, _ = perturb(resample(audio))
    x = F.highpass_biquad(F.preemphasis(x), 16000, 60.0)
    mels = augment(features(x)).mean(-1)
    energies = torch.stack([kaldi.fbank(one[None] * 32768, dither=1.0).mean(0) for one in x])
    loss = torch.nn.functional.cross_entropy(model(torch.cat([mels, energies], 1)), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, x.shape[-1], f"{loss.item():.5f}")
torch.save(features, "features.pt")
print(sorted(features.state_dict()), f"{model.weight.norm().item():.5f}")
"""
# what torchaudio's own state is read by, and says
STATE = """
import pickle, sys, torch
modules = pickle.load(open("modules.pickle", "rb"))
results = [module(x) for module, x in modules]
pickle.dump([(type(module).__module__, y if isinstance(y, tuple) else (y,))
             for (module, _), y in zip(modules, results)], open("results.pickle", "wb"))
"""


def run(how: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    command = [sys.executable, "-W", "ignore", "-c", RUN, how, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, env=variables)


def write(folder: Path, source: str) -> str:
    path = folder / "program.py"
    path.write_text(source)
    return str(path)


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def printed(source: str, cwd: Path) -> Any:
    """What a program prints as JSON where there is no torchaudio."""
    return json.loads(said(run("without", write(cwd, source), cwd=cwd)))


def test_training_comes_to_the_same_numbers(tmp_path: Path) -> None:
    program = write(tmp_path, TRAINING)
    plainly = said(run("with", program, cwd=tmp_path))
    assert plainly.startswith("torchaudio torchaudio.functional torchaudio.compliance.kaldi torchaudio.transforms._tr")
    assert said(run("without", program, cwd=tmp_path)) == plainly


def test_a_torchaudio_that_does_not_load_is_replaced(tmp_path: Path) -> None:
    package = tmp_path / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text("from . import _extension\n")
    (package / "_extension.py").write_text("raise OSError('libtorchaudio.so: undefined symbol: _ZN3c10')\n")
    program = write(
        tmp_path,
        "import torch, torchaudio\n"
        "print(torchaudio.transforms.Resample(8000, 4000)(torch.ones(100)).shape, torchaudio.__version__)\n",
    )
    places = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = run("with", program, cwd=tmp_path, PYTHONPATH=places)
    assert "torch.Size([50]) 2.11.0+mlx.spectro" in said(done)
    assert "torchaudio does not load" in done.stderr and "undefined symbol" in done.stderr


@pytest.mark.parametrize("way", ["import torchaudio", "from mlx_spectro.compat import torchaudio"])
def test_kernels_serve_where_definitions_are_plain(way: str, tmp_path: Path) -> None:
    served = printed(
        f"import json, torch\n{way}\n"
        "from mlx_spectro import compat\n"
        "x = 0.1 * torch.randn(2, 8000)\n"
        "mel = torchaudio.transforms.MelSpectrogram(8000, n_mels=20)\n"
        "compat.reset()\n"
        "with compat.route('ours'):\n"
        "    mel(x)\n"
        "    torchaudio.functional.lfilter(x, torch.tensor([1.0, -0.5]), torch.tensor([1.0, 0.5]))\n"
        "    torchaudio.compliance.kaldi.fbank(x)\n"
        "print(json.dumps([[one.function, one.reason] for one in compat.report()]))\n",
        tmp_path,
    )
    names = ("transforms.MelSpectrogram", "functional.lfilter", "compliance.kaldi.fbank")
    assert sorted(served) == sorted([f"torchaudio.{name}", ""] for name in names)


def test_pickled_modules_of_torchaudio_load_and_give_its_results(tmp_path: Path) -> None:
    torchaudio = pytest.importorskip("torchaudio")
    T, x = torchaudio.transforms, 0.1 * torch.randn(2, 4000)
    modules = [T.MFCC(8000, 13, melkwargs={"n_mels": 20}), T.Resample(8000, 6000), T.Speed(8000, 1.1), T.Fade(10, 20)]
    (tmp_path / "modules.pickle").write_bytes(pickle.dumps([(module, x) for module in modules]))
    said(run("without", write(tmp_path, STATE), cwd=tmp_path))
    results = pickle.loads((tmp_path / "results.pickle").read_bytes())
    for module, (where, ours) in zip(modules, results, strict=True):
        assert where == type(module).__module__
        theirs = module(x)
        for one, other in zip(ours, theirs if isinstance(theirs, tuple) else (theirs,), strict=True):
            assert other is None or torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


SCRIPTED = """
import torch
import torchaudio.functional as F

class Net(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        a, b = torch.tensor([1.0, -0.9, 0.3]), torch.tensor([0.5, 0.2, 0.1])
        return F.lfilter(x, a, b), F.overdrive(x, 10.0, 30.0)

torch.jit.script(Net()).save("net.pt")
"""
# operations by name, with outputs before the first ones, and a scripted file
OPERATIONS = """
import pickle, torch, torchaudio
g = torch.Generator().manual_seed(0)
x, a, padded = torch.randn(2, 3, 50, generator=g), 0.3 * torch.randn(3, 4, generator=g), torch.zeros(2, 3, 53)
padded[..., :3] = torch.randn(2, 3, 3, generator=g)
ops = torch.ops.torchaudio
short = torch.nn.functional.pad(torch.ones(2, 3, 3), (0, 2))
results = [ops._lfilter_core_loop(x, a, padded), padded, ops._lfilter_core_loop(x[..., :2].contiguous(), a, short)]
audio, saturated, *last = (torch.randn(*shape, generator=g) for shape in ((3, 40), (3, 40), (3,), (3,)))
results += ops._overdrive_core_loop(audio, saturated, *last, torch.zeros(3, 40))
labels = torch.tensor([[1, 2, 2]], dtype=torch.int32)
lengths = torch.tensor([9]), torch.tensor([3])
results += ops.forced_align(torch.randn(1, 9, 5, generator=g).log_softmax(-1), labels, *lengths, 0)
results += torch.jit.load("net.pt")(audio)
pickle.dump(results, open("results.pickle", "wb"))
"""


def test_scripted_files_find_the_operations_of_torchaudio_s_extension(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    said(run("with", write(tmp_path, SCRIPTED), cwd=tmp_path))
    results = []
    for how in ("with", "without"):
        said(run(how, write(tmp_path, OPERATIONS), cwd=tmp_path))
        results.append(pickle.loads((tmp_path / "results.pickle").read_bytes()))
    for theirs, ours in zip(*results, strict=True):
        # sums that come back, of numbers of about 1, each rounded
        assert ours.dtype == theirs.dtype
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_uninstall_leaves_no_torchaudio_to_be_found(tmp_path: Path) -> None:
    found = printed(
        "import importlib.util, json, sys\n"
        "from mlx_spectro import compat\n"
        "before = importlib.util.find_spec('torchaudio') is not None\n"
        "compat.uninstall()\n"
        "try:\n"
        "    after = importlib.util.find_spec('torchaudio') is not None\n"
        "except ImportError:\n"
        "    after = False\n"
        "print(json.dumps([before, after]))\n",
        tmp_path,
    )
    assert found == [True, False]


MISSING = {
    "from torchaudio.models import Wav2Vec2Model": "transformers",
    "from torchaudio.models.decoder import ctc_decoder": "flashlight-text",
    "torchaudio.pipelines.HUBERT_BASE": "transformers",
    "torchaudio.datasets.LIBRISPEECH": "datasets",
    "torchaudio.load_with_torchcodec": "torchcodec",
    "torchaudio.functional.rnnt_loss(1, 2, 3, 4)": "k2",
    "torchaudio.transforms.RNNTLoss()(1, 2, 3, 4)": "k2",
    "torch.ops.torchaudio.rnnt_loss_forward(*4 * [torch.ones(2)], 0, 0.0, True)": "k2",
}


def test_what_is_missing_names_what_to_take_instead(tmp_path: Path) -> None:
    *names, told = printed(
        "import json, torch, torchaudio\n"
        "told = []\n"
        f"for use in {list(MISSING)}:\n"
        "    try:\n"
        "        exec(use)\n"
        "    except Exception as error:\n"
        "        told.append(str(error))\n"
        "print(json.dumps([hasattr(torchaudio, 'sox_effects'), hasattr(torchaudio.models, 'nothing'), told]))\n",
        tmp_path,
    )
    for message, instead in zip(told, MISSING.values(), strict=True):
        assert instead in message and "install torchaudio" in message
    # what torchaudio has none of
    assert names == [False, False]


def test_nothing_plain_is_imported_where_there_is_torchaudio(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    program = write(
        tmp_path,
        "import sys, torchaudio\n"
        "from mlx_spectro.compat import torchaudio as ours\n"
        "ours.transforms.MelSpectrogram()\n"
        "print([name for name, one in sys.modules.items() if '/plain/' in (getattr(one, '__file__', '') or '')])\n",
    )
    assert said(run("with", program, cwd=tmp_path)) == "[]\n"
