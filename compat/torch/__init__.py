"""torch, with our ``stft`` and ``istft`` in place of its own."""

from ..install import proxy

proxy.stand_in(__name__, "torch")
