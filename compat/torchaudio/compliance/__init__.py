"""torchaudio.compliance, with our functions in ``kaldi``."""

from ...install import proxy

proxy.stand_in(__name__, "torchaudio.compliance")
