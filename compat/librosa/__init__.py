"""librosa, with our functions here and in ``core``, ``effects``, ``feature``, ``filters`` and ``onset``."""

from ..install import proxy

proxy.stand_in(__name__, "librosa")
