"""torchaudio.compliance.kaldi, with our functions in place of torchaudio's."""

from ...install import proxy

proxy.stand_in(__name__, "torchaudio.compliance.kaldi")
