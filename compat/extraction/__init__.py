"""Features of whole data sets: the command ``mlx-spectro extract``, the function, and what pipelines of others map."""

from .features import FeatureExtractor
from .folder import Extraction, ExtractionError, extract

__all__ = ["Extraction", "ExtractionError", "FeatureExtractor", "extract"]
