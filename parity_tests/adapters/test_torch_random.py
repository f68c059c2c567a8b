"""Random options, good and bad, of random arrays in random layouts: all that a program sees is the reference's."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro.compat import torch as our_torch
from mlx_spectro.compat import torchaudio as our_torchaudio

from . import likeness

pytestmark = pytest.mark.usefixtures("ours", "every_warning")


class Draw(random.Random):
    """Random options."""

    def of(self, usual: Sequence[Any], odd: Sequence[Any] = ()) -> Any:
        """One of the usual values, and rarely an odd one."""
        return self.choice(odd if odd and self.random() < 0.06 else usual)

    def some(self, options: dict[str, Any]) -> dict[str, Any]:
        """Some of the options; the others take their defaults."""
        return {key: value for key, value in options.items() if key == "n_fft" or self.random() < 0.6}

    def array(
        self, shapes: Sequence[Any], dtypes: Sequence[str], odd: Sequence[Any] = (), rare: Sequence[str] = ()
    ) -> Any:
        """Noise of some shape, dtype and layout."""
        shape, dtype = self.of(shapes, odd), getattr(torch, self.of(dtypes, rare))
        rng = np.random.default_rng(self.randrange(9))
        x = rng.standard_normal((*shape, 2)) @ ([1, 1j] if dtype.is_complex else [1, 0])
        return VIEWS[self.of(list(VIEWS))](torch.from_numpy(np.asarray(x)).to(dtype))


WINDOWS: dict[str, Callable[[int], Any]] = {
    "hann": torch.hann_window,
    "ones": torch.ones,
    "stepped": lambda n: torch.hann_window(2 * n)[::2],
    "noise": lambda n: torch.from_numpy(np.random.default_rng(n).standard_normal(n, np.float32)),
}
ODD_WINDOWS: dict[str, Callable[[int], Any]] = {
    "zeros": torch.zeros,
    "too long": lambda n: torch.ones(n + 1),
    "of two axes": lambda n: torch.ones(1, n),
    "of bools": lambda n: torch.ones(n, dtype=torch.bool),
}
VIEWS: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda x: x,
    "every second": lambda x: x.repeat_interleave(2, -1)[..., ::2] if x.dim() else x,
    "interleaved": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1) if x.dim() else x,
    "swapped": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1) if x.dim() > 2 else x,
    "repeated": lambda x: x.expand(2, *x.shape),
    "one for all": lambda x: x[:1].expand(x.shape) if x.dim() > 1 else x,
    "offset": lambda x: torch.cat([x, x], -1)[..., x.shape[-1] :] if x.dim() else x,
    "negative": lambda x: torch._neg_view(x) if x.is_floating_point() else x.conj(),
}
REAL, ODD_REAL = ["float32"] * 3 + ["float64"], ["float16", "bfloat16", "int32", "complex64"]
COMPLEX, ODD_COMPLEX = ["complex64"] * 3 + ["complex128"], ["float32"]
PADS = ["reflect", "reflect", "constant", "replicate", "circular"], ["wrap", None, 3]
NORMS = [False, False, True, "window", "frame_length"], ["loudness", None]
POWERS = [2.0, 2, 1.0, 1.5, 3.0], [None, 0, -1.0, np.float64(2), "2"]


def audio(draw: Draw) -> Any:
    shapes, odd = [(300,), (2, 300), (1, 299), (2, 3, 160), (2, 1, 160)], [(40,), (0, 300), (2, 0), (1,), ()]
    return draw.array(shapes, REAL, odd, ODD_REAL)


def levels(draw: Draw) -> Any:
    shapes, odd = [(9, 11), (2, 9, 11), (2, 3, 9, 5), (1, 9, 1)], [(0, 9, 3), (2, 9, 0), (11,), ()]
    return draw.array(shapes, REAL, odd, ODD_REAL)


def framing(draw: Draw) -> dict[str, Any]:
    n_fft = draw.of([16, 31, 32, 100, 127], [2, 1, 0])
    win_length = draw.of([None, n_fft, n_fft // 2 + 1], [n_fft - 1, n_fft + 1])
    return {
        "n_fft": n_fft,
        "hop_length": draw.of([None, n_fft // 4, n_fft // 4, 7], [1, n_fft // 2, n_fft, 405, 0, np.int64(5)]),
        "win_length": win_length,
    }


def window(draw: Draw, options: dict[str, Any], x: Any) -> Any:
    kinds = WINDOWS | ODD_WINDOWS
    length = max(0, options["n_fft"] if options["win_length"] is None else options["win_length"])
    made = kinds[draw.of(list(WINDOWS), list(ODD_WINDOWS))](length)
    return made.double() if x.dtype in (torch.float64, torch.complex128) else made


def spectral(draw: Draw) -> dict[str, Any]:
    """Options of a transform of torchaudio's."""
    more = {"pad": draw.of([0, 0, 3, 40], [-2]), "normalized": draw.of(*NORMS), "power": draw.of(*POWERS)}
    return framing(draw) | more | {"center": draw.of([True, False], [1, None]), "pad_mode": draw.of(*PADS)}


