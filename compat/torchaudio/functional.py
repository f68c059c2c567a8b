"""torchaudio.functional, with our functions in place of its own."""

from ..install import proxy
from ._functional.decibels import DB_to_amplitude, amplitude_to_DB
from ._functional.filterbanks import create_dct, linear_fbanks, melscale_fbanks
from ._functional.spectral import inverse_spectrogram, spectral_centroid, spectrogram

_OURS = (
    DB_to_amplitude,
    amplitude_to_DB,
    create_dct,
    inverse_spectrogram,
    linear_fbanks,
    melscale_fbanks,
    spectral_centroid,
    spectrogram,
)
proxy.stand_in(__name__, "torchaudio.functional", _OURS)
