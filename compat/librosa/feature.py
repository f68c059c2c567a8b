"""librosa.feature, with our functions in place of its own."""

from .. import proxy
from ._descriptors import (
    spectral_bandwidth,
    spectral_centroid,
    spectral_contrast,
    spectral_flatness,
    spectral_rolloff,
)
from ._energy import rms, zero_crossing_rate
from ._mel import chroma_stft, melspectrogram, mfcc

_OURS = (
    chroma_stft,
    melspectrogram,
    mfcc,
    rms,
    spectral_bandwidth,
    spectral_centroid,
    spectral_contrast,
    spectral_flatness,
    spectral_rolloff,
    zero_crossing_rate,
)
proxy.stand_in(__name__, "librosa.feature", _OURS)
