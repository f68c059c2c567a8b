"""torchaudio.transforms, with our classes in place of its own."""

from ..install import proxy
from ._transforms.spectral import (
    LFCC,
    MFCC,
    AmplitudeToDB,
    InverseSpectrogram,
    MelScale,
    MelSpectrogram,
    SpectralCentroid,
    Spectrogram,
)

_OURS = (AmplitudeToDB, InverseSpectrogram, LFCC, MFCC, MelScale, MelSpectrogram, SpectralCentroid, Spectrogram)
proxy.stand_in(__name__, "torchaudio.transforms", _OURS)
