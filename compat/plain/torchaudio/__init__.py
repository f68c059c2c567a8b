"""torchaudio's signal processing, of torch's operations, for where torchaudio is missing or does not load.

What is no signal processing raises an error that says where to have it instead.
"""

from . import _operators as _operators  # which tells torch of them
from . import compliance, datasets, functional, models, pipelines, transforms, utils
from ._files import AudioMetaData, info, load, save
from ._missing import missing
from .version import __version__, git_version

__all__ = [
    "AudioMetaData",
    "__version__",
    "compliance",
    "datasets",
    "functional",
    "git_version",
    "info",
    "load",
    "models",
    "pipelines",
    "save",
    "transforms",
    "utils",
]

__getattr__ = missing(
    "torchaudio", ("load_with_torchcodec", "save_with_torchcodec"), "torchcodec's AudioDecoder and AudioEncoder do this"
)
