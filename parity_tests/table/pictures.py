"""Small pictures of results for a page: ours, the reference's, and how far they are apart."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# pixels, and colours: what fits into few bytes, and still shows where an error lies
_HEIGHT, _WIDTH = 64, 160
_COLOURS = 16
# decibels below the maximum that are shown
_RANGE = 80.0


@dataclass(frozen=True)
class Picture:
    """Results of one call, as small as they are shown."""

    label: str
    own: bool
    """Whether they are of a person's own recording."""
    ours: Array
    theirs: Array
    difference: Array
    apart: float
    """Largest difference, relative to the reference's largest value."""

    def panels(self) -> list[tuple[str, str]]:
        """A title and the data of a PNG for each of the three."""
        low, high = float(self.theirs.min()), float(self.theirs.max())
        top = float(self.difference.max())
        return [
            ("ours", _png(self.ours, low, high)),
            ("reference", _png(self.theirs, low, high)),
            (f"difference, at most {self.apart:.1e} of the largest value", _png(self.difference, 0.0, top)),
        ]


def picture(label: str, own: bool, ours: Array, theirs: Array) -> Picture:
    """The picture of a call's results, those of the first signal of several."""
    while ours.ndim > 2 or (ours.ndim == 2 and ours.shape[0] == 2):
        ours, theirs = ours[0], theirs[0]
    difference = np.abs(np.subtract(ours, theirs))
    largest = float(np.abs(theirs).max(initial=0)) or 1.0
    apart = float(difference.max(initial=0)) / largest
    return Picture(label, own, _image(_levels(ours)), _image(_levels(theirs)), _image(difference), apart)


def _levels(x: Array) -> Array:
    """Decibels of magnitudes; other values as they are."""
    if not np.iscomplexobj(x) and x.min(initial=0) < 0:
        return x
    magnitude = np.abs(x)
    top = float(magnitude.max(initial=0)) or 1.0
    return 20 * np.log10(np.maximum(magnitude / top, 10 ** (-_RANGE / 20)))


def _image(x: Array) -> Array:
    """``x`` with at most so many rows and columns, each the largest of those it stands for; a curve as its area."""
    x = np.nan_to_num(x)
    if x.ndim == 1 or x.shape[0] == 1:
        return _area(x.reshape(-1))
    for axis, most in ((0, _HEIGHT), (1, _WIDTH)):
        if x.shape[axis] > most:
            x = np.maximum.reduceat(x, np.arange(most) * x.shape[axis] // most, axis=axis)
    return x[::-1].astype(np.float32)


def _area(x: Array) -> Array:
    """A curve: 1 between the least and the greatest value of each column, 0 elsewhere."""
    starts = np.arange(min(_WIDTH, x.size)) * x.size // min(_WIDTH, x.size)
    low, high = np.minimum.reduceat(x, starts), np.maximum.reduceat(x, starts)
    bottom, span = float(low.min()), float(high.max() - low.min()) or 1.0
    rows = np.arange(_HEIGHT)[::-1, None] / (_HEIGHT - 1)
    step = 1 / (_HEIGHT - 1)
    inside = (rows >= (low - bottom) / span - step) & (rows <= (high - bottom) / span + step)
    return inside.astype(np.float32)


def _png(x: Array, low: float, high: float) -> str:
    from matplotlib import colormaps
    from PIL import Image

    share = (x - low) / ((high - low) or 1.0)
    colours = np.clip(share * _COLOURS, 0, _COLOURS - 1).astype(np.uint8)
    image = Image.fromarray(colours)
    image.putpalette((colormaps["viridis"](np.linspace(0, 1, _COLOURS))[:, :3] * 255).astype(np.uint8).tobytes())
    data = io.BytesIO()
    image.save(data, format="png", optimize=True, bits=4)
    return base64.b64encode(data.getvalue()).decode()
