"""librosa.feature.inverse, with our functions in place of librosa's."""

from ...install import proxy

proxy.stand_in(__name__, "librosa.feature.inverse")
