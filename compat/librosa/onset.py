"""librosa.onset, with our functions in place of its own."""

from ..install import proxy
from ._onset import onset_strength, onset_strength_multi

proxy.stand_in(__name__, "librosa.onset", (onset_strength, onset_strength_multi))
