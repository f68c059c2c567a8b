"""torch's spectral functions by the samples that torch's own tests take them through, which its wheel holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_map_only

_OPERATORS = [info for info in op_db if info.name in ("stft", "istft")]
_DOUBLE = {"stft": [torch.float64, torch.complex128], "istft": [torch.complex128]}


def _cases(of_gradients: bool = False) -> Iterator[Any]:
    for info in _OPERATORS:
        for dtype in _DOUBLE[info.name] if of_gradients else sorted(info.supported_dtypes("cpu"), key=str):
            for i, sample in enumerate(_samples(info, dtype, of_gradients)):
                yield pytest.param(info, sample, id=f"{info.name}-{str(dtype).removeprefix('torch.')}-{i}")


def _samples(info: Any, dtype: torch.dtype, requires_grad: bool) -> list[Any]:
    torch.manual_seed(0)
    return list(info.sample_inputs("cpu", dtype, requires_grad=requires_grad))


every = pytest.mark.parametrize(("info", "sample"), [*_cases()])
differentiable = pytest.mark.parametrize(("info", "sample"), [*_cases(of_gradients=True)])


@every
def test_of_memory_with_gaps_it_is_the_same(info: Any, sample: Any) -> None:
    apart = sample.noncontiguous()
    plain = info(sample.input, *sample.args, **sample.kwargs)
    assert_close(info(apart.input, *apart.args, **apart.kwargs), plain)


@every
def test_the_method_is_the_function(info: Any, sample: Any) -> None:
    method = getattr(sample.input, info.name)
    plain = info(sample.input, *sample.args, **sample.kwargs)
    assert_close(method(*sample.args, **sample.kwargs), plain, rtol=0, atol=0, equal_nan=True)


@every
def test_fake_tensors_have_the_shape_of_real_ones(info: Any, sample: Any) -> None:
    real = info(sample.input, *sample.args, **sample.kwargs)
    with FakeTensorMode() as mode:
        fake = tree_map_only(torch.Tensor, mode.from_tensor, (sample.input, sample.args, sample.kwargs))
        # with real values, torch would check that windows overlap
        try:
            result = info(fake[0], *fake[1], **fake[2])
        except torch._subclasses.fake_tensor.DataDependentOutputException:
            pytest.skip("torch asks for a value")
    assert (result.shape, result.dtype, result.stride()) == (real.shape, real.dtype, real.stride())


@every
def test_the_audio_stays_as_it_is(info: Any, sample: Any) -> None:
    before = sample.input.clone()
    info(sample.input, *sample.args, **sample.kwargs)
    assert_close(sample.input, before, rtol=0, atol=0)


def _inputs(sample: Any) -> tuple[Any, list[torch.Tensor]]:
    """A function of the sample's tensors, and those."""
    tensors = [sample.input, *(value for value in sample.kwargs.values() if isinstance(value, torch.Tensor))]
    names = [name for name, value in sample.kwargs.items() if isinstance(value, torch.Tensor)]
    tensors = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in tensors]

    def of(info: Any) -> Any:
        return lambda x, *rest: info(x, *sample.args, **{**sample.kwargs, **dict(zip(names, rest, strict=True))})

    return of, tensors


@differentiable
@pytest.mark.parametrize("order", [1, 2])
def test_gradients_are_the_quotients_of_differences(order: int, info: Any, sample: Any) -> None:
    of, tensors = _inputs(sample)
    check = torch.autograd.gradcheck if order == 1 else torch.autograd.gradgradcheck
    options: dict[str, Any] = {"fast_mode": info.gradcheck_fast_mode, "nondet_tol": info.gradcheck_nondet_tol}
    assert check(of(info), tensors, check_batched_grad=info.check_batched_grad, **options)


@differentiable
def test_forward_gradients_are_the_quotients_of_differences(info: Any, sample: Any) -> None:
    of, tensors = _inputs(sample)
    assert torch.autograd.gradcheck(
        of(info), tensors, check_forward_ad=True, check_backward_ad=False, fast_mode=info.gradcheck_fast_mode,
        check_batched_grad=False, nondet_tol=info.gradcheck_nondet_tol,
    )  # fmt: skip