def of_spectrum(draw: Draw) -> tuple[Any, dict[str, Any]]:
    """A spectrum, mostly with as many bins as its options ask for."""
    options = framing(draw)
    onesided = draw.of([True, True, None, False])
    bins = options["n_fft"] if onesided is False else options["n_fft"] // 2 + 1
    shapes = [(bins, 12), (2, bins, 12), (2, 3, bins, 5), (2, 1, bins, 4)]
    odd = [(0, bins, 3), (bins + 1, 4), (2, bins, 0), (2, bins, 1), (bins,)]
    return draw.array(shapes, COMPLEX, odd, ODD_COMPLEX), options | {"onesided": onesided}


LENGTHS = [None, None, 20, 40], [0, 1, 500, -5]


def stft(draw: Draw) -> Any:
    x, options = audio(draw), framing(draw)
    more = {
        "window": draw.of([window(draw, options, x)], [None]),
        "center": draw.of([True, False], [1, None]),
        "pad_mode": draw.of(*PADS),
        "normalized": draw.of([True, False], [1]),
        "onesided": draw.of([True, False, None]),
    }
    return x, draw.some(options | more) | {"return_complex": draw.of([True, True, False], [None])}


def istft(draw: Draw) -> Any:
    z, options = of_spectrum(draw)
    more = {
        "window": draw.of([window(draw, options, z)], [None]),
        "center": draw.of([True, True, False], [1]),
        "normalized": draw.of([True, False]),
        "length": draw.of(*LENGTHS),
    }
    return z, options | draw.some(more)


def spectrogram(draw: Draw) -> Any:
    x, options = audio(draw), spectral(draw)
    return x, options | {"window": window(draw, options, x), "onesided": draw.of([True, True, None, False], [1])}


def inverse_spectrogram(draw: Draw) -> Any:
    z, options = of_spectrum(draw)
    more = {"length": draw.of(*LENGTHS), "pad": draw.of([0, 3], [40, -2]), "center": draw.of([True, True, False])}
    return z, options | more | {"window": window(draw, options, z), "normalized": draw.of(*NORMS)}


def spectral_centroid(draw: Draw) -> Any:
    x, options = audio(draw), framing(draw)
    more = {"pad": draw.of([0, 3]), "sample_rate": draw.of([16000], [8000.5, -3])}
    return x, options | more | {"window": window(draw, options, x)}


def decibel(draw: Draw) -> Any:
    more = {
        "multiplier": draw.of([10.0, 20], [-3.0, 0]),
        "amin": draw.of([1e-10, 1e-5], [0.0, 2]),
        "db_multiplier": draw.of([0.0, 1.0, -3.0], [-20.0, 400]),
        "top_db": draw.of([None, 80.0, 20], [-5.0, np.float64(60)]),
    }
    return levels(draw).abs(), more


def deltas(draw: Draw) -> Any:
    more = {"win_length": draw.of([5, 3, 4, 9], [2, 21, 23, np.int32(5)]), "mode": draw.of(*PADS)}
    # of a single value the slope is 0, and the reference's nothing but rounding
    shapes, odd = [(9, 11), (2, 9, 11), (2, 3, 9, 5), (1, 9, 7)], [(0, 9, 3), (2, 9, 0), (11,), ()]
    return draw.array(shapes, REAL, odd, ODD_REAL), draw.some(more)


