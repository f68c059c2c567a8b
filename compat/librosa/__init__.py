"""librosa, with our functions here and in ``core``, ``feature``, ``filters`` and ``onset``."""

import importlib

from .. import proxy
from ._decibel import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db
from ._spectrum import istft, magphase, stft

CORE = (amplitude_to_db, db_to_amplitude, db_to_power, istft, magphase, power_to_db, stft)
proxy.stand_in(__name__, "librosa", CORE)
# after the stand-in has taken this module's place, so that it is the one that gets them as attributes
for _name in ("core", "feature", "filters", "onset"):
    importlib.import_module(f".{_name}", __name__)
