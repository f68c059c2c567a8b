"""librosa, with our functions here and in those of its modules that have a file of their own beside this one."""

from ..install import proxy

proxy.stand_in(__name__, "librosa")