def rates(draw: Draw) -> tuple[Any, dict[str, Any]]:
    more = {
        "lowpass_filter_width": draw.of([6, 1, 16], [0, 2.5, np.int64(3), "6"]),
        "rolloff": draw.of([0.99, 0.8], [1.5, 0.0, 1]),
        "resampling_method": draw.of(["sinc_interp_hann", "sinc_interp_kaiser"], ["kaiser_window", "linear", None]),
        "beta": draw.of([None, 14.0, 8, 5.0], [0.0, "2"]),
    }
    pair = {"orig_freq": draw.of([3, 8, 441], [0, 8.5, 8.0, "3"]), "new_freq": draw.of([2, 7, 160], [8, -1])}
    return audio(draw), pair | draw.some(more)


def speeds(draw: Draw) -> tuple[Any, dict[str, Any]]:
    factor = draw.of([0.9, 1.1, 1.0, 0.333], [0.0, 1e-9, float("inf"), np.float64(1.3), "2"])
    return audio(draw), {"orig_freq": draw.of([100, 160], [0, 100.5]), "factor": factor}


FLAGS = [True, False], [None, 1, np.bool_(False), "no", torch.tensor(True), torch.ones(2)]
WINDOW_TYPES = ["povey", "hamming", "hanning", "rectangular", "blackman"], ["hann", None]


def speech(draw: Draw) -> tuple[Any, dict[str, Any]]:
    """Audio, and how Kaldi takes frames out of it."""
    odd = [(900,), (0, 900), (2, 100), (1, 2, 600), (1, 0), ()]
    options = {
        "blackman_coeff": draw.of([0.42, 0.3], [np.float32(0.4), None]),
        "channel": draw.of([-1, 0, 0], [1, 2, True, 0.0, np.int64(0)]),
        "dither": draw.of([0.0, 0.0, 0.0, 1.0, 0.1], [np.nan, 1, np.float32(1)]),
        "energy_floor": draw.of([1.0, 0.0, 0.1, 100], [-1.0, np.inf, np.float32(1)]),
        "frame_length": draw.of([25.0, 32.0, 20, 20.7, 10.0], [0.05, 24.95, 200.0, 13.75, np.float32(25)]),
        "frame_shift": draw.of([10.0, 10, 12.5, 7.4, 30.0], [0.01, 90.0, -10.0, True, np.float64(10)]),
        "min_duration": draw.of([0.0, 0.01], [1.0, None]),
        "preemphasis_coefficient": draw.of([0.97, 0.97, 0.0, 1], [1.5, -0.1, np.nan]),
        **{name: draw.of(*FLAGS) for name in ("raw_energy", "remove_dc_offset", "snip_edges", "subtract_mean")},
        "round_to_power_of_two": draw.of([True, True, False], [None, 0]),
        "sample_frequency": draw.of([16000.0, 16000, 8000.0], [0.0, -8e3, np.float64(16000), np.float32(8000), np.inf]),
        "window_type": draw.of(*WINDOW_TYPES),
    }
    return draw.array([(1, 900), (2, 900), (2, 1600)], REAL, odd, ODD_REAL), draw.some(options)


def filtered_speech(draw: Draw) -> tuple[Any, dict[str, Any]]:
    options = {
        "high_freq": draw.of([0.0, -200.0, 3000], [9000.0, -1e4]),
        "htk_compat": draw.of(*FLAGS),
        "low_freq": draw.of([20.0, 0.0, 64], [-1.0, 5000.0, np.float32(20)]),
        "num_mel_bins": draw.of([23, 8, 40], [3, 13.0, np.int64(20), None]),
        "use_energy": draw.of(*FLAGS),
        "vtln_high": draw.of([-500.0, -300], [0.0]),
        "vtln_low": draw.of([100.0, 150], [5.0]),
        "vtln_warp": draw.of([1.0, 1.0, 1.1, 0.9], [0.0, 1]),
    }
    x, frames = speech(draw)
    return x, frames | draw.some(options)


def fbank(draw: Draw) -> tuple[Any, dict[str, Any]]:
    x, options = filtered_speech(draw)
    return x, options | draw.some({"use_log_fbank": draw.of(*FLAGS), "use_power": draw.of(*FLAGS)})


