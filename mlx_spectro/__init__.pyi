# Every public name and the module that defines it: the only list of them, which __init__.py reads too.

from .compat.extraction import FeatureExtractor as FeatureExtractor, extract as extract
from .compat.streaming import (
    StreamingISTFT as StreamingISTFT,
    StreamingMelSpectrogram as StreamingMelSpectrogram,
    StreamingSTFT as StreamingSTFT,
)
from .design.framing import resolve_fft_params as resolve_fft_params
from .diagnostics import (
    get_cache_debug_stats as get_cache_debug_stats,
    reset_cache_debug_stats as reset_cache_debug_stats,
    spec_mlx_device_key as spec_mlx_device_key,
)
from .features.bundle import (
    SpectralFeatureTransform as SpectralFeatureTransform,
    spectral_features as spectral_features,
)
from .features.chroma import chroma_stft as chroma_stft
from .features.descriptors import (
    spectral_bandwidth as spectral_bandwidth,
    spectral_centroid as spectral_centroid,
    spectral_contrast as spectral_contrast,
    spectral_flatness as spectral_flatness,
    spectral_rolloff as spectral_rolloff,
)
from .features.energy import rms as rms, zero_crossing_rate as zero_crossing_rate
from .features.filterbank import FilteredSpectrogramTransform as FilteredSpectrogramTransform
from .features.mel import (
    LogMelSpectrogramTransform as LogMelSpectrogramTransform,
    MelSpectrogramTransform as MelSpectrogramTransform,
    melscale_fbanks as melscale_fbanks,
)
from .features.mfcc import MFCCTransform as MFCCTransform, dct_matrix as dct_matrix, mfcc as mfcc
from .features.onset import onset_strength as onset_strength, onset_strength_multi as onset_strength_multi
from .features.overlap_add import waveform_overlap_add as waveform_overlap_add
from .features.stft import SpectralTransform as SpectralTransform, get_transform_mlx as get_transform_mlx
from .features.windows import make_window as make_window
from .kernels.cpu import get_num_threads as get_num_threads, set_num_threads as set_num_threads
from .features.decibels import amplitude_to_db as amplitude_to_db
from .types import (
    CenterPadMode as CenterPadMode,
    CenterTailPad as CenterTailPad,
    FilteredOutputScale as FilteredOutputScale,
    ISTFTBackendPolicy as ISTFTBackendPolicy,
    LogMelMode as LogMelMode,
    MelMode as MelMode,
    MelNorm as MelNorm,
    MelOutputScale as MelOutputScale,
    MelScale as MelScale,
    STFTOutputLayout as STFTOutputLayout,
    WindowLike as WindowLike,
)

__version__: str
