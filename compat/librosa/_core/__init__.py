"""Our functions that librosa shows both in its own name and in ``core``'s."""

from .decibels import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db
from .spectrum import istft, magphase, stft

OURS = (amplitude_to_db, db_to_amplitude, db_to_power, istft, magphase, power_to_db, stft)
