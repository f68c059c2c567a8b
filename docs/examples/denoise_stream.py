"""Take steady noise out of a live stream: 16-bit mono samples come in at stdin and go out at stdout, a moment later.

usage: arecord -t raw -f S16_LE -r 16000 | denoise_stream.py [--rate 16000] | aplay -t raw -f S16_LE -r 16000

Of each bin, the noise is what its power seldom falls below; a bin keeps as much as it holds beyond that (Boll, 1979,
"Suppression of acoustic noise in speech using spectral subtraction").
"""

import argparse
import sys

import mlx.core as mx
import numpy as np

import mlx_spectro

# of a second: a frame, how long powers are smoothed, and how long a pause in speech may be awaited
FRAME, SMOOTHING, MEMORY = 0.032, 0.1, 1.5
# the mean of a power over its smallest smoothed value in MEMORY, and what is always kept, against musical noise
BIAS, LEAST = 3.0, 0.1


class Denoiser:
    """Audio [n] of any length in, audio out: what has come, at most ``latency`` samples later."""

    def __init__(self, rate: int) -> None:
        n_fft = 2 ** round(np.log2(FRAME * rate))
        frames = {"n_fft": n_fft, "hop_length": n_fft // 4}
        self.analysis = mlx_spectro.StreamingSTFT(**frames, center_pad_mode="constant")
        self.synthesis = mlx_spectro.StreamingISTFT(**frames)
        self.latency = n_fft
        self.samples = 0
        seconds = frames["hop_length"] / rate
        self.decay, self.rise = np.exp(-seconds / SMOOTHING), 10 ** (seconds / MEMORY)
        self.smooth = self.noise = np.float64(np.inf)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """int16 or float samples [n] -> float samples that are ready."""
        self.samples += len(samples)
        return self._resynthesised(self.analysis.push(mx.array(samples)))

    def flush(self) -> np.ndarray:
        """What is left when the stream ends."""
        ready = self._resynthesised(self.analysis.flush())
        rest = np.array(self.synthesis.flush(self.samples))[0]
        self.samples = 0
        return np.concatenate([ready, rest])

    def _resynthesised(self, spectrum: mx.array) -> np.ndarray:
        z = np.array(spectrum)
        for frame in z[0].T:
            frame *= self._gain(np.abs(frame).astype(np.float64) ** 2)
        return np.array(self.synthesis.push(mx.array(z)))[0]

    def _gain(self, power: np.ndarray) -> np.ndarray:
        begin = not np.ndim(self.smooth)
        self.smooth = power if begin else self.decay * self.smooth + (1 - self.decay) * power
        self.noise = np.minimum(self.noise * self.rise, self.smooth)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.fmax(1 - BIAS * self.noise / power, LEAST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=int, default=16000, metavar="HZ", help="sample rate (default 16000)")
    parser.add_argument(
        "--block", type=int, default=160, metavar="N", help="samples that are read at once (default 160)"
    )
    options = parser.parse_args()
    denoiser = Denoiser(options.rate)
    print(f"{denoiser.latency / options.rate * 1000:.0f} ms later", file=sys.stderr)

    def write(samples: np.ndarray) -> None:
        pcm = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2")
        sys.stdout.buffer.write(pcm.tobytes())
        sys.stdout.buffer.flush()

    while block := sys.stdin.buffer.read(2 * options.block):
        write(denoiser.push(np.frombuffer(block[: len(block) // 2 * 2], "<i2").astype(np.int16)))
    if denoiser.samples:
        write(denoiser.flush())


if __name__ == "__main__":
    main()