def kaldi_mfcc(draw: Draw) -> tuple[Any, dict[str, Any]]:
    x, options = filtered_speech(draw)
    more = {"cepstral_lifter": draw.of([22.0, 0.0, 10], [-22.0, None]), "num_ceps": draw.of([8, 5, 1], [0, 50, -2])}
    return x, options | draw.some(more)


def filters(draw: Draw) -> tuple[Any, Any, Any]:
    """A signal, and coefficients of one stable filter or of as many as it has channels."""
    x = draw.array([(40,), (3, 40), (2, 3, 40), (1, 600)], REAL, [(3, 0), (0, 3, 9), ()], ODD_REAL)
    order, several = draw.of([0, 1, 2, 5]), draw.of([False, False, True])
    shape, rng = (3, order + 1) if several else (order + 1,), np.random.default_rng(draw.randrange(9))
    # a filter that grows would multiply what rounding does
    a, b = (torch.from_numpy(rng.uniform(-0.4, 0.4, shape) / max(1, order)).to(x.dtype) for _ in range(2))
    a[..., 0] = draw.of([1.0, -0.5])
    return x, a, b


def convolved(draw: Draw) -> Any:
    x = draw.array([(40,), (3, 40), (2, 3, 40), (2, 300)], REAL, [(3, 0), (0, 3, 9), ()], ODD_REAL)
    taps, shape = draw.of([2, 7, 40, 90], [0]), tuple(x.shape[:-1])
    lead = draw.of([shape, shape, (1,) * len(shape)], [(*shape, 2), (4,)])
    y = draw.array([(*lead, taps)], [str(x.dtype).removeprefix("torch.")], (), ["float32", "float64"])
    return x, {"y": y} | draw.some({"mode": draw.of(["full", "valid", "same"], ["circular", None, b"same"])})


def sliding(draw: Draw) -> Any:
    more = {
        "cmn_window": draw.of([600, 9, 4, 2], [1, 0, -3, 2.5, None, np.int64(5)]),
        "min_cmn_window": draw.of([100, 5, 1], [0, -1, True, "3"]),
        "center": draw.of(*FLAGS),
        "norm_vars": draw.of([False], [None, 0]),
    }
    # of equal frames nothing is left but rounding
    x = draw.array([(2, 9, 11), (2, 3, 9, 5), (1, 20, 1)], REAL, [(0, 9, 3), (2, 9, 0), (11,), ()], ODD_REAL)
    return x, draw.some(more)


def lfilter(draw: Draw) -> Any:
    x, a, b = filters(draw)
    more = {"clamp": draw.of([True, False], [1, None]), "batching": draw.of([True, False], [0])}
    return x, {"a_coeffs": a, "b_coeffs": b} | draw.some(more)


def filtfilt(draw: Draw) -> Any:
    x, a, b = filters(draw)
    return x, {"a_coeffs": a, "b_coeffs": b} | draw.some({"clamp": draw.of([True, False], [1, None])})


def highpass(draw: Draw) -> Any:
    x, _, _ = filters(draw)
    more = {"Q": draw.of([0.707, 2, torch.tensor(0.5)], [np.float32(0.6), "1", None, True])}
    rate, hz = draw.of([16000, 44100.5], [None]), draw.of([1000.0, 3000, torch.tensor(800.0)], [np.int32(900), "80"])
    return x, {"sample_rate": rate, "cutoff_freq": hz} | draw.some(more)


def emphasis(draw: Draw) -> Any:
    x, _, _ = filters(draw)
    return x, draw.some({"coeff": draw.of([0.97, 0.5, 1, 0], [np.float64(0.9), True, None, "1", 1e300])})


def effect(odd: list[tuple[int, ...]], **options: tuple[list[Any], list[Any]]) -> Callable[[Draw], Any]:
    """Calls with some options, each of usual and of odd values."""

    def drawn(draw: Draw) -> Any:
        x = draw.array([(2, 90), (2, 3, 60), (1, 200)], REAL, odd, ODD_REAL)
        return x, draw.some({name: draw.of(*values) for name, values in options.items()})

    return drawn


