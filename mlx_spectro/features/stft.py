"""SpectralTransform: an STFT and its inverse with their parameters fixed."""

from __future__ import annotations

import contextlib
import copy
import functools
from typing import Any, SupportsIndex

import mlx.core as mx
import numpy as np

from .. import _check, _warn, diagnostics
from ..design import envelope
from ..design.framing import Framing, centred, overlap_length, resolve_fft_params
from ..design.operators import Istft, Stft, Synthesis
from ..ops import backend, mlx_on_cpu, mlx_on_gpu
from ..ops.apply import apply, define
from ..types import (
    CenterPadMode,
    CenterTailPad,
    ISTFTBackendPolicy,
    ISTFTSafety,
    LongModeStrategy,
    STFTOutputLayout,
    WindowLike,
)
from . import _inputs, _istft_by_torch
from ._replay import recorded
from .compiled import ArrayFunction, CompiledForms
from .windows import make_window


def _leaves_mlx(
    transform: SpectralTransform,
    _length: int | None = None,
    validate: bool = False,
    *,
    safety: ISTFTSafety = "auto",
    long_mode_strategy: LongModeStrategy = "native",
    backend_policy: ISTFTBackendPolicy | None = None,
    **_options: Any,
) -> bool:
    """Whether an inverse STFT looks at values, warns each time or asks others."""
    policy = backend_policy or transform.istft_backend_policy
    return validate or safety == "always" or long_mode_strategy != "native" or policy == "torch_fallback"


