"""librosa, with our functions here and in ``core``, ``feature``, ``filters`` and ``onset``."""

import importlib

from ..install import proxy
from ._core import OURS

proxy.stand_in(__name__, "librosa", OURS)
# after the stand-in has taken this module's place, so that it is the one that gets them as attributes
for _name in ("core", "feature", "filters", "onset"):
    importlib.import_module(f".{_name}", __name__)