dither = effect([(3, 0), ()], density_function=(["TPDF", "RPDF"], ["", None, 1]), noise_shaping=FLAGS)
_FLANGED = effect(
    [(5, 9), (3, 0), (9,), ()],
    delay=([0.0, 3], [-1.0, None]),
    depth=([2.0, 0, 4.4], ["2"]),
    regen=([0.0, 40, -20.5], [np.float32(3), True]),
    width=([71.0, 10], [None]),
    speed=([0.5, 80.0], [0, -1.0]),
    phase=([25.0, 0, 80.0], [-5.0]),
    modulation=(["sinusoidal", "triangular"], ["square", None]),
    interpolation=(["linear", "quadratic"], ["cubic", 2]),
)
_PHASED = effect(
    [(3, 0), (9,), ()],
    gain_in=([0.4, 2], [None]),
    gain_out=([0.74, 3], ["1"]),
    delay_ms=([3.0, 1.1], [0, -3.0]),
    decay=([0.4, -0.5], [True, np.float64(0.3)]),
    mod_speed=([0.5, 80], [0, -0.5]),
    sinusoidal=([True, False], [0, None, "no"]),
)


def flanger(draw: Draw) -> Any:
    x, options = _FLANGED(draw)
    return x, {"sample_rate": draw.of([4000, 2222.5], [0, None]), **options}


def phaser(draw: Draw) -> Any:
    x, options = _PHASED(draw)
    return x, {"sample_rate": draw.of([4000, 2222.5], [0, None]), **options}


def pitched(draw: Draw) -> Any:
    more = {
        "frame_time": draw.of([0.01, 0.02], [0, -0.01]),
        "win_length": draw.of([3, 8], [2, 0, None, 60]),
        "freq_low": draw.of([85, 100.5], [0, 4000, "85"]),
        "freq_high": draw.of([1500, 3400], [90, -9, np.int64(1000)]),
    }
    x = draw.array([(2, 2000), (2, 3, 1500), (1500,)], REAL, [(2, 30), (3, 0), ()], ODD_REAL)
    return x, {"sample_rate": draw.of([8000, 8000.5], [0, None])} | draw.some(more)


def vad(draw: Draw) -> Any:
    more = {
        "trigger_level": draw.of([7.0, 1, 12], [None, 0]),
        "trigger_time": draw.of([0.25, 0.1], [0]),
        "search_time": draw.of([1.0, 0.4], [0, -1]),
        "allowed_gap": draw.of([0.25, 0], [-1.0]),
        "pre_trigger_time": draw.of([0.0, 0.1], [9.0, -1]),
        "boot_time": draw.of([0.35, 0], [-1.0, "1"]),
        "noise_reduction_amount": draw.of([1.35, 0.5], [np.float32(1)]),
        "measure_freq": draw.of([20.0, 30], [0]),
        "measure_duration": draw.of([None, 0.07], [0, "1"]),
        "hp_filter_freq": draw.of([50.0, 0], [5000.0]),
        "lp_lifter_freq": draw.of([2000.0, 1500], [100.0]),
    }
    x = draw.array([(2, 9000), (12000,)], REAL, [(2, 30), (2, 2, 9000), (3, 0), ()], ODD_REAL)
    if x.is_floating_point() and x.dim():
        x = x * torch.where(torch.arange(x.shape[-1]) < 5000, 0.02, 1.0).to(x.dtype)
    return x, {"sample_rate": draw.of([8000, 8000.5], [0, None])} | draw.some(more)


def covariances(draw: Draw) -> Any:
    x = draw.array([(2, 5, 9), (2, 3, 5, 9), (1, 4, 1)], ["complex64"] * 3 + ["complex128"], [(5, 9), (2, 0, 9), ()])
    kind = str(x.dtype).removeprefix("torch.").replace("complex64", "float32").replace("complex128", "float64")
    shape = (*x.shape[:-3], *x.shape[-2:]) if x.dim() > 2 else (5, 9)
    mask = draw.array([shape], [kind], [(5, 9), (2, 3)], ["float64", "int64", "complex64"])
    mask = mask.square() if mask.shape == shape else mask
    more = {"normalize": draw.of([True, False], [0, None]), "eps": draw.of([1e-10, 0.1], [None, "1", 1])}
    return x, {"mask": draw.of([mask, mask, None])} | draw.some(more)


