"""Option values as string-literal types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, Union

if TYPE_CHECKING:
    import mlx.core as mx
    import numpy.typing as npt

CenterPadMode: TypeAlias = Literal["reflect", "constant", "replicate", "circular", "symmetric", "edge", "wrap"]
CenterTailPad: TypeAlias = Literal["symmetric", "minimal"]
FilteredOutputScale: TypeAlias = Literal["linear", "log", "db", "log10_plus_one"]
ISTFTBackendPolicy: TypeAlias = Literal["auto", "mlx_fft", "metal", "torch_fallback"]
ISTFTSafety: TypeAlias = Literal["off", "auto", "always"]
LogMelMode: TypeAlias = Literal["clamp", "add"]
LongModeStrategy: TypeAlias = Literal["native", "numpy_fallback", "torch_fallback"]
MelMode: TypeAlias = Literal["mlx_native", "torchaudio_compat", "default"]
MelNorm: TypeAlias = Literal["slaney"] | None
MelOutputScale: TypeAlias = Literal["linear", "log", "db"]
MelScale: TypeAlias = Literal["htk", "slaney"]
STFTOutputLayout: TypeAlias = Literal["bfn", "bnf"]
WindowLike: TypeAlias = Union[str, "mx.array", "npt.ArrayLike", None]