class SpectralTransform(CompiledForms):
    """Short-time Fourier transform and its inverse.

    Args:
        n_fft: Frame length in samples.
        hop_length: Samples between frame starts.
        win_length: Window length in samples, centred in the frame. Default: ``n_fft``.
        window_fn: ``"hann"``, ``"hamming"``, ``"blackman"`` or ``"rect"``.
        window: Window samples ``[win_length]`` or ``[n_fft]``, or a window's name, instead of ``window_fn``.
        periodic: The window's period is ``win_length`` samples, as torch has it.
        center: Frame ``t`` is centred on sample ``t * hop_length``; else it starts there.
        center_pad_mode: How a centred signal is extended: ``"reflect"``, ``"constant"``, ``"replicate"`` (NumPy's
            ``"edge"``), ``"circular"`` (NumPy's ``"wrap"``) or ``"symmetric"`` (mirrored with the edge sample).
        center_tail_pad: ``"symmetric"`` extends both ends by ``n_fft // 2`` samples; ``"minimal"`` extends the end only
            as far as ``ceil(T / hop_length)`` frames need, and not by reflection.
        normalized: Divide the spectrum by ``sqrt(n_fft)``, and multiply the inverse by it.
        istft_backend_policy: What :meth:`istft` uses where its call does not say; see there.
        onesided: Spectra hold the ``n_fft // 2 + 1`` bins up to half the sample rate, else all ``n_fft``.

    Raises:
        TypeError: a value of another type.
        ValueError: a value out of its range, or an unknown option.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> transform = mlx_spectro.SpectralTransform(n_fft=512, hop_length=128)
        >>> spectrum = transform.stft(audio)
        >>> spectrum.shape
        (2, 257, 126)
        >>> transform.istft(spectrum, length=16000).shape
        (2, 16000)
    """

    def __init__(
        self,
        n_fft: int,
        hop_length: int,
        win_length: int | None = None,
        window_fn: str = "hann",
        *,
        window: WindowLike = None,
        periodic: bool = True,
        center: bool = True,
        center_pad_mode: CenterPadMode = "reflect",
        center_tail_pad: CenterTailPad = "symmetric",
        normalized: bool = False,
        istft_backend_policy: ISTFTBackendPolicy | None = None,
        onesided: bool = True,
    ) -> None:
        self.n_fft, self.hop_length, self.win_length = resolve_fft_params(n_fft, hop_length, win_length, 0)
        self.window_fn = window_fn
        self.periodic = _check.flag("periodic", periodic)
        self.center = _check.flag("center", center)
        self.center_pad_mode = _check.one_of("center_pad_mode", center_pad_mode, CenterPadMode)
        self.center_tail_pad = _check.one_of("center_tail_pad", center_tail_pad, CenterTailPad)
        if self.center and center_pad_mode == "reflect" and center_tail_pad == "minimal":
            raise ValueError("center_pad_mode='reflect' needs center_tail_pad='symmetric', got 'minimal'")
        self.normalized = _check.flag("normalized", normalized)
        self.onesided = _check.flag("onesided", onesided)
        policy: ISTFTBackendPolicy = "auto" if istft_backend_policy is None else istft_backend_policy
        self.istft_backend_policy = _check.one_of("istft_backend_policy", policy, ISTFTBackendPolicy)
        self.set_window(window)

    @property
    def window(self) -> mx.array:
        """Window samples ``[n_fft]``."""
        return self._window

    @window.setter
    def window(self, window: WindowLike) -> None:
        self.set_window(window)

    @property
    def bins(self) -> int:
        """Bins of a spectrum."""
        return self.n_fft // 2 + 1 if self.onesided else self.n_fft

    def set_window(self, window: WindowLike) -> None:
        """Use another window from the next call on. A compiled callable obtained before keeps the old one."""
        self._window = make_window(window, self.window_fn, self.win_length, self.n_fft, self.periodic)
        self._window_argument = window if window is None or isinstance(window, str) else self._window
        self._samples = np.array(self._window)
        self._compiled: dict[Any, ArrayFunction] = {}
        self._overlaps: dict[tuple[int, int, int], float] = {}
        self._warned = False

    def _shown_else(self) -> dict[str, Any]:
        return {"window": self._window_argument}

    def with_window(self, window: WindowLike) -> SpectralTransform:
        """A copy of this transform with another window."""
        other = copy.copy(self)
        other.set_window(window)
        return other

    def framing(self, length: int) -> Framing:
        """Where the frames of a signal of ``length`` samples lie."""
        if not self.center:
            return Framing(self.n_fft, self.hop_length).filled(length)
        framing = centred(length, self.n_fft, self.hop_length, self.center_pad_mode, self.center_tail_pad)
        return framing.filled(length)

    @recorded()
    def stft(self, x: mx.array, *, output_layout: STFTOutputLayout = "bfn") -> mx.array:
        """Short-time Fourier transform.

        Args:
            x: Audio ``[..., T]`` in float32, float16 or bfloat16; ``[T]`` counts as a batch of one. Audio shorter than
                a frame that is not padded else is filled with zeros to one frame.
            output_layout: ``"bfn"`` for bins before frames, ``"bnf"`` for frames before bins. Both share one memory
                order, frames first.

        Returns:
            complex64 ``[..., F, N]`` or ``[..., N, F]``, of ``[T]`` with a leading axis of 1; bin ``k`` lies at
                ``k * sample_rate / n_fft`` Hz.

        Raises:
            TypeError: audio that is no MLX array, or not floating point.
            ValueError: an unknown layout, a signal too short for its padding, or an array without axes.
        """
        _check.one_of("output_layout", output_layout, STFTOutputLayout)
        audio = _inputs.as_audio(x)
        audio, framing = _inputs.extended(audio, self.framing(audio.shape[-1]))
        scale = self.n_fft**-0.5 if self.normalized else 1.0
        z = apply(Stft(framing, scale, self.onesided), audio, self._window)
        return z if output_layout == "bnf" else mx.swapaxes(z, -1, -2)

    @recorded(unless=_leaves_mlx)
    def istft(
        self,
        z: mx.array,
        length: int | None = None,
        validate: bool = False,
        *,
        torch_like: bool = False,
        allow_fused: bool = True,
        safety: ISTFTSafety = "auto",
        long_mode_strategy: LongModeStrategy = "native",
        backend_policy: ISTFTBackendPolicy | None = None,
        input_layout: STFTOutputLayout = "bfn",
    ) -> mx.array:
        """Inverse STFT: windowed overlap-add, divided by the sum of the squared windows.

        Args:
            z: complex64 ``[..., F, N]``; ``[F, N]`` counts as a batch of one.
            length: Samples to return. Default: what the frames cover, without the samples that centring added.
            validate: Check first that ``z`` is finite.
            torch_like: Raise where the windows' overlap vanishes, as torch does, instead of warning once.
            allow_fused: Let fused kernels serve the call.
            safety: When the windows' overlap is checked: ``"off"`` never, ``"auto"`` with the answer cached,
                ``"always"`` afresh each call. Samples without overlap (below 1e-11) come out as 0.
            long_mode_strategy: Who serves a centred call whose ``length`` goes beyond the frames: ``"native"``,
                ``"numpy_fallback"`` (the inverse FFT by NumPy) or ``"torch_fallback"``.
            backend_policy: ``"auto"``; ``"mlx_fft"``, plain MLX ops; ``"metal"``, the fused GPU kernels, or
                an error that says why there are none; ``"torch_fallback"``, torch on the CPU.
            input_layout: ``"bfn"`` or ``"bnf"``.

        Returns:
            float32 ``[..., length]``, ``[1, length]`` of a spectrum of two axes.

        Raises:
            TypeError: a spectrum that is no MLX array.
            ValueError: an unknown option, a spectrum of another shape, no ``length`` where the tail padding is minimal.
            RuntimeError: a vanishing overlap with ``torch_like``; ``"metal"`` where no such kernel serves.
            ImportError: a torch fallback without torch.
        """
        _check.one_of("input_layout", input_layout, STFTOutputLayout)
        _check.one_of("safety", safety, ISTFTSafety)
        policy = self.istft_backend_policy if backend_policy is None else backend_policy
        policy = _check.one_of("backend_policy", policy, ISTFTBackendPolicy)
        strategy = _check.one_of("long_mode_strategy", long_mode_strategy, LongModeStrategy)
        if strategy != "native" and policy != "auto":
            raise ValueError(f"long_mode_strategy={strategy!r} needs backend_policy='auto', got {policy!r}")
        z = self._as_frames(z, input_layout)
        allow_fused, torch_like = _check.flag("allow_fused", allow_fused), _check.flag("torch_like", torch_like)
        validate = _check.flag("validate", validate) and not mlx_on_cpu.has_no_value(z)
        if validate and not mx.isfinite(mx.abs(z)).all().item():
            raise ValueError("istft got a spectrum with NaN or infinite values")
        frames = z.shape[-2]
        left = self.n_fft // 2 if self.center else 0
        length = self._output_length(frames, left, length)
        self._check_overlap(frames, left, length, safety, torch_like)
        beyond = self.center and left + length > overlap_length(frames, self.n_fft, self.hop_length)
        if policy == "torch_fallback" or (beyond and strategy == "torch_fallback"):
            return _istft_by_torch.istft(
                z,
                self._samples,
                self.hop_length,
                length,
                center=self.center,
                normalized=self.normalized,
                onesided=self.onesided,
            )
        framing = Framing(self.n_fft, self.hop_length, left)
        scale = self.n_fft**0.5 if self.normalized else 1.0
        if beyond and strategy == "numpy_fallback":
            inverse = self._inverse_fft_by_numpy(z)
            return define(Synthesis(Istft(framing, length, scale)), inverse, self._window)
        if policy == "metal":
            reason = mlx_on_gpu.why_not(self.n_fft)
            if reason:
                raise RuntimeError(f"backend_policy='metal' needs the fused GPU kernels: {reason}")
        unfused = not allow_fused or policy == "mlx_fft"
        with backend.implementation("plain") if unfused else contextlib.nullcontext():
            return apply(Istft(framing, length, scale, self.onesided), z, self._window)

    def differentiable_stft(self, x: mx.array) -> mx.array:
        """:meth:`stft` with frames before bins, ``[..., N, F]``. Every method here carries gradients."""
        return self.stft(x, output_layout="bnf")

    def differentiable_istft(self, z: mx.array, *, length: int | None = None) -> mx.array:
        """:meth:`istft` of a spectrum with frames before bins, ``[..., N, F]``."""
        return self.istft(z, length, input_layout="bnf")

    def _as_frames(self, z: mx.array, layout: STFTOutputLayout) -> mx.array:
        """Spectrum ``[..., N, F]`` in complex64."""
        backend.require_mlx()
        if _inputs.array("the spectrum", z).ndim < 2 or not mx.issubdtype(z.dtype, mx.complexfloating):
            raise ValueError(f"istft needs a complex spectrum of 2 or more axes, got {z.dtype} {z.shape}")
        z = z[None] if z.ndim == 2 else z
        axis = -2 if layout == "bfn" else -1
        if z.shape[axis] != self.bins:
            other = "bnf" if layout == "bfn" else "bfn"
            raise ValueError(
                f"istft needs {self.bins} bins on axis {axis} for n_fft={self.n_fft}, got shape {z.shape}"
                + (
                    f"; if its axes are the other way round, pass input_layout={other!r}"
                    if self.bins in z.shape
                    else ""
                )
            )
        frames = z if layout == "bnf" else mx.swapaxes(z, -1, -2)
        if not frames.shape[-2]:
            raise ValueError(f"istft needs at least one frame, got shape {z.shape}")
        return frames

    def _output_length(self, frames: int, left: int, length: SupportsIndex | None) -> int:
        if length is not None:
            return _check.integer("length", length, at_least=1)
        if self.center and self.center_tail_pad == "minimal":
            raise ValueError("length is required with center_tail_pad='minimal'")
        natural = overlap_length(frames, self.n_fft, self.hop_length) - 2 * left
        if natural < 1:
            raise ValueError(
                f"{frames} centred frames of {self.n_fft} samples hold no sample of their own; pass length"
            )
        return natural

    def _check_overlap(self, frames: int, left: int, length: int, safety: ISTFTSafety, torch_like: bool) -> None:
        if safety == "off":
            return
        key = (frames, left, length)
        lowest = self._overlaps.get(key) if safety == "auto" else None
        if lowest is None:
            lowest = envelope.smallest(self._samples, self.hop_length, frames, left, length)
            self._overlaps[key] = lowest
        if lowest >= envelope.FLOOR:
            return
        message = (
            f"the window's overlap-add envelope is degenerate: it falls to {lowest:.1e} for n_fft={self.n_fft}, "
            f"hop_length={self.hop_length}, so some samples cannot be reconstructed"
        )
        if torch_like:
            raise RuntimeError(message)
        if not self._warned:
            _warn.at_caller(message + " and come out as 0")
            self._warned = True

    def _inverse_fft_by_numpy(self, z: mx.array) -> mx.array:
        half = np.array(z)[..., : self.n_fft // 2 + 1]
        return mx.array(np.fft.irfft(half, n=self.n_fft).astype(np.float32))


# typed, because 512.0 is refused where 512 is known
_shared = functools.lru_cache(maxsize=64, typed=True)(SpectralTransform)
diagnostics.snapshot("transform_cache", lambda: _shared.cache_info()._asdict())


def get_transform_mlx(
    *,
    n_fft: int,
    hop_length: int,
    win_length: int,
    window_fn: str,
    periodic: bool,
    center: bool,
    normalized: bool,
    window: WindowLike,
    center_pad_mode: CenterPadMode = "reflect",
    center_tail_pad: CenterTailPad = "symmetric",
    istft_backend_policy: ISTFTBackendPolicy | None = None,
    onesided: bool = True,
) -> SpectralTransform:
    """A :class:`SpectralTransform`, shared by all callers that ask for the same named window and parameters.

    A ``window`` given as an array makes a transform of its own. The parameters are those of the class.
    """
    parameters: dict[str, Any] = {
        "n_fft": n_fft,
        "hop_length": hop_length,
        "win_length": win_length,
        "window_fn": window_fn,
        "periodic": periodic,
        "center": center,
        "normalized": normalized,
        "window": window,
        "center_pad_mode": center_pad_mode,
        "center_tail_pad": center_tail_pad,
        "istft_backend_policy": istft_backend_policy,
        "onesided": onesided,
    }
    if window is None or isinstance(window, str):
        try:
            return _shared(**parameters)
        except TypeError:
            pass  # of an option that cannot be hashed, the class itself says what is wrong
    return SpectralTransform(**parameters)
