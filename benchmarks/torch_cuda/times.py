"""Times of ours and of torch's own.

*lone*: calls in a row from Python, and one wait, over their number. *graph*: the same calls captured in a CUDA graph,
the device's time alone. Contenders take turns; medians.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import torch
import torchaudio
import torchaudio.compliance.kaldi

from mlx_spectro import compat
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio
from mlx_spectro.compat.torchaudio.compliance import kaldi as our_kaldi

from .check import noise

SIZES = (
    (1, 16_000, 512, 128),
    (4, 160_000, 1024, 256),
    (8, 160_000, 1024, 256),
    (4, 1_300_000, 1024, 256),
    (8, 480_000, 1024, 256),
    (32, 480_000, 400, 160),
    (16, 1_300_000, 2048, 512),
)
_CALLS, _IN_GRAPH, _ROUNDS = 100, 20, 5
# a slice of calls lasts no longer, in seconds
_LONG = 0.05

Work = Callable[[], Any]


class Contest(NamedTuple):
    """One piece of work, by the reference and by us."""

    name: str
    theirs: Work
    ours: Work
    moved: int
    """Bytes that any way of doing it has to read or write; 0 where that is not said."""
    captured: Literal["both", "ours", ""] = "both"
    """Of whose a graph is made."""
    peers: Mapping[str, Work] = MappingProxyType({})
    """The same by other libraries, where they are installed; timed from Python."""


def lone(works: dict[str, Work]) -> dict[str, float]:
    """Microseconds of a call from Python."""

    def once(work: Work, calls: int) -> float:
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(calls):
            work()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / calls

    calls = {}
    for name, work in works.items():
        once(work, 5)
        calls[name] = max(3, min(_CALLS, int(_LONG / once(work, 5))))
    return _medians({name: partial(once, work, calls[name]) for name, work in works.items()})


def in_graphs(works: dict[str, Work]) -> dict[str, float]:
    """Microseconds of a call on the device."""
    graphs, results = {}, []
    for name, work in works.items():
        for _ in range(3):
            work()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(_IN_GRAPH):
                result = work()
        results.append(result)
        graphs[name] = graph

    def once(graph: torch.cuda.CUDAGraph) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        graph.replay()
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        milliseconds: float = begin.elapsed_time(end)
        return milliseconds * 1e-3 / _IN_GRAPH

    return _medians({name: partial(once, graph) for name, graph in graphs.items()})


def _medians(measured: dict[str, Callable[[], float]]) -> dict[str, float]:
    rounds = [{name: once() * 1e6 for name, once in measured.items()} for _ in range(_ROUNDS)]
    return {name: statistics.median(times[name] for times in rounds) for name in measured}


def _gradient(function: Callable[[Any], Any], x: torch.Tensor) -> Work:
    at = x.clone().requires_grad_()

    def work() -> Any:
        y = function(at)
        return torch.autograd.grad(y, at, _ones_like(y))

    return work


_ones: dict[Any, torch.Tensor] = {}


def _ones_like(y: torch.Tensor) -> torch.Tensor:
    key = y.shape, y.stride()
    if key not in _ones:
        _ones.clear()
        _ones[key] = torch.ones_like(y)
    return _ones[key]


def _highpass(library: Any, x: Any) -> Any:
    return library.functional.highpass_biquad(x, 16000, 80.0)


def _transforms(window: Any, n_fft: int, hop: int, length: int) -> tuple[Callable[[Any, Any], Any], ...]:
    """A library's spectrum, its inverse, and the one of the other: they take the library and a tensor."""

    def stft(library: Any, x: Any) -> Any:
        return library.stft(x, n_fft, hop, window=window, return_complex=True)

    def istft(library: Any, z: Any) -> Any:
        return library.istft(z, n_fft, hop, window=window, length=length)

    return stft, istft, lambda library, x: istft(library, stft(library, x))


