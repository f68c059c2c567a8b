"""What streams do with the arrays of each library."""

from __future__ import annotations

from typing import Any

import numpy as np

# of 16-bit samples, as soundfile and torchaudio read them
_SCALE = 1.0 / 32768


class OfNumPy:
    """NumPy arrays."""

    def chunk(self, x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError(f"a stream over a function of librosa's takes NumPy arrays, got {type(x).__name__}")
        return x * np.float32(_SCALE) if x.dtype == np.int16 else x

    def join(self, parts: list[Any]) -> Any:
        return np.concatenate(parts, axis=-1)

    def zeros(self, like: Any, count: int) -> Any:
        return np.zeros((*like.shape[:-1], count), like.dtype)

    def take(self, x: Any, places: list[int]) -> Any:
        return x[..., places]


class OfTorch:
    """Tensors of torch's, wherever they lie."""

    @property
    def _torch(self) -> Any:
        # held, a module would keep streams from being copied
        import torch

        return torch

    def chunk(self, x: Any) -> Any:
        if not isinstance(x, self._torch.Tensor):
            raise TypeError(f"a stream over a function of torch's takes its tensors, got {type(x).__name__}")
        return x.to(self._torch.float32) * _SCALE if x.dtype == self._torch.int16 else x

    def join(self, parts: list[Any]) -> Any:
        return self._torch.cat(parts, dim=-1)

    def zeros(self, like: Any, count: int) -> Any:
        return like.new_zeros((*like.shape[:-1], count))

    def take(self, x: Any, places: list[int]) -> Any:
        return x[..., places]


class OfMLX:
    """Arrays of MLX's; what a stream holds is evaluated, so that its graph does not grow with the signal."""

    @property
    def _mx(self) -> Any:
        import mlx.core as mx

        return mx

    def chunk(self, x: Any) -> Any:
        mx = self._mx
        if not isinstance(x, mx.array):
            raise TypeError(f"a stream over a native transform takes MLX arrays, got {type(x).__name__}")
        return x.astype(mx.float32) * _SCALE if x.dtype == mx.int16 else x

    def join(self, parts: list[Any]) -> Any:
        whole = self._mx.concatenate(parts, axis=-1)
        self._mx.eval(whole)
        return whole

    def zeros(self, like: Any, count: int) -> Any:
        return self._mx.zeros((*like.shape[:-1], count), like.dtype)

    def take(self, x: Any, places: list[int]) -> Any:
        return x[..., self._mx.array(places)]
