"""Tables of transformers' feature extractors, of the committed results."""

from __future__ import annotations

from collections import defaultdict

from .markdown import code, markdown
from .speed import results

_WHY = {
    "mel_filter_bank": "once for an extractor, which keeps its result",
    "window_function": "once for an extractor, or for each call: less than 0.1 ms either way",
    "power_to_db": "inside `spectrogram`, whose decibels are ours; alone, by no extractor",
    "amplitude_to_db": "as `power_to_db`",
}


def times() -> str:
    """Each of transformers' extractors: ms of a core for a call, without our functions and with them."""
    report = results("extractors")
    rows = []
    for one in report["rows"] if report else ():
        theirs, ours = one["transformers"], one["ours"]
        inside = code(*one["functions"]) or "-"
        times = (f"{1e3 * theirs:.1f}", f"{1e3 * ours:.1f}", f"{1e3 * (theirs - ours):.1f}", f"{theirs / ours:.1f}")
        rows.append([f"`{one['extractor'].removesuffix('FeatureExtractor')}`", inside, *times])
    return markdown(["extractor", "of ours inside", "ms without", "ms with", "ms saved", "times faster"], rows)


def helpers() -> str:
    """What transformers keeps for itself: ms of a core where an extractor is made and called, and why it is left."""
    report = results("extractors")
    rows = []
    for name, why in _WHY.items():
        spent: dict[str, list[float]] = defaultdict(list)
        for one in report["rows"] if report else ():
            for phase in ("made", "called", "called_without"):
                if name in one[phase]:
                    spent[phase].append(one[phase][name][1])
        most = [
            f"{1e3 * max(spent[phase]):.2f}" if spent[phase] else "-" for phase in ("made", "called", "called_without")
        ]
        rows.append([f"`{name}`", *most, why])
    return markdown(["function", "ms to make one", "ms in a call with ours", "without", "when it is called"], rows)
