"""librosa.feature, with our functions in place of its own, and in ``inverse``."""

from ...install import proxy

proxy.stand_in(__name__, "librosa.feature")
