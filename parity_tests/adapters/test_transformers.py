"""Feature extractors of transformers, made here without weights."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

transformers = pytest.importorskip("transformers")

from mlx_spectro import compat
from mlx_spectro.kernels import cpu

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

# extractors, and which of our functions they call
EXTRACTORS = {
    "Whisper": "torch.stft",
    "AST": "torchaudio.compliance.kaldi.fbank",
    "Speech2Text": "torchaudio.compliance.kaldi.fbank",
    "Clap": "transformers.audio_utils.spectrogram",
    "SeamlessM4T": "transformers.audio_utils.spectrogram",
    "SpeechT5": "transformers.audio_utils.spectrogram",
    "MusicgenMelody": "torchaudio.transforms.Spectrogram",
}


def extract(name: str, audio: Any) -> Any:
    extractor = getattr(transformers, f"{name}FeatureExtractor")()
    name_of_audio = "audio_target" if name == "SpeechT5" else "raw_speech"
    arguments = {name_of_audio: audio} if name == "SpeechT5" else {}
    positional = () if arguments else (audio,)
    return extractor(*positional, **arguments, sampling_rate=extractor.sampling_rate, return_tensors="np")


@pytest.mark.parametrize(("name", "function"), EXTRACTORS.items())
def test_an_extractor_is_served_within_the_limits(name: str, function: str) -> None:
    rng = np.random.default_rng(0)
    audio = (0.1 * rng.standard_normal(40_000)).astype(np.float32)
    theirs = extract(name, audio)
    compat.install()
    try:
        compat.reset()
        with compat.numerics("verify"), compat.route("ours"):
            ours = extract(name, audio)
    finally:
        compat.uninstall()
    assert {record.function for record in compat.report() if not record.reason} == {function}
    for key, value in theirs.items():
        assert (ours[key].shape, ours[key].dtype) == (value.shape, value.dtype)


def test_an_extractor_that_is_imported_later_is_served() -> None:
    code = """
import numpy as np
from mlx_spectro import compat
compat.install("transformers")
from transformers import SeamlessM4TFeatureExtractor
SeamlessM4TFeatureExtractor()(np.sin(np.arange(16000)), sampling_rate=16000)
(record,) = compat.report()
print(record.function, record.reason or "ours")
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "transformers.audio_utils.spectrogram ours\n", done.stderr


def test_install_imports_nothing_of_transformers() -> None:
    code = """
import sys
from mlx_spectro import compat
compat.install()
print([name for name in sys.modules if name.startswith("transformers")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_of_another_version_s_signature_the_library_s_own_is_left() -> None:
    code = """
from transformers import audio_utils
def spectrogram(waveform, hop):
    return hop
audio_utils.spectrogram = spectrogram
from mlx_spectro import compat
compat.install()
print(audio_utils.spectrogram is spectrogram, audio_utils.spectrogram_batch.__module__)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True mlx_spectro.compat.transformers._audio_utils\n", done.stderr
