"""Why a function is the library's own."""

from __future__ import annotations

from fnmatch import fnmatch

_CONVERSION = "a conversion of numbers, indices or names"
_DESIGN = "makes a filter or window, once for a program"
_ELEMENTWISE = "a few operations on single values, which the library's arrays do as fast"
_CHEAP = "small matrices: little to gain"
_SEARCH = "a search or a program of its own, not a transform"
_LIBRARY = "LAPACK's, or a product of matrices, as torch computes them"
OUTSIDE = "no signal processing"
_CHEAP_EVENTS = "a few events: a tenth of a millisecond"
_LATER = "not ours yet"

# the first pattern that a name matches says why
_WHY = [
    ("torchaudio.functional.*align*", OUTSIDE),
    ("torchaudio.functional.merge_tokens", OUTSIDE),
    ("torchaudio.functional.TokenSpan", OUTSIDE),
    ("torchaudio.functional.rnnt_loss", OUTSIDE),
    ("torchaudio.transforms.RNNTLoss", OUTSIDE),
    ("torchaudio.functional.edit_distance", OUTSIDE),
    ("torchaudio.functional.frechet_distance", OUTSIDE),
    ("torchaudio.functional.gain", _ELEMENTWISE),
    ("torchaudio.functional.contrast", _ELEMENTWISE),
    ("torchaudio.functional.rtf_evd", _LIBRARY),
    ("torchaudio.functional.mvdr_weights_*", _CHEAP),
    ("torchaudio.functional.rtf_power", _CHEAP),
    ("torchaudio.transforms.Fade", _ELEMENTWISE),
    ("torchaudio.transforms.Vol", _ELEMENTWISE),
    ("torchaudio.compliance.kaldi.*", _CONVERSION),
    ("transformers.*_db*", "decibels alone: those of `spectrogram`, which extractors call, are ours"),
    ("transformers.*", _DESIGN),
    ("librosa.load", "reading of files"),
    ("librosa.stream", "reading of files"),
    ("librosa.get_samplerate", "reading of files"),
    ("librosa.?et_fftlib", OUTSIDE),
    ("librosa.get_duration", _CONVERSION),
    ("librosa.util.*example*", OUTSIDE),
    ("librosa.util.cite", OUTSIDE),
    ("librosa.util.*", "a helper for arrays"),
    ("librosa.sequence.*", _SEARCH),
    ("librosa.segment.*", _SEARCH),
    ("librosa.filters.*", _DESIGN),
    ("librosa.feature.delta", "a Savitzky-Golay filter, SciPy's"),
    ("librosa.feature.stack_memory", "a copy"),
    ("librosa.chirp", _ELEMENTWISE),
    ("librosa.tone", _ELEMENTWISE),
    ("librosa.*weighting", _CONVERSION),
    ("librosa.*frequencies", _CONVERSION),
    ("librosa.*_to_*", _CONVERSION),
    ("librosa.*_like", _CONVERSION),
    ("librosa.*intervals", _CONVERSION),
    ("librosa.list_*", _CONVERSION),
    ("librosa.to_m*", _ELEMENTWISE),
    ("librosa.effects.remix", "a copy"),
    ("librosa.onset.onset_backtrack", _CHEAP_EVENTS),
]


def reason(name: str) -> str:
    """Why the public function ``name`` is the library's."""
    return next((why for pattern, why in _WHY if fnmatch(name, pattern)), _LATER)
