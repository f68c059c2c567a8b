"""librosa.core, with our functions in place of its own."""

from .. import proxy
from ._decibel import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db
from ._spectrum import istft, magphase, stft

_OURS = (amplitude_to_db, db_to_amplitude, db_to_power, istft, magphase, power_to_db, stft)
proxy.stand_in(__name__, "librosa.core", _OURS)
