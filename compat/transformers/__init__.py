"""transformers, with our functions in those of its modules that have a file of their own beside this one."""

from ..install import proxy

# which imports torch, torchaudio and soundfile
proxy.stand_in(__name__, "transformers", later=("audio_utils",))
