"""librosa.core, with our functions in place of its own."""

from ..install import proxy
from ._core import OURS

proxy.stand_in(__name__, "librosa.core", OURS)
