"""torch, with our ``stft`` and ``istft`` in place of its own."""

from ..install import proxy
from ._spectral import istft, stft

proxy.stand_in(__name__, "torch", (stft, istft))
