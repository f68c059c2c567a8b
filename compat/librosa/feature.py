"""librosa.feature, with our functions in place of its own."""

from ..install import proxy
from ._feature.descriptors import (
    spectral_bandwidth,
    spectral_centroid,
    spectral_contrast,
    spectral_flatness,
    spectral_rolloff,
)
from ._feature.energy import rms, zero_crossing_rate
from ._feature.mel import chroma_stft, melspectrogram, mfcc

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