def contests(batch: int, length: int, n_fft: int, hop: int) -> Iterator[Contest]:
    """What is timed of one size."""
    x, window = noise(batch, length), torch.hann_window(n_fft, device="cuda")
    z = torch.stft(x, n_fft, hop, window=window, return_complex=True)
    stft, istft, round_trip = _transforms(window, n_fft, hop, length)

    def peers(name: str, make: Callable[[Any], Work]) -> dict[str, Work]:
        return {name: make(importlib.import_module(name))} if importlib.util.find_spec(name) else {}

    there = x.nbytes + z.nbytes
    specux = peers("specux", lambda m: lambda: m.stft(x, n_fft=n_fft, hop_length=hop))
    yield Contest("stft", lambda: stft(torch, x), lambda: stft(ours, x), there, peers=specux)
    # torch's inverse looks whether the windows overlap, which no graph can
    specux = peers("specux", lambda m: lambda: m.istft(z, n_fft=n_fft, hop_length=hop, length=length))
    yield Contest("istft", lambda: istft(torch, z), lambda: istft(ours, z), there, captured="ours", peers=specux)
    sizes = {"n_fft": n_fft, "hop_length": hop, "n_mels": 80}
    mel = [m.transforms.MelSpectrogram(16000, **sizes).cuda() for m in (torchaudio, our_audio)]
    filtered = x.nbytes + 4 * batch * z.shape[-1] * 80
    htk = {"mel_scale": "htk", "norm": None}
    both = peers("specux", lambda m: lambda: m.melspectrogram(x, sr=16000, **sizes, **htk))
    both |= peers("flashmel", lambda m: partial(m.MelSpectrogram(16000, **sizes).cuda(), x))
    yield Contest("mel 80", lambda: mel[0](x), lambda: mel[1](x), filtered, peers=both)
    levels, powers = [m.transforms.AmplitudeToDB(top_db=80.0) for m in (torchaudio, our_audio)], mel[0](x)
    yield Contest("decibels", lambda: levels[0](powers), lambda: levels[1](powers), 2 * powers.nbytes)
    mfcc = [m.transforms.MFCC(16000, 40, melkwargs=sizes).cuda() for m in (torchaudio, our_audio)]
    yield Contest("MFCC 40", lambda: mfcc[0](x), lambda: mfcc[1](x), x.nbytes + 2 * batch * z.shape[-1] * 80)
    for orig, new in ((16000, 22050), (44100, 16000)):
        theirs, mine = (m.transforms.Resample(orig, new).cuda() for m in (torchaudio, our_audio))
        there = x.nbytes + theirs(x).nbytes
        yield Contest(f"Resample {orig}:{new}", partial(theirs, x), partial(mine, x), there)
    theirs, mine = (m.transforms.TimeStretch(hop, n_fft // 2 + 1, 0.75).cuda() for m in (torchaudio, our_audio))
    yield Contest("TimeStretch", partial(theirs, z), partial(mine, z), z.nbytes + 4 * z.nbytes // 3)
    speech = [partial(kaldi.fbank, num_mel_bins=80) for kaldi in (torchaudio.compliance.kaldi, our_kaldi)]
    values = 4 * 80 * (1 + (length - 400) // 160)
    yield Contest(
        "fbank 80, one row", partial(speech[0], x[:1]), partial(speech[1], x[:1]), 4 * length + values, "ours"
    )
    speech = [kaldi.spectrogram for kaldi in (torchaudio.compliance.kaldi, our_kaldi)]
    values = 4 * 257 * (1 + (length - 400) // 160)
    work = partial(speech[0], x[:1]), partial(speech[1], x[:1])
    yield Contest("Kaldi's spectrogram, one row", *work, 4 * length + values, "ours")
    phases = {"n_iter": 8, "hop_length": hop, "power": 1.0}
    theirs, mine = (m.transforms.GriffinLim(n_fft, **phases).cuda() for m in (torchaudio, our_audio))
    magnitudes = z.abs()
    yield Contest("GriffinLim 8", partial(theirs, magnitudes), partial(mine, magnitudes), 0, captured="ours")
    levelled = powers.transpose(-1, -2).contiguous()
    options = {"n_time_masks": 2, "time_mask_param": 50, "n_freq_masks": 2, "freq_mask_param": 20}
    examples = powers.unsqueeze(1)
    for each, what in ((False, "masks for all"), (True, "masks for each")):
        augment = [m.transforms.SpecAugment(**options, iid_masks=each) for m in (torchaudio, our_audio)]
        theirs, mine = (partial(module, examples) for module in augment)
        yield Contest(f"SpecAugment, {what}", theirs, mine, 2 * powers.nbytes, captured="ours")
    theirs, mine = (partial(m.transforms.TimeMasking(50, iid_masks=True), examples) for m in (torchaudio, our_audio))
    yield Contest("TimeMasking, masks for each", theirs, mine, 2 * powers.nbytes, captured="ours")
    for taps in (16, 255):
        filters = noise(1, taps, seed=1)
        theirs, mine = (partial(m.functional.convolve, x, filters) for m in (torchaudio, our_audio))
        yield Contest(f"convolve, {taps} taps", theirs, mine, 2 * x.nbytes)
        if x.nbytes < 1 << 26:  # of longer ones, torchaudio's may take a second
            theirs, mine = (_gradient(partial(m.functional.convolve, x), filters) for m in (torchaudio, our_audio))
            yield Contest(f"convolve, {taps} taps, gradient of taps", theirs, mine, 0, captured="")
    if length // hop < 1 << 10:
        theirs, mine = (m.transforms.SlidingWindowCmn() for m in (torchaudio, our_audio))
        yield Contest("SlidingWindowCmn", partial(theirs, levelled), partial(mine, levelled), 2 * powers.nbytes, "ours")
    if length < 1 << 18:  # of longer ones, torchaudio's take a second
        theirs, mine = (partial(_highpass, m) for m in (torchaudio, our_audio))
        yield Contest("highpass", partial(theirs, x), partial(mine, x), 2 * x.nbytes, captured="ours")
        yield Contest("highpass, gradient", _gradient(theirs, x), _gradient(mine, x), 0, captured="")
    if x.nbytes < 1 << 28:
        trips = [_gradient(partial(round_trip, library), x) for library in (torch, ours)]
        yield Contest("round trip, gradient", trips[0], trips[1], 0, captured="")
        yield Contest("mel 80, gradient", _gradient(mel[0], x), _gradient(mel[1], x), 0, captured="")


def in_double(batch: int, length: int, n_fft: int, hop: int) -> Iterator[Contest]:
    """What is timed of one size in double precision."""
    x, window = noise(batch, length).double(), torch.hann_window(n_fft, dtype=torch.float64, device="cuda")
    z = torch.stft(x, n_fft, hop, window=window, return_complex=True)
    mel = [
        m.transforms.MelSpectrogram(16000, n_fft, hop_length=hop, n_mels=80).cuda().double()
        for m in (torchaudio, our_audio)
    ]
    powers = [m.transforms.Spectrogram(n_fft, hop_length=hop).cuda().double() for m in (torchaudio, our_audio)]
    values = powers[0](x)
    stft, istft, round_trip = _transforms(window, n_fft, hop, length)

    there, filtered = x.nbytes + z.nbytes, 8 * batch * z.shape[-1] * 80
    yield Contest("stft, float64", lambda: stft(torch, x), lambda: stft(ours, x), there)
    yield Contest("istft, float64", lambda: istft(torch, z), lambda: istft(ours, z), there, captured="ours")
    yield Contest("powers, float64", partial(powers[0], x), partial(powers[1], x), x.nbytes + values.nbytes)
    yield Contest("mel 80, float64", partial(mel[0], x), partial(mel[1], x), x.nbytes + filtered)
    if x.nbytes < 1 << 28:
        trips = [_gradient(partial(round_trip, library), x) for library in (torch, ours)]
        yield Contest("round trip, float64, gradient", trips[0], trips[1], 0, captured="")
        yield Contest("mel 80, float64, gradient", _gradient(mel[0], x), _gradient(mel[1], x), 0, captured="")


def by_repetition() -> list[dict[str, Any]]:
    """Microseconds of an STFT from Python by its size: of one shape, of shapes never seen, and of those seen once."""
    window, rows = torch.hann_window(512, device="cuda"), []
    for batch, length in ((1, 16_000), (1, 160_000), (4, 160_000), (8, 160_000), (16, 160_000), (32, 160_000)):
        for name, library in (("torch", torch), ("ours", ours)):
            row: dict[str, Any] = {"size": (batch, length), "library": name}
            signal = noise(batch, length + 4096)

            def call(length: int, library: Any = library, signal: Any = signal) -> Any:
                return library.stft(signal[..., :length], 512, 128, window=window, return_complex=True)

            call(length)
            row["one shape"] = lone({name: lambda: call(length)})[name]  # noqa: B023 - called in this turn
            for seen in ("never seen", "seen once"):
                torch.cuda.synchronize()
                begin = time.perf_counter()
                for i in range(100):
                    call(length + 128 + 7 * i)
                torch.cuda.synchronize()
                row[seen] = (time.perf_counter() - begin) / 100 * 1e6
            rows.append(row)
            print(row, flush=True)
    return rows


def copy_rate() -> float:
    """Bytes a second that a large copy moves, reads and writes both counted."""
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / (in_graphs({"copy": lambda: target.copy_(source)})["copy"] * 1e-6)


def overhead() -> dict[str, float]:
    """Microseconds of a small call's parts: an output, a launch made ready, the operator, the whole call."""
    from mlx_spectro.compat.arrays.torch_cuda import launcher as launcher_of
    from mlx_spectro.design.framing import Framing
    from mlx_spectro.design.operators import Stft

    x, window = noise(1, 16_000), torch.hann_window(512, device="cuda")
    op, launcher = Stft(Framing(512, 128, 256, 256, "reflect")), launcher_of(x)
    launcher(op, x, window)
    shapes = (x.shape, window.shape)
    (first,) = next(iter(launcher._operation(op, shapes).ready.values()))  # type: ignore[union-attr]
    arrays, device = [x, window], x.device
    works: dict[str, Work] = {
        "torch.empty": lambda: torch.empty((1, 126, 257), dtype=torch.complex64, device=device),
        "a launch made ready": lambda: first.call(arrays),
        "the operator": lambda: launcher(op, x, window),
        "torch.stft of ours": lambda: ours.stft(x, 512, 128, window=window, return_complex=True),
    }
    return lone(works)


def timed(only: str, sizes: int) -> dict[str, Any]:
    """The times of so many sizes, printed as they come, or of their rows whose names contain one of ``only``."""
    rate = copy_rate()
    times: dict[str, Any] = {"copy": rate, "overhead": overhead(), "rows": []}
    if not only:
        times["repetition"] = by_repetition()
    print(f"\ncopy {rate / 1e9:.0f} GB/s; microseconds from Python: {_rounded(times['overhead'])}\n")
    header = f"{'B, T, n_fft, hop':48}{'torch':>9}{'ours':>9}{'times':>7}"
    print(f"{header}   in a graph{'torch':>9}{'ours':>9}{'floors':>8}")
    for size in SIZES[:sizes]:
        for contest in itertools.chain(in_double(*size), contests(*size)):
            if not any(part in contest.name for part in only.split(",")):
                continue
            row: dict[str, Any] = {"size": size, "name": contest.name}
            works = {"torch": contest.theirs, "ours": contest.ours}
            try:
                peers = _working(contest.peers, row, _once)
                row["lone"] = lone({**works, **peers})
                in_graph = {"both": works, "ours": {"ours": contest.ours}, "": {}}[contest.captured]
                peers = _working(peers if in_graph else {}, row, _captured)
                row["graph"] = in_graphs({**in_graph, **peers})
                if contest.moved:
                    row["floor"] = contest.moved / rate * 1e6
            except Exception as error:  # noqa: BLE001 - the others are to be timed all the same
                row["error"] = f"{type(error).__name__}: {error}"
            times["rows"].append(row)
            print(_line(row), flush=True)
    times["reasons"] = sorted({f"{r.function}: {r.reason}" for r in compat.report() if r.reason})
    print(*times["reasons"], sep="\n")
    return times


def _working(peers: Mapping[str, Work], row: dict[str, Any], attempt: Callable[[Work], Any]) -> dict[str, Work]:
    """Those that an attempt succeeds with; what others raise goes into the row."""
    works = {}
    for name, work in peers.items():
        try:
            attempt(work)
            works[name] = work
        except Exception as error:  # noqa: BLE001 - another library's own
            row.setdefault("peers", {})[name] = f"{type(error).__name__}: {error}"[:300]
    return works


def _once(work: Work) -> None:
    work()
    torch.cuda.synchronize()


def _captured(work: Work) -> None:
    in_graphs({"": work})


def _rounded(times: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in times.items()}


def _line(row: dict[str, Any]) -> str:
    start = f"{', '.join(map(str, row['size'])):26}{row['name']:22}"
    if "error" in row:
        return f"{start}{row['error'][:300]}"
    lone, graph = row["lone"], row["graph"]
    others = ", ".join(
        f"{name} {lone[name]:.1f}" + (f", {graph[name]:.1f} in a graph" if name in graph else "")
        for name in lone
        if name not in ("torch", "ours")
    )
    others += "".join(f", {name}: {problem[:80]}" for name, problem in row.get("peers", {}).items())
    parts = f"{lone['torch']:9.1f}{lone['ours']:9.1f}{lone['torch'] / lone['ours']:7.1f}{'':13}"
    parts += f"{graph['torch']:9.1f}" if "torch" in graph else f"{'':9}"
    if "ours" in graph:
        parts += f"{graph['ours']:9.1f}" + (f"{graph['ours'] / row['floor']:8.2f}" if "floor" in row else "")
    return f"{start}{parts}   {others}"
