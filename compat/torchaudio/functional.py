"""torchaudio.functional, with our functions in place of its own."""

from .. import proxy
from ._decibel import DB_to_amplitude, amplitude_to_DB
from ._designs import create_dct, linear_fbanks, melscale_fbanks
from ._spectra import inverse_spectrogram, spectral_centroid, spectrogram

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
