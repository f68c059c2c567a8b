"""Random calls of torchaudio's functions and classes, of tensors in double precision."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

Arguments = dict[str, Any]


class Call(NamedTuple):
    """How calls of a name are drawn."""

    options: Callable[[Random], Arguments]
    """Of a function its arguments, of a class those of its constructor."""
    inputs: Callable[[Random, Arguments], Arguments] = lambda g, options: {}
    """Of a class, the arguments of its ``forward``."""
    exact: bool = False
    """The very numbers are to come out: they are whole, or drawn at random in a number's own precision."""


def noise(g: Random, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(
        shape, generator=torch.Generator().manual_seed(g.randrange(1 << 30)), dtype=torch.float64
    )


def spectra(g: Random, *shape: int) -> Tensor:
    return torch.complex(noise(g, *shape), noise(g, *shape))


def leading(g: Random) -> tuple[int, ...]:
    return g.choice([(), (1,), (2,), (2, 3)])


def audio(g: Random, least: int = 600, most: int = 900, scale: float = 0.2) -> Tensor:
    return noise(g, *leading(g), g.randint(least, most), scale=scale)


def framing(g: Random) -> Arguments:
    n_fft = g.choice([64, 100, 101, 128])
    win_length = g.choice([n_fft, n_fft, n_fft - 7])
    return {"n_fft": n_fft, "win_length": win_length, "hop_length": g.choice([win_length // 2, n_fft // 4, 10])}


def of_spectrogram(g: Random) -> Arguments:
    kind = framing(g)
    window = torch.hann_window(kind["win_length"], dtype=torch.float64)
    return {
        "waveform": audio(g),
        "pad": g.choice([0, 5]),
        "window": window,
        **kind,
        "power": g.choice([None, 1.0, 2.0, 0.5]),
        "normalized": g.choice([True, False, "window", "frame_length", "wrong", 1]),
        "center": g.choice([True, True, False]),
        "pad_mode": g.choice(["reflect", "constant", "replicate"]),
        "onesided": g.choice([True, True, False]),
        "return_complex": g.choice([None, None, True]),
    }


def of_inverse(g: Random) -> Arguments:
    kind = framing(g)
    return {
        "spectrogram": g.choice([spectra, spectra, noise])(g, *leading(g), kind["n_fft"] // 2 + 1, 20),
        "length": g.choice([None, 100, 150]),
        "pad": g.choice([0, 5]),
        "window": torch.hamming_window(kind["win_length"], dtype=torch.float64),
        **kind,
        "normalized": g.choice([True, False, "window", "frame_length"]),
    }


def of_griffinlim(g: Random) -> Arguments:
    kind = framing(g)
    return {
        "specgram": noise(g, *leading(g), kind["n_fft"] // 2 + 1, 30).square(),
        "window": torch.hamming_window(kind["win_length"], dtype=torch.float64),
        **kind,
        "power": g.choice([1.0, 2.0]),
        "n_iter": g.choice([0, 1, 3]),
        "momentum": g.choice([0.0, 0.99, 0.3, 1.0]),
        "length": g.choice([None, 300]),
        "rand_init": False,
    }


def of_vocoder(g: Random) -> Arguments:
    bins, hop = g.choice([33, 65]), g.choice([16, 20])
    advance = torch.linspace(0, 3.141592653589793 * hop, bins, dtype=torch.float64)[:, None]
    # short, for phases add up
    return {
        "complex_specgrams": spectra(g, *leading(g), bins, g.randint(2, 9)),
        "rate": g.choice([1.0, 0.8, 1.3, 2.0]),
        "phase_advance": advance,
    }


def of_mask(g: Random) -> Arguments:
    shape = (*leading(g), g.randint(5, 20), g.randint(5, 30))
    return {
        "mask_param": g.choice([0, 1, 4, 50]),
        "axis": g.choice([len(shape) - 1, len(shape) - 2, 0]),
        "p": g.choice([1.0, 0.5, 0.1, 1.5]),
        "specgram": noise(g, *shape),
        "mask_value": g.choice([0.0, -3.0]),
    }


def of_mask_iid(g: Random) -> Arguments:
    options = of_mask(g)
    options["specgrams"] = options.pop("specgram")
    if g.random() < 0.3:
        options["mask_value"] = options["specgrams"].mean()
    return options


def of_cmn(g: Random) -> Arguments:
    return {
        "specgram": noise(g, *leading(g), g.randint(5, 40), 6),
        "cmn_window": g.choice([4, 10, 600]),
        "min_cmn_window": g.choice([2, 8, 100]),
        "center": g.choice([True, False]),
        "norm_vars": g.choice([True, False]),
    }


def of_resampling(g: Random) -> Arguments:
    return {
        "orig_freq": g.choice([8, 5, 441, 0]),
        "new_freq": g.choice([8, 4, 5, 320]),
        "lowpass_filter_width": g.choice([6, 16, 1, 0]),
        "rolloff": g.choice([0.99, 0.8]),
        "resampling_method": g.choice(
            ["sinc_interp_hann", "sinc_interp_kaiser", "sinc_interpolation", "kaiser_window", "linear"]
        ),
        "beta": g.choice([None, 8.0]),
    }


def of_filter(g: Random) -> Arguments:
    order, filters = g.choice([1, 2, 4]), g.choice([0, 2, 3])
    shape = (filters, order + 1) if filters else (order + 1,)
    # stable: the sum of the magnitudes of what comes back is below the first
    a, b = noise(g, *shape, scale=0.2 / order), noise(g, *shape)
    a[..., 0] = g.choice([1.0, 2.0])
    signals = (2, 3, 120) if g.random() < 0.5 else (filters or 1, 120)
    return {
        "waveform": noise(g, *signals, scale=0.3),
        "a_coeffs": a,
        "b_coeffs": b if g.random() < 0.9 else b[..., 1:],
        "clamp": g.choice([True, False]),
    }


def biquad(name: str) -> Call:
    def options(g: Random) -> Arguments:
        kind: Arguments = {"waveform": audio(g, 100, 300), "sample_rate": g.choice([16000, 44100])}
        frequency = {
            "equalizer_biquad": "center_freq",
            "highpass_biquad": "cutoff_freq",
            "lowpass_biquad": "cutoff_freq",
        }
        kind[frequency.get(name, "central_freq")] = g.uniform(60.0, 6000.0)
        if g.random() < 0.5:
            kind["Q"] = g.uniform(0.5, 3.0)
        if name in ("bass_biquad", "treble_biquad", "equalizer_biquad"):
            kind["gain"] = g.uniform(-12.0, 12.0)
        if name == "band_biquad":
            kind["noise"] = g.choice([True, False])
        if name == "bandpass_biquad":
            kind["const_skirt_gain"] = g.choice([True, False])
        return kind

    return Call(options)


def at_rates(*rates: int) -> Call:
    return Call(lambda g: {"waveform": audio(g, 100, 300), "sample_rate": g.choice(rates)})


def pair(g: Random) -> Arguments:
    n, m = g.randint(1, 60), g.randint(1, 60)
    one, other = g.choice([((), ()), ((2,), (2,)), ((2, 3), (1, 3)), ((2,), (3,)), ((2,), ())])
    return {"x": noise(g, *one, n), "y": noise(g, *other, m), "mode": g.choice(["full", "valid", "same", "half"])}


def covariance(g: Random, *shape: int) -> Tensor:
    x = spectra(g, *shape, 4, 8)
    return x @ x.mH


def reference(g: Random) -> Any:
    return g.choice([0, 2, torch.eye(4, dtype=torch.float64)[1], 1.5])


def of_souden(g: Random) -> Arguments:
    shape = g.choice([(5,), (2, 5)])
    return {
        "psd_s": covariance(g, *shape),
        "psd_n": covariance(g, *shape) if g.random() < 0.9 else noise(g, *shape, 4, 4),
        "reference_channel": reference(g),
        "diagonal_loading": g.choice([True, False]),
        "diag_eps": g.choice([1e-7, 1e-3]),
    }


def of_rtf(g: Random) -> Arguments:
    options = of_souden(g)
    options["rtf"] = spectra(g, *options.pop("psd_s").shape[:-1])
    options["reference_channel"] = g.choice([options["reference_channel"], None])
    return options


def of_noise(g: Random) -> Arguments:
    shape = g.choice([(), (2,), (2, 3)])
    return {
        "waveform": noise(g, *shape, 50),
        "noise": noise(g, *shape, g.choice([50, 50, 50, 49])),
        "snr": noise(g, *shape, scale=10.0),
        "lengths": g.choice([None, torch.full(shape, 30), torch.full((*shape, 1), 30)]),
    }


def of_kaldi(g: Random) -> Arguments:
    return {
        "waveform": noise(g, g.choice([1, 2]), g.randint(900, 1500), scale=1000.0),
        "channel": g.choice([-1, -1, -1, 0, 1]),
        "energy_floor": g.choice([0.0, 1.0, 1e12]),
        "frame_length": g.choice([25.0, 20.0, 6.3]),
        "frame_shift": g.choice([10.0, 5.0]),
        "min_duration": g.choice([0.0] * 9 + [10.0]),
        "preemphasis_coefficient": g.choice([0.97] * 5 + [0.0, 1.5]),
        "raw_energy": g.choice([True, False]),
        "remove_dc_offset": g.choice([True, False]),
        "round_to_power_of_two": g.choice([True, True, False]),
        "snip_edges": g.choice([True, False]),
        "subtract_mean": g.choice([True, False]),
        "window_type": g.choice(["povey", "hamming", "hanning", "rectangular", "blackman", "kaiser"]),
    }


def of_fbank(g: Random) -> Arguments:
    return {
        **of_kaldi(g),
        "high_freq": g.choice([0.0, -200.0, 7000.0]),
        "htk_compat": g.choice([True, False]),
        "low_freq": g.choice([20.0, 60.0]),
        "num_mel_bins": g.choice([23, 23, 15, 15, 3]),
        "use_energy": g.choice([True, False]),
        "vtln_warp": g.choice([1.0, 1.0, 0.9, 1.1]),
    }


def of_mfcc(g: Random) -> Arguments:
    return {**of_fbank(g), "num_ceps": g.choice([13, 5, 13, 5, 20]), "cepstral_lifter": g.choice([22.0, 0.0])}


def of_vad(g: Random) -> Arguments:
    silence, speech = noise(g, 1, g.choice([2000, 8000]), scale=1e-3), noise(g, 1, 6000, scale=0.02)
    tone = (torch.arange(6000, dtype=torch.float64) * 0.08).sin().sign() * 0.3
    return {
        "waveform": torch.cat([silence, speech + tone], 1).repeat(g.choice([1, 2]), 1),
        "sample_rate": 8000,
        "trigger_level": g.choice([7.0, 2.0, 40.0]),
        "pre_trigger_time": g.choice([0.0, 0.1]),
        "allowed_gap": g.choice([0.25, 0.05]),
        "lp_lifter_freq": g.choice([2000.0, 100.0, 2000.0]),
        "measure_duration": g.choice([None, 0.05]),
    }


FUNCTIONS: dict[str, Call] = {
    "functional.spectrogram": Call(of_spectrogram),
    "functional.inverse_spectrogram": Call(of_inverse),
    "functional.griffinlim": Call(of_griffinlim),
    "functional.phase_vocoder": Call(of_vocoder),
    "functional.spectral_centroid": Call(
        lambda g: {
            name: value
            for name, value in {**of_spectrogram(g), "sample_rate": 16000}.items()
            if name in ("waveform", "sample_rate", "pad", "window", "n_fft", "hop_length", "win_length")
        }
    ),
    "functional.amplitude_to_DB": Call(
        lambda g: {
            "x": noise(g, *leading(g), 6, 9).square(),
            "multiplier": g.choice([10.0, 20.0]),
            "amin": 1e-10,
            "db_multiplier": g.choice([0.0, -0.5]),
            "top_db": g.choice([None, 80.0, 10.0]),
        }
    ),
    "functional.DB_to_amplitude": Call(
        lambda g: {"x": noise(g, 3, 9, scale=20.0), "ref": g.choice([1.0, 0.3]), "power": g.choice([0.5, 1.0])}
    ),
    "functional.melscale_fbanks": Call(
        lambda g: {
            "n_freqs": g.choice([201, 129, 10]),
            "f_min": g.choice([0.0, 50.0]),
            "f_max": g.choice([8000.0, 4000.0]),
            "n_mels": g.choice([40, 80]),
            "sample_rate": 16000,
            "norm": g.choice([None, "slaney", "wrong"]),
            "mel_scale": g.choice(["htk", "slaney", "wrong"]),
        }
    ),
    "functional.linear_fbanks": Call(
        lambda g: {
            "n_freqs": g.choice([201, 129]),
            "f_min": g.choice([0.0, 50.0]),
            "f_max": 8000.0,
            "n_filter": g.choice([40, 80]),
            "sample_rate": 16000,
        }
    ),
    "functional.create_dct": Call(
        lambda g: {"n_mfcc": g.choice([13, 40]), "n_mels": g.choice([40, 80]), "norm": g.choice([None, "ortho", "no"])}
    ),
    "functional.mask_along_axis": Call(of_mask, exact=True),
    "functional.mask_along_axis_iid": Call(of_mask_iid, exact=True),
    "functional.compute_deltas": Call(
        lambda g: {
            "specgram": noise(g, *leading(g), 5, 20),
            "win_length": g.choice([5, 3, 6, 2]),
            "mode": g.choice(["replicate", "reflect"]),
        }
    ),
    "functional.sliding_window_cmn": Call(of_cmn),
    "functional.detect_pitch_frequency": Call(
        lambda g: {
            "waveform": audio(g, 3000, 5000),
            "sample_rate": 8000,
            "win_length": g.choice([30, 5]),
            "freq_low": g.choice([85, 200]),
        },
        exact=True,
    ),
    "functional.loudness": Call(lambda g: {"waveform": noise(g, g.choice([1, 2, 5, 6]), 1200), "sample_rate": 1000}),
    "functional.mu_law_encoding": Call(
        lambda g: {"x": noise(g, 50).clamp(-1, 1) * g.choice([1, 0.5]), "quantization_channels": g.choice([256, 16])},
        exact=True,
    ),
    "functional.mu_law_decoding": Call(
        lambda g: {"x_mu": torch.arange(256) % g.choice([256, 16]), "quantization_channels": g.choice([256, 16])}
    ),
    "functional.preemphasis": Call(lambda g: {"waveform": audio(g), "coeff": g.uniform(0, 1)}),
    "functional.deemphasis": Call(lambda g: {"waveform": audio(g, 100, 200), "coeff": g.uniform(0, 0.97)}),
    "functional.add_noise": Call(of_noise),
    "functional.resample": Call(lambda g: {"waveform": audio(g), **of_resampling(g)}),
    "functional.speed": Call(
        lambda g: {
            "waveform": audio(g),
            "orig_freq": g.choice([16000, 8000]),
            "factor": g.choice([0.9, 1.0, 1.1]),
            "lengths": g.choice([None, torch.tensor([300, 500])]),
        }
    ),
    "functional.pitch_shift": Call(
        lambda g: {
            "waveform": audio(g),
            "sample_rate": 8000,
            "n_steps": g.choice([12, -12, 0]),
            "n_fft": g.choice([128, 256]),
            "hop_length": g.choice([None, 32]),
        }
    ),
    "functional.convolve": Call(pair),
    "functional.fftconvolve": Call(pair),
    "functional.psd": Call(
        lambda g: {
            "specgram": spectra(g, *leading(g), 4, 5, 9),
            "mask": g.choice([None, noise(g, 5, 9).square()]),
            "normalize": g.choice([True, False]),
        }
    ),
    "functional.mvdr_weights_souden": Call(of_souden),
    "functional.mvdr_weights_rtf": Call(of_rtf),
    "functional.rtf_power": Call(
        lambda g: {**{k: v for k, v in of_souden(g).items() if k != "eps"}, "n_iter": g.choice([0, 1, 2, 3])}
    ),
    "functional.rtf_evd": Call(lambda g: {"psd_s": g.choice([covariance, noise])(g, 5, 4, 4)}),
    "functional.apply_beamforming": Call(
        lambda g: {
            "beamform_weights": spectra(g, 2, 5, 4),
            "specgram": g.choice([spectra, spectra, noise])(g, g.choice([2, 2, 3]), 4, 5, 9),
        }
    ),
    "functional.frechet_distance": Call(
        lambda g: {
            "mu_x": noise(g, 4),
            "sigma_x": covariance(g).real,
            "mu_y": noise(g, g.choice([4, 4, 5])),
            "sigma_y": covariance(g).real,
        }
    ),
    "functional.edit_distance": Call(
        lambda g: {name: "".join(g.choice("abc") for _ in range(g.randint(0, 8))) for name in ("seq1", "seq2")},
        exact=True,
    ),
    "functional.lfilter": Call(lambda g: {**of_filter(g), "batching": g.choice([True, False])}),
    "functional.filtfilt": Call(of_filter),
    "functional.biquad": Call(
        lambda g: {
            "waveform": audio(g, 100, 300),
            **{name: g.uniform(-0.4, 0.4) for name in ("b0", "b1", "b2", "a1", "a2")},
            "a0": 1.0,
        }
    ),
    **{
        f"functional.{name}_biquad": biquad(f"{name}_biquad")
        for name in ("allpass", "band", "bandpass", "bandreject", "bass", "equalizer", "highpass", "lowpass", "treble")
    },
    "functional.deemph_biquad": at_rates(44100, 48000, 16000),
    "functional.riaa_biquad": at_rates(44100, 48000, 88200, 96000, 16000),
    "functional.gain": Call(lambda g: {"waveform": audio(g), "gain_db": g.choice([0.0, 3.0, -6.0])}),
    "functional.contrast": Call(
        lambda g: {"waveform": audio(g), "enhancement_amount": g.choice([75.0, 0.0, 100.0, 101.0])}
    ),
    "functional.dcshift": Call(
        lambda g: {
            "waveform": audio(g, scale=0.5),
            "shift": g.choice([0.4, -0.4, 0.0]),
            "limiter_gain": g.choice([None, 0.05]),
        }
    ),
    "functional.dither": Call(
        lambda g: {
            "waveform": audio(g),
            "density_function": g.choice(["TPDF", "RPDF", "GPDF"]),
            "noise_shaping": g.choice([True, False]),
        },
        exact=True,
    ),
    "functional.overdrive": Call(
        lambda g: {"waveform": audio(g, 100, 200), "gain": g.choice([20, 5.0]), "colour": g.choice([20, 60.0])}
    ),
    "functional.phaser": Call(
        lambda g: {
            "waveform": audio(g, 200, 300),
            "sample_rate": 4000,
            "delay_ms": g.choice([3.0, 5.0]),
            "mod_speed": g.choice([0.5, 2.0]),
            "sinusoidal": g.choice([True, False]),
        }
    ),
    "functional.flanger": Call(
        lambda g: {
            "waveform": noise(g, *g.choice([(2,), (2, 3), (5,)]), 200, scale=0.2),
            "sample_rate": 4000,
            "delay": g.choice([0.0, 3.0]),
            "regen": g.choice([0.0, 40.0]),
            "modulation": g.choice(["sinusoidal", "triangular", "square"]),
            "interpolation": g.choice(["linear", "quadratic", "none"]),
        }
    ),
    "functional.vad": Call(of_vad, exact=True),
    "compliance.kaldi.spectrogram": Call(of_kaldi),
    "compliance.kaldi.fbank": Call(of_fbank),
    "compliance.kaldi.mfcc": Call(of_mfcc),
}


def _wave(g: Random, options: Arguments) -> Arguments:
    return {"waveform": audio(g, 1000, 1500)}


def _mel_options(g: Random) -> Arguments:
    return {
        "n_mels": g.choice([20, 32]),
        "f_min": g.choice([0.0, 100.0, 9000.0]),
        "f_max": g.choice([None, 7000.0]),
        "norm": g.choice([None, "slaney"]),
        "mel_scale": g.choice(["htk", "slaney"]),
    }


def _magnitudes(name: str, *shape: int) -> Callable[[Random, Arguments], Arguments]:
    return lambda g, options: {name: noise(g, *leading(g), *shape).square()}


def _windows(g: Random) -> Arguments:
    return {
        **framing(g),
        "window_fn": g.choice([torch.hann_window, torch.hamming_window]),
        "wkwargs": g.choice([None, {"periodic": False}]),
    }


CLASSES: dict[str, Call] = {
    "Spectrogram": Call(
        lambda g: {**_windows(g), "power": g.choice([None, 1.0, 2.0]), "normalized": g.choice([True, "frame_length"])},
        _wave,
    ),
    "InverseSpectrogram": Call(
        lambda g: {**_windows(g), "window_fn": torch.hamming_window, "normalized": g.choice([True, False])},
        lambda g, options: {"spectrogram": spectra(g, 2, options["n_fft"] // 2 + 1, 20)},
    ),
    "GriffinLim": Call(
        lambda g: {"n_fft": 64, "n_iter": 3, "momentum": g.choice([0.5, 1.0, 0.0])},
        _magnitudes("specgram", 33, 20),
        exact=True,
    ),
    "SpectralCentroid": Call(lambda g: {"sample_rate": 16000, **_windows(g)}, _wave),
    "AmplitudeToDB": Call(
        lambda g: {"stype": g.choice(["power", "magnitude"]), "top_db": g.choice([None, 80.0, -1.0])},
        _magnitudes("x", 6, 9),
    ),
    "MelScale": Call(lambda g: {**_mel_options(g), "n_stft": 201}, _magnitudes("specgram", 201, 9)),
    "InverseMelScale": Call(
        lambda g: {**_mel_options(g), "n_stft": 201, "driver": g.choice(["gels", "gelsy", "wrong"])},
        lambda g, options: {"melspec": noise(g, 2, options["n_mels"], 5).square()},
    ),
    "MelSpectrogram": Call(
        lambda g: {"n_fft": 400, **_mel_options(g), "onesided": g.choice([None, True])},
        _wave,
    ),
    "MFCC": Call(
        lambda g: {
            "n_mfcc": g.choice([13, 40]),
            "dct_type": g.choice([2, 2, 2, 3]),
            "norm": g.choice([None, "ortho"]),
            "log_mels": g.choice([True, False]),
            "melkwargs": g.choice([{"n_mels": 23}, {"n_mels": 64, "n_fft": 512}, None]),
        },
        _wave,
    ),
    "LFCC": Call(
        lambda g: {
            "n_filter": 40,
            "n_lfcc": g.choice([13, 500]),
            "log_lf": g.choice([True, False]),
            "f_max": g.choice([None, 4000.0]),
            "speckwargs": g.choice([None, {"n_fft": 512}]),
        },
        _wave,
    ),
    "ComputeDeltas": Call(lambda g: {"win_length": g.choice([3, 5])}, _magnitudes("specgram", 5, 20)),
    "SlidingWindowCmn": Call(
        lambda g: {"cmn_window": 10, "norm_vars": g.choice([True, False])}, _magnitudes("specgram", 30, 5)
    ),
    "TimeStretch": Call(
        lambda g: {"n_freq": 33, "hop_length": g.choice([None, 10]), "fixed_rate": g.choice([None, 0.9])},
        lambda g, options: {"complex_specgrams": spectra(g, 2, 33, 5), "overriding_rate": g.choice([None, 1.2])},
    ),
    "FrequencyMasking": Call(
        lambda g: {"freq_mask_param": g.choice([3, 8]), "iid_masks": g.choice([True, False])},
        _magnitudes("specgram", 20, 30),
        exact=True,
    ),
    "TimeMasking": Call(
        lambda g: {"time_mask_param": 8, "iid_masks": g.choice([True, False]), "p": g.choice([1.0, 0.2, 2.0])},
        _magnitudes("specgram", 20, 30),
        exact=True,
    ),
    "SpecAugment": Call(
        lambda g: {
            "n_time_masks": g.choice([0, 2]),
            "time_mask_param": 8,
            "n_freq_masks": g.choice([1, 2]),
            "freq_mask_param": 5,
            "iid_masks": g.choice([True, False]),
            "zero_masking": g.choice([True, False]),
        },
        _magnitudes("specgram", 20, 30),
        exact=True,
    ),
    "Resample": Call(of_resampling, _wave),
    "Speed": Call(
        lambda g: {"orig_freq": 16000, "factor": g.choice([0.9, 1.0, 1.1])},
        lambda g, options: {"waveform": audio(g), "lengths": g.choice([None, torch.tensor([100, 99])])},
    ),
    "SpeedPerturbation": Call(
        lambda g: {"orig_freq": 16000, "factors": [0.9, 1.0, 1.1]},
        lambda g, options: {"waveform": audio(g), "lengths": g.choice([None, torch.tensor([100, 99])])},
    ),
    "PitchShift": Call(lambda g: {"sample_rate": 8000, "n_steps": g.choice([12, 0, -12]), "n_fft": 128}, _wave),
    "AddNoise": Call(lambda g: {}, lambda g, options: of_noise(g)),
    "MuLawEncoding": Call(lambda g: {}, lambda g, options: {"x": noise(g, 50).clamp(-1, 1)}, exact=True),
    "MuLawDecoding": Call(lambda g: {}, lambda g, options: {"x_mu": torch.arange(256)}),
    "Fade": Call(
        lambda g: {
            "fade_in_len": g.choice([0, 50]),
            "fade_out_len": g.choice([0, 70]),
            "fade_shape": g.choice(["linear", "exponential", "logarithmic", "quarter_sine", "half_sine", "none"]),
        },
        _wave,
    ),
    "Vol": Call(
        lambda g: {"gain": g.choice([0.5, 2.0, -3.0]), "gain_type": g.choice(["amplitude", "power", "db"])}, _wave
    ),
    "Loudness": Call(lambda g: {"sample_rate": 1000}, lambda g, options: {"wavefrom": noise(g, 2, 1200)}),
    "Preemphasis": Call(lambda g: {"coeff": g.uniform(0, 1)}, _wave),
    "Deemphasis": Call(lambda g: {"coeff": g.uniform(0, 0.9)}, _wave),
    "Convolve": Call(lambda g: {"mode": g.choice(["full", "same", "half"])}, lambda g, options: _pair(g)),
    "FFTConvolve": Call(lambda g: {"mode": g.choice(["full", "valid", "half"])}, lambda g, options: _pair(g)),
    "Vad": Call(
        lambda g: {name: value for name, value in of_vad(g).items() if name != "waveform"},
        lambda g, options: {"waveform": of_vad(g)["waveform"]},
        exact=True,
    ),
    "PSD": Call(
        lambda g: {"multi_mask": True, "normalize": g.choice([True, False])},
        lambda g, options: {"specgram": spectra(g, 4, 5, 9), "mask": g.choice([None, noise(g, 4, 5, 9).square()])},
    ),
    "MVDR": Call(
        lambda g: {
            "ref_channel": g.choice([0, 2]),
            "solution": g.choice(["ref_channel", "stv_power", "wrong"]),
            "online": g.choice([True, False]),
            "multi_mask": g.choice([True, False]),
        },
        lambda g, options: {
            "specgram": spectra(g, 4, 5, 20),
            **{
                name: noise(g, *((4,) if options["multi_mask"] else ()), 5, 20).square().clamp(max=1)
                for name in ("mask_s", "mask_n")
            },
        },
    ),
    "RTFMVDR": Call(
        lambda g: {},
        lambda g, options: {
            **{name: value for name, value in of_rtf(g).items() if not name.startswith("diag")},
            "specgram": spectra(g, 4, 5, 9),
        },
    ),
    "SoudenMVDR": Call(
        lambda g: {},
        lambda g, options: {
            **{name: value for name, value in of_souden(g).items() if not name.startswith("diag")},
            "specgram": spectra(g, 4, 5, 9),
        },
    ),
}


def _pair(g: Random) -> Arguments:
    return {name: value for name, value in pair(g).items() if name != "mode"}