def encoded(draw: Draw) -> Any:
    x = draw.array([(2, 90), (2, 3, 60), (200,)], REAL, [(3, 0), ()], ODD_REAL)
    x = x.tanh() if x.is_floating_point() else x
    return x, {"quantization_channels": draw.of([256, 16, 2, 101], [0, 1000, None, 16.5, np.int64(16)])}


def decoded(draw: Draw) -> Any:
    x = draw.array([(2, 90), (2, 3, 60), (200,)], ["int64", "int32", "uint8"], [(3, 0), ()], REAL)
    channels = draw.of([256, 300, 1000], [16, 1, None, 256.5, np.int64(256)])
    return x % 200 if draw.of([True], [False]) else x, {"quantization_channels": channels}


def mixed(draw: Draw) -> Any:
    x = draw.array([(2, 90), (2, 3, 60), (200,)], REAL, [(3, 0), ()], ODD_REAL)
    kind = [str(x.dtype).removeprefix("torch.")]
    shape = tuple(x.shape) or (1,)
    lengths = torch.full(shape[:-1], draw.of([20, 59, 300], [0, -3]))
    noise, snr = (draw.array([each], kind, [(2, 9), (1, *each)], REAL) for each in (shape, shape[:-1]))
    return x.contiguous(), {
        "noise": draw.of([noise, noise.contiguous(), noise.contiguous()]),
        "snr": snr,
        "lengths": draw.of([None, lengths, lengths.int()], [lengths.float(), lengths[..., None]]),
    }


def mels(draw: Draw) -> Any:
    x = draw.array([(4, 11), (2, 4, 5), (2, 3, 4, 1), (1, 4, 3)], REAL, [(3, 4), (2, 4, 0), (4,), ()], ODD_REAL)
    more = {"norm": draw.of([None, "slaney"]), "driver": draw.of(["gels", "gelsd", "gelss"], ["gelsq"])}
    return x, {"n_stft": draw.of([9, 33], [4]), "n_mels": 4} | draw.some(more)


# what a function or a module of a class is called with, and the options that it is called or made with
DRAWN: dict[str, Callable[[Draw], tuple[Any, dict[str, Any]]]] = {
    "torch.stft": stft,
    "torch.istft": istft,
    "torchaudio.functional.spectrogram": spectrogram,
    "torchaudio.functional.inverse_spectrogram": inverse_spectrogram,
    "torchaudio.functional.spectral_centroid": spectral_centroid,
    "torchaudio.functional.amplitude_to_DB": decibel,
    "torchaudio.functional.compute_deltas": deltas,
    "torchaudio.compliance.kaldi.spectrogram": speech,
    "torchaudio.compliance.kaldi.fbank": fbank,
    "torchaudio.compliance.kaldi.mfcc": kaldi_mfcc,
    "torchaudio.transforms.ComputeDeltas": deltas,
    "torchaudio.functional.resample": rates,
    "torchaudio.transforms.Resample": rates,
    "torchaudio.functional.speed": speeds,
    "torchaudio.transforms.Speed": speeds,
    "torchaudio.functional.convolve": convolved,
    "torchaudio.functional.fftconvolve": convolved,
    "torchaudio.functional.sliding_window_cmn": sliding,
    "torchaudio.functional.dither": dither,
    "torchaudio.functional.mu_law_encoding": encoded,
    "torchaudio.functional.mu_law_decoding": decoded,
    "torchaudio.transforms.MuLawEncoding": encoded,
    "torchaudio.transforms.MuLawDecoding": decoded,
    "torchaudio.transforms.InverseMelScale": mels,
    "torchaudio.functional.add_noise": mixed,
    "torchaudio.functional.psd": covariances,
    "torchaudio.functional.flanger": flanger,
    "torchaudio.functional.phaser": phaser,
    "torchaudio.functional.detect_pitch_frequency": pitched,
    "torchaudio.functional.vad": vad,
    "torchaudio.functional.lfilter": lfilter,
    "torchaudio.functional.filtfilt": filtfilt,
    "torchaudio.functional.highpass_biquad": highpass,
    "torchaudio.functional.preemphasis": emphasis,
    "torchaudio.functional.deemphasis": emphasis,
    "torchaudio.transforms.Preemphasis": emphasis,
    "torchaudio.transforms.Deemphasis": emphasis,
    "torchaudio.transforms.Spectrogram": lambda draw: (audio(draw), draw.some(spectral(draw))),
    "torchaudio.transforms.MelScale": lambda draw: (levels(draw), {"n_mels": draw.of([4, 1], [0]), "n_stft": 9}),
    "torchaudio.transforms.MelSpectrogram": lambda draw: (
        audio(draw),
        draw.some(spectral(draw)) | {"n_mels": draw.of([4, 8], [0, 40])},
    ),
    "torchaudio.transforms.MFCC": lambda draw: (
        audio(draw),
        {
            "n_mfcc": 3,
            "log_mels": draw.of([False, True]),
            "norm": draw.of([None, "ortho"]),
            "melkwargs": draw.some(spectral(draw)) | {"n_mels": draw.of([4, 8])},
        },
    ),
    "torchaudio.transforms.LFCC": lambda draw: (
        audio(draw),
        {"n_lfcc": 3, "n_filter": 6, "log_lf": draw.of([False, True]), "speckwargs": draw.some(spectral(draw))},
    ),
}
# logarithms of bins 80 dB down keep four digits
CALLS = 100
KALDI = ("spectrogram", "fbank", "mfcc")
LOGARITHMIC = ("transforms.MFCC", "transforms.LFCC", *(f"compliance.kaldi.{name}" for name in KALDI))
TOLERANCES = {f"torchaudio.{name}": 1e-3 for name in LOGARITHMIC}


