# Every public name and the module that defines it: the only list of them, which __init__.py reads too.

from .compat.extraction import FeatureExtractor as FeatureExtractor, extract as extract
from .compat.streaming import (
    StreamingISTFT as StreamingISTFT,
    StreamingMelSpectrogram as StreamingMelSpectrogram,
    StreamingSTFT as StreamingSTFT,
)
from .design.framing import resolve_fft_params as resolve_fft_params
from .design.starts import frame_starts as frame_starts
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
from .features.constantq import cqt as cqt, vqt as vqt
from .features.descriptors import (
    spectral_bandwidth as spectral_bandwidth,
    spectral_centroid as spectral_centroid,
    spectral_contrast as spectral_contrast,
    spectral_flatness as spectral_flatness,
    spectral_rolloff as spectral_rolloff,
)
from .features.emphasis import deemphasis as deemphasis, preemphasis as preemphasis
from .features.energy import rms as rms, zero_crossing_rate as zero_crossing_rate
from .features.filterbank import FilteredSpectrogramTransform as FilteredSpectrogramTransform
from .features.framed import stft_at as stft_at
from .features.griffinlim import griffinlim as griffinlim
from .features.hpss import hpss as hpss
from .features.log_banks import (
    log_fbanks as log_fbanks,
    rectangular_fbanks as rectangular_fbanks,
    triangular_fbanks as triangular_fbanks,
)
from .features.mel import (
    LogMelSpectrogramTransform as LogMelSpectrogramTransform,
    MelSpectrogramTransform as MelSpectrogramTransform,
    melscale_fbanks as melscale_fbanks,
)
from .features.mfcc import MFCCTransform as MFCCTransform, dct_matrix as dct_matrix, mfcc as mfcc
from .features.onset import onset_strength as onset_strength, onset_strength_multi as onset_strength_multi
from .features.onset_functions import (
    complex_domain as complex_domain,
    complex_flux as complex_flux,
    high_frequency_content as high_frequency_content,
    modified_kullback_leibler as modified_kullback_leibler,
    normalized_weighted_phase_deviation as normalized_weighted_phase_deviation,
    phase_deviation as phase_deviation,
    rectified_complex_domain as rectified_complex_domain,
    spectral_difference as spectral_difference,
    spectral_flux as spectral_flux,
    superflux as superflux,
    weighted_phase_deviation as weighted_phase_deviation,
)
from .features.overlap_add import waveform_overlap_add as waveform_overlap_add
from .features.multiresolution import multiresolution_spectrogram as multiresolution_spectrogram
from .features.phase_vocoder import phase_vocoder as phase_vocoder, time_stretch as time_stretch
from .features.resample import resample as resample
from .features.stft import SpectralTransform as SpectralTransform, get_transform_mlx as get_transform_mlx
from .features.tempogram import tempogram as tempogram
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
