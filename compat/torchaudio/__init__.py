"""torchaudio, with our functions and classes in ``functional`` and ``transforms``."""

import importlib

from ..install import proxy

proxy.stand_in(__name__, "torchaudio")
# after the stand-in has taken this module's place, so that it is the one that gets them as attributes
for _name in ("functional", "transforms"):
    importlib.import_module(f".{_name}", __name__)
