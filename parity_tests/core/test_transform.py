"""SpectralTransform beyond what the parity rows measure."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_spectro import (
    SpectralTransform,
    get_cache_debug_stats,
    get_transform_mlx,
    make_window,
    reset_cache_debug_stats,
    resolve_fft_params,
    spec_mlx_device_key,
)
from mlx_spectro.ops import backend

pytestmark = pytest.mark.usefixtures("implementation")

EPS = float(np.finfo(np.float32).eps)


def noise(*shape: int, seed: int = 0) -> mx.array:
    x = mx.array(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))
    mx.eval(x)
    return x


def close(found: mx.array, expected: mx.array, ulps: float = 64) -> None:
    a, b = np.array(found), np.array(expected)
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= ulps * EPS * np.abs(b).max()
    assert np.abs(b).max() > 0


PADS = [
    ("reflect", "symmetric"),
    ("constant", "symmetric"),
    ("constant", "minimal"),
    ("replicate", "symmetric"),
    ("circular", "symmetric"),
    ("symmetric", "symmetric"),
    ("edge", "minimal"),
    ("wrap", "symmetric"),
]


@pytest.mark.parametrize(("pad_mode", "tail"), PADS)
@pytest.mark.parametrize(
    ("n_fft", "hop", "win_length"), [(64, 16, None), (63, 20, 50), (60, 90, None), (1, 1, None), (16, 1, 7)]
)
@pytest.mark.parametrize("onesided", [True, False])
def test_stft_is_its_definition(
    n_fft: int, hop: int, win_length: Any, pad_mode: Any, tail: Any, onesided: bool
) -> None:
    x = noise(2, 333)
    transform = SpectralTransform(
        n_fft, hop, win_length, "hamming", center_pad_mode=pad_mode, center_tail_pad=tail, onesided=onesided
    )
    modes = {"replicate": "edge", "circular": "wrap"}
    left = right = n_fft // 2
    if tail == "minimal":
        right = max(0, (-(-333 // hop) - 1) * hop + n_fft - left - 333)
    padded = np.pad(np.array(x, dtype=np.float64), ((0, 0), (left, right)), mode=modes.get(pad_mode, pad_mode))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[:, ::hop]
    expected = np.fft.fft(frames * np.array(transform.window, dtype=np.float64))[..., : transform.bins]
    if tail == "minimal":
        assert expected.shape[1] == -(-333 // hop)
    result = np.array(transform.stft(x, output_layout="bnf"))
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= 4 * EPS * (1 + np.log2(n_fft)) * np.abs(expected).max()


@pytest.mark.parametrize("layout", ["bfn", "bnf"])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (2, 1, 2)])
def test_any_leading_axes_round_trip(lead: tuple[int, ...], layout: Any) -> None:
    x = noise(*lead, 1000)
    transform = SpectralTransform(128, 32)
    z = transform.stft(x, output_layout=layout)
    lead = lead or (1,)
    assert z.shape == (*lead, *((65, 32) if layout == "bfn" else (32, 65)))
    close(transform.istft(z, 1000, input_layout=layout), x.reshape(*lead, 1000))


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
def test_half_precision_audio_is_transformed_in_single_precision(dtype: mx.Dtype) -> None:
    x = noise(2, 500).astype(dtype)
    transform = SpectralTransform(64, 16)
    assert transform.stft(x).dtype == mx.complex64
    assert mx.array_equal(transform.stft(x), transform.stft(x.astype(mx.float32)))


def test_integer_and_double_audio_is_refused() -> None:
    transform = SpectralTransform(64, 16)
    for dtype in (mx.int16, mx.float64, mx.complex64):
        with mx.stream(mx.cpu), pytest.raises(TypeError, match="audio must be float32"):
            transform.stft(mx.zeros((100,), dtype))


LOSSES: dict[str, Callable[[SpectralTransform, mx.array], mx.array]] = {
    "stft": lambda t, x: mx.square(mx.abs(t.differentiable_stft(x) + 0.5)).sum(),
    "round trip": lambda t, x: mx.power(t.differentiable_istft(t.differentiable_stft(x), length=x.shape[-1]), 3).sum(),
    "twice": lambda t, x: mx.square(mx.abs(t.differentiable_stft(t.istft(t.stft(x), x.shape[-1])))).sum(),
}


def _gradients(loss: Callable[[mx.array], mx.array], x: mx.array) -> dict[str, mx.array]:
    t = noise(*x.shape, seed=9)
    return {
        "grad": mx.grad(loss)(x),
        "jvp": mx.jvp(loss, [x], [t])[1][0],
        "grad of grad": mx.grad(lambda x: (mx.grad(loss)(x) * t).sum())(x),
        "jvp of grad": mx.jvp(mx.grad(loss), [x], [t])[1][0],
        "vmap of grad": mx.vmap(mx.grad(loss))(x[:, None]),
        "grad of vmap": mx.grad(lambda x: mx.vmap(loss)(x[:, None]).sum())(x),
        "vmap": mx.vmap(loss)(x[:, None]),
        "vmap of another axis": mx.vmap(loss, in_axes=1)(x[:, None, :].transpose(1, 0, 2)),
        "compiled grad": mx.compile(mx.grad(loss))(x),
        "compiled": mx.compile(loss)(x),
    }


@pytest.mark.parametrize("n_fft", [1, 15])
def test_tangent_of_a_round_trip_of_odd_frames_is_the_round_trip(n_fft: int) -> None:
    transform, x, t = SpectralTransform(n_fft, max(1, n_fft // 4)), noise(2, 200), noise(2, 200, seed=9)
    with backend.implementation("plain"):
        found = mx.jvp(lambda x: transform.istft(transform.stft(x), 200), [x], [t])[1][0]
    assert mx.allclose(found, t, atol=1e-5)


@pytest.mark.parametrize("pad_mode", ["reflect", "constant", "replicate", "circular", "symmetric"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_function_transform_agrees_with_plain_ops(name: str, pad_mode: Any) -> None:
    transform = SpectralTransform(60, 20, center_pad_mode=pad_mode)
    x = noise(2, 150)
    measured = _gradients(lambda x: LOSSES[name](transform, x), x)
    with backend.implementation("plain"):
        expected = _gradients(lambda x: LOSSES[name](transform, x), x)
    for key, value in expected.items():
        close(measured[key], value, 400)


def test_gradient_of_plain_ops_is_that_of_finite_differences() -> None:
    transform = SpectralTransform(16, 4)
    x, t = noise(1, 40), noise(1, 40, seed=1)

    def loss(x: mx.array) -> mx.array:
        return LOSSES["stft"](transform, x)

    # the loss is quadratic, so a central difference has no error but rounding
    slope = (loss(x + t) - loss(x - t)) / 2
    assert abs((mx.grad(loss)(x) * t).sum() - slope).item() <= 64 * EPS * abs(loss(x + t)).item()


def test_compiled_forms_equal_eager_ones() -> None:
    transform = SpectralTransform(128, 32)
    x = noise(2, 1000)
    stft, istft = transform.compiled_pair(length=1000, warmup_batch=2)
    close(stft(x), transform.stft(x, output_layout="bnf"))
    close(istft(stft(x)), x)
    close(transform.stft_compiled(x), transform.stft(x))
    close(transform.istft_compiled(transform.stft(x), length=1000), x)
    assert transform.get_compiled_stft() is transform.get_compiled_stft()
    assert transform.get_compiled_istft(length=5) is not transform.get_compiled_istft(length=6)
    others: tuple[dict[str, Any], ...] = (
        {"long_mode_strategy": "numpy_fallback"},
        {"backend_policy": "torch_fallback"},
    )
    for options in others:
        with pytest.raises(ValueError, match="compiled istft stays in MLX"):
            transform.get_compiled_istft(**options)


def test_prewarming_runs_every_form() -> None:
    transform = SpectralTransform(64, 16)
    transform.warmup(2, 300)
    transform.prewarm_kernels()
    transform.prewarm_compiled(batch=2)


@pytest.mark.parametrize("policy", ["auto", "mlx_fft", "torch_fallback"])
def test_every_policy_gives_the_same_signal(policy: Any) -> None:
    if policy == "torch_fallback":
        pytest.importorskip("torch")
    for onesided in (True, False):
        x = noise(2, 3, 700)
        transform = SpectralTransform(64, 16, normalized=True, onesided=onesided)
        close(transform.istft(transform.stft(x), 700, backend_policy=policy), x)


def test_metal_policy_says_why_there_is_no_kernel() -> None:
    transform = SpectralTransform(64, 16, istft_backend_policy="metal")
    z = transform.stft(noise(1, 300))
    if "gpu" in backend.implementations():
        close(transform.istft(z, 300), noise(1, 300))
    else:
        with pytest.raises(RuntimeError, match="fused GPU kernels: "):
            transform.istft(z, 300)


def test_torch_fallback_without_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    transform = SpectralTransform(64, 16)
    with pytest.raises(ImportError, match=r"mlx-spectro-compat\[torch\]"):
        transform.istft(transform.stft(noise(1, 300)), backend_policy="torch_fallback")


@pytest.mark.parametrize("strategy", ["native", "numpy_fallback", "torch_fallback"])
def test_a_length_beyond_the_frames_ends_in_zeros(strategy: Any) -> None:
    if strategy == "torch_fallback":
        pytest.importorskip("torch")
    transform = SpectralTransform(64, 16)
    x = noise(1, 320)
    z = transform.stft(x)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The length of signal is shorter")
        y = transform.istft(z, 400, long_mode_strategy=strategy, safety="off")
    assert y.shape == (1, 400)
    close(y[:, :320], x)
    assert not y[:, 352:].any()
    with pytest.raises(ValueError, match="long_mode_strategy"):
        transform.istft(z, 400, long_mode_strategy="torch_fallback", backend_policy="mlx_fft")


def test_a_vanishing_overlap_warns_once_and_raises_like_torch() -> None:
    transform = SpectralTransform(64, 16, center=False)
    z = transform.stft(noise(1, 320))
    with pytest.raises(RuntimeError, match="envelope is degenerate"):
        transform.istft(z, torch_like=True)
    with pytest.warns(RuntimeWarning, match="come out as 0"):
        y = transform.istft(z)
    assert y[0, 0].item() == 0
    transform.istft(z)
    transform.istft(z, 300)
    fresh = SpectralTransform(64, 16, center=False)
    fresh.istft(z, safety="off")
    with pytest.warns(RuntimeWarning, match="come out as 0"):
        fresh.istft(z, safety="always")


def test_validation_finds_what_is_not_finite() -> None:
    transform = SpectralTransform(64, 16)
    z = transform.stft(noise(1, 320))
    transform.istft(z, validate=True)
    z[0, 3, 4] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinite"):
        transform.istft(z, validate=True)


def test_wrong_arguments_are_named() -> None:
    build: Any = SpectralTransform  # as a program without types calls it
    transform: Any = build(64, 16)
    z = transform.stft(noise(1, 320))
    calls: tuple[tuple[Callable[[], Any], str], ...] = (
        (lambda: build(0, 1), "n_fft must be at least 1, got 0"),
        (lambda: build(64, 0), "hop_length must be at least 1, got 0"),
        (lambda: build(64, 16, 65), "win_length must be at most n_fft=64, got 65"),
        (lambda: build(64, 16, window_fn="kaiser"), "Unknown window_fn 'kaiser'"),
        (lambda: build(64, 16, window=mx.ones(63)), "window length must be"),
        (lambda: build(64, 16, center_pad_mode="zeros"), "center_pad_mode must be one of"),
        (lambda: build(64, 16, center_tail_pad="minimal"), "needs center_tail_pad='symmetric'"),
        (lambda: transform.stft(noise(1, 32)), "reflect padding of 32 samples needs more than 32 samples, got 32"),
        (lambda: build(64, 16, center_pad_mode="circular").stft(noise(1, 9)), "circular padding of 32"),
        (lambda: transform.stft(noise(1, 320), output_layout="nbf"), "output_layout must be one of"),
        (lambda: transform.istft(z, input_layout="bnf"), "pass input_layout='bfn'"),
        (lambda: transform.istft(mx.abs(z)), "istft needs a complex spectrum"),
        (lambda: transform.istft(z[:, :, :0]), "at least one frame"),
        (lambda: transform.istft(z, 0), "length must be at least 1, got 0"),
        (lambda: transform.istft(z, safety="maybe"), "safety must be one of"),
        (lambda: transform.istft(z[:, :, :1]), "pass length"),
    )
    for call, message in calls:
        with pytest.raises(ValueError, match=message.replace("[", r"\[")):
            call()
    with pytest.raises(TypeError, match=r"n_fft must be an integer, got 6\.4"):
        build(6.4, 2)
    minimal = SpectralTransform(64, 16, center_pad_mode="constant", center_tail_pad="minimal")
    with pytest.raises(ValueError, match="length is required"):
        minimal.istft(minimal.stft(noise(1, 320)))


def test_another_window_takes_effect_at_once() -> None:
    transform = SpectralTransform(64, 16)
    x = noise(1, 320)
    hann = transform.stft(x)
    rect = transform.with_window("rect")
    close(transform.stft(x), hann)
    assert not mx.allclose(rect.stft(x), hann)
    transform.stft_compiled(x)
    transform.set_window(mx.ones(64))
    close(transform.stft(x), rect.stft(x))
    close(transform.stft_compiled(x), rect.stft(x))
    close(transform.istft(rect.stft(x), 320), x)
    transform.window = "hann"
    close(transform.stft(x), hann)


def test_transforms_of_the_same_parameters_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEC_MLX_CACHE_STATS", "1")
    reset_cache_debug_stats()
    options: dict[str, Any] = {
        "n_fft": 96, "hop_length": 24, "win_length": 96, "window_fn": "hann", "periodic": True, "center": True,
        "normalized": False, "window": None,
    }  # fmt: skip
    first = get_transform_mlx(**options)
    assert get_transform_mlx(**options) is first
    assert get_transform_mlx(**{**options, "center_pad_mode": "constant"}) is not first
    assert get_transform_mlx(**{**options, "window": mx.ones(96)}) is not get_transform_mlx(
        **{**options, "window": mx.ones(96)}
    )
    stats = get_cache_debug_stats(reset=True)
    assert stats["enabled"]
    assert get_cache_debug_stats()["counts"] == {}


def test_parameters_resolve_with_torch_s_defaults() -> None:
    assert resolve_fft_params(1024, None, None, 0) == (1024, 256, 1024)
    assert resolve_fft_params(1024, None, None, 64) == (1152, 288, 1152)
    assert resolve_fft_params(2048, 512, 1024, 0) == (2048, 512, 1024)
    with pytest.raises(ValueError, match="pad must be at least 0"):
        resolve_fft_params(1024, None, None, -1)


def test_a_window_shorter_than_the_frame_is_centred() -> None:
    window = np.array(make_window(None, "rect", 5, 8, True))
    np.testing.assert_array_equal(window, [0, 1, 1, 1, 1, 1, 0, 0])


def test_the_device_has_a_name() -> None:
    assert spec_mlx_device_key().partition(":")[0] in ("cpu", "gpu")


def test_transforms_made_in_one_thread_work_in_another() -> None:
    transform = SpectralTransform(64, 16)
    x = noise(1, 1000)
    stft, istft = transform.compiled_pair(length=1000, warmup_batch=1)
    results: list[Any] = []

    def work() -> None:
        y = transform.istft(transform.stft(x), 1000)
        again = istft(stft(x))
        mx.eval(y, again)
        results.extend([np.array(y), np.array(again)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 16
    for y in results[::2]:
        np.testing.assert_array_equal(y, results[0])
    for y in results[1::2]:
        np.testing.assert_array_equal(y, results[1])
