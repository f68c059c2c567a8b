"""librosa, with our functions here and in those of its modules that have a file of their own beside this one."""

from ..install import proxy

# with librosa 0.11, these import scikit-learn
proxy.stand_in(__name__, "librosa", later=("beat", "decompose", "effects", "segment"))