def first(result: Any) -> Any:
    """The array of a result, which lengths may follow."""
    return result[0] if isinstance(result, tuple) else result


def caller(library: Any, name: str, options: dict[str, Any]) -> Callable[[Any], Any]:
    found = library
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    if not isinstance(found, type):
        return lambda x: first(found(x, **options))

    def call(x: Any) -> Any:
        module: Any = found(**options)
        return first((module.double() if x.dtype in (torch.float64, torch.complex128) else module)(x))

    return call


def callers(name: str, options: dict[str, Any]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    ours, theirs = (our_torch, torch) if name.startswith("torch.") else (our_torchaudio, torchaudio)
    return caller(ours, name, options), caller(theirs, name, options)


def described(x: Any, options: dict[str, Any]) -> str:
    return f"{likeness.shown(x)}, strides {x.stride()}, {options}"


@pytest.mark.parametrize("name", DRAWN)
def test_random_calls_are_the_reference_s(name: str) -> None:
    served, tolerance = 0, TOLERANCES.get(name, 1e-5)
    for seed in range(CALLS):
        x, options = DRAWN[name](Draw(f"{name} {seed}"))
        unlike = likeness.unlike(name, callers(name, options), x, bound=lambda largest: tolerance * largest)
        assert not unlike, f"{unlike}; {described(x, options)}"
        served += (name, "") in likeness.reasons()
    assert served > CALLS / 4


def gradient_of(call: Callable[[Any], Any], changed: bool) -> Callable[[Any], Any]:
    """What ``call``'s gradient is for some cotangent; its input may have been changed in place before."""

    def gradient(x: Any) -> Any:
        leaf = x.detach().requires_grad_()
        given = leaf * 1 if changed else leaf
        y = call(given)
        if changed:
            with torch.no_grad():
                given.zero_()
        cotangent = np.random.default_rng(0).standard_normal(tuple(y.shape))
        return torch.autograd.grad(y, leaf, torch.from_numpy(np.asarray(cotangent)).to(y.dtype))[0]

    return gradient


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("name", DRAWN)
def test_random_gradients_are_the_reference_s(name: str, changed: bool) -> None:
    for seed in range(CALLS // 2):
        x, options = DRAWN[name](Draw(f"{name} gradient {seed}"))
        if not (x.is_floating_point() or x.is_complex()):
            continue
        mine, theirs = (gradient_of(call, changed) for call in callers(name, options))
        unlike = likeness.unlike(name, (mine, theirs), x, bound=lambda largest: 1e-3 * largest)
        assert not unlike, f"{unlike}; {described(x, options)}"
