"""The compiled forms of a transform and its inverse, and running them ahead of need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from .. import _check
from ..kernels import gpu
from ..ops import backend
from ..types import ISTFTBackendPolicy, ISTFTSafety, LongModeStrategy, STFTOutputLayout
from . import _replay

ArrayFunction = Callable[[mx.array], mx.array]


def _silence(name: str, batch: int, length: int) -> mx.array:
    batch, length = _check.integer(name, batch, at_least=1), _check.integer("length", length, at_least=1)
    return mx.zeros((batch, length))


class CompiledForms(_replay.Owner):
    """What :class:`SpectralTransform` offers beyond its eager ``stft`` and ``istft``, built on these two."""

    n_fft: int
    istft_backend_policy: ISTFTBackendPolicy
    stft: Callable[..., mx.array]
    istft: Callable[..., mx.array]
    _compiled: dict[Any, ArrayFunction]

    def get_compiled_stft(self, *, output_layout: STFTOutputLayout = "bfn") -> ArrayFunction:
        """:meth:`stft` for fixed shapes with the least overhead: compiled by MLX where that is the faster way."""
        _check.one_of("output_layout", output_layout, STFTOutputLayout)
        return self._compile(("stft", output_layout), lambda x: self.stft(x, output_layout=output_layout))

    def stft_compiled(self, x: mx.array, *, output_layout: STFTOutputLayout = "bfn") -> mx.array:
        """:meth:`stft` through :meth:`get_compiled_stft`."""
        return self.get_compiled_stft(output_layout=output_layout)(x)

    def get_compiled_istft(
        self,
        *,
        length: int | None = None,
        validate: bool = False,
        torch_like: bool = False,
        allow_fused: bool = True,
        safety: ISTFTSafety = "auto",
        long_mode_strategy: LongModeStrategy = "native",
        backend_policy: ISTFTBackendPolicy | None = None,
        input_layout: STFTOutputLayout = "bfn",
    ) -> ArrayFunction:
        """:meth:`istft` for fixed shapes with the least overhead. Its options are those of :meth:`istft`.

        Raises:
            ValueError: a ``long_mode_strategy`` or a ``backend_policy`` that leaves MLX.
        """
        policy = self.istft_backend_policy if backend_policy is None else backend_policy
        _check.one_of("input_layout", input_layout, STFTOutputLayout)
        _check.one_of("safety", safety, ISTFTSafety)
        _check.one_of("backend_policy", policy, ISTFTBackendPolicy)
        _check.one_of("long_mode_strategy", long_mode_strategy, LongModeStrategy)
        if long_mode_strategy != "native" or policy == "torch_fallback":
            raise ValueError(
                "a compiled istft stays in MLX: it takes long_mode_strategy='native' and no torch_fallback, "
                f"got {long_mode_strategy!r} and {policy!r}"
            )
        options: dict[str, Any] = {
            "length": None if length is None else _check.integer("length", length, at_least=1),
            "validate": _check.flag("validate", validate),
            "torch_like": _check.flag("torch_like", torch_like),
            "allow_fused": _check.flag("allow_fused", allow_fused),
            "safety": safety,
            "backend_policy": policy,
            "input_layout": input_layout,
        }
        return self._compile(("istft", *options.values()), lambda z: self.istft(z, **options))

    def istft_compiled(
        self,
        z: mx.array,
        *,
        length: int | None = None,
        validate: bool = False,
        torch_like: bool = False,
        allow_fused: bool = True,
        safety: ISTFTSafety = "auto",
        long_mode_strategy: LongModeStrategy = "native",
        backend_policy: ISTFTBackendPolicy | None = None,
        input_layout: STFTOutputLayout = "bfn",
    ) -> mx.array:
        """:meth:`istft` through :meth:`get_compiled_istft`."""
        return self.get_compiled_istft(
            length=length,
            validate=validate,
            torch_like=torch_like,
            allow_fused=allow_fused,
            safety=safety,
            long_mode_strategy=long_mode_strategy,
            backend_policy=backend_policy,
            input_layout=input_layout,
        )(z)

    def compiled_pair(
        self, *, length: int, layout: STFTOutputLayout = "bnf", warmup_batch: int | None = None
    ) -> tuple[ArrayFunction, ArrayFunction]:
        """``(stft, istft)`` for fixed shapes: signals of ``length`` samples, spectra in ``layout``.

        Args:
            length: Samples of every signal.
            layout: ``"bfn"`` or ``"bnf"``.
            warmup_batch: Run both once on a batch of so many signals, so that the first call finds everything ready.
        """
        _check.integer("length", length, at_least=1)
        pair = (
            self.get_compiled_stft(output_layout=layout),
            self.get_compiled_istft(length=length, input_layout=layout),
        )
        if warmup_batch is not None:
            mx.eval(pair[1](pair[0](_silence("warmup_batch", warmup_batch, length))))
        return pair

    def warmup(self, batch: int = 1, length: int = 4096) -> None:
        """Run :meth:`stft` and :meth:`istft` on a batch of silence, so that later calls find everything compiled."""
        z = self.stft(_silence("batch", batch, length))
        mx.eval(self.istft(z, length))

    def prewarm_kernels(self, batch: int = 1, length: int | None = None) -> None:
        """Compile everything that eager calls use, and find the fastest of the kernels' variants for such a batch.

        Calls of this kind alone try launch geometries that need no compiler; here others are tried too. On a GPU it
        takes a few seconds, and the next process finds the result.

        Args:
            batch: Signals in a batch.
            length: Samples a signal. Default: eight frames.
        """
        length = 8 * self.n_fft if length is None else length
        _replay.forget(self)
        with gpu.compiling():
            self.warmup(batch, length)
        with backend.implementation("plain"):
            self.warmup(batch, length)

    def prewarm_compiled(
        self,
        *,
        batch: int = 1,
        length: int | None = None,
        validate: bool = False,
        torch_like: bool = False,
        allow_fused: bool = True,
        safety: ISTFTSafety = "off",
        backend_policy: ISTFTBackendPolicy | None = None,
    ) -> None:
        """Compile what :meth:`get_compiled_stft` and :meth:`get_compiled_istft` return, in both layouts."""
        length = 8 * self.n_fft if length is None else length
        x = _silence("batch", batch, length)
        for layout in ("bfn", "bnf"):
            istft = self.get_compiled_istft(
                length=length,
                validate=validate,
                torch_like=torch_like,
                allow_fused=allow_fused,
                safety=safety,
                backend_policy=backend_policy,
                input_layout=layout,
            )
            mx.eval(istft(self.get_compiled_stft(output_layout=layout)(x)))

    def _compile(self, key: Any, function: ArrayFunction) -> ArrayFunction:
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled.setdefault(key, backend.compiled(function))
        return compiled
