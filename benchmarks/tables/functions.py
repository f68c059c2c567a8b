"""Tables of the libraries' public functions: whose each one is, when it is handed over, and its limits."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

from mlx_spectro import compat
from mlx_spectro.compat.arrays import kinds, torch_ops
from mlx_spectro.compat.contract import tolerances
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.gpu import programs
from mlx_spectro.ops import backend
from parity_tests.table import measure
from parity_tests.table.case import Row, Sample, find
from parity_tests.table.cases import table

from ..contest import Size
from .markdown import code, markdown
from .reasons import OUTSIDE, reason
from .shares import measured

_ONE_SECOND, _LARGE = Size(1, 16_000, 512, 128), Size(16, 160_000, 512, 128)
# values of an array that counts as large
_MANY = 1_000_000
# what torch's own transforms do on a GPU, though sums of products by kernels could
_BY_TRANSFORMS = ("torchaudio.functional.fftconvolve", "torchaudio.transforms.FFTConvolve")
# whose values are copied and overwritten on the CPU by no operator, and on a GPU by a kernel
_MASKS = (
    *("torchaudio.functional.mask_along_axis", "torchaudio.functional.mask_along_axis_iid"),
    *(f"torchaudio.transforms.{name}" for name in ("FrequencyMasking", "SpecAugment", "TimeMasking")),
)
_MODULES = {
    "torch": ("torch",),
    "torchaudio": ("torchaudio.functional", "torchaudio.transforms", "torchaudio.compliance.kaldi"),
    "librosa": (
        "librosa",
        *(f"librosa.{m}" for m in ("beat", "decompose", "effects", "feature", "feature.inverse", "filters", "onset")),
        *(f"librosa.{m}" for m in ("segment", "sequence", "util")),
    ),
    "transformers": ("transformers.audio_utils",),
}
# what of torchaudio takes its extension, and is in no program without it
_EXTENSION_S = ("torchaudio.functional.rnnt_loss", "torchaudio.transforms.RNNTLoss")
# what is public of a module that does not say so
_PUBLIC = {
    "torch": ["istft", "stft"],
    "transformers.audio_utils": [
        *("amplitude_to_db", "amplitude_to_db_batch", "chroma_filter_bank", "mel_filter_bank", "power_to_db"),
        *("power_to_db_batch", "spectrogram", "spectrogram_batch", "window_function"),
    ],
}


def _names(module: str) -> list[str]:
    """The public functions and classes of a module, by their dotted names."""
    of = importlib.import_module(module)
    # librosa shows each of its modules' names at its top too; there are its core's
    public = importlib.import_module("librosa.core").__all__ if module == "librosa" else getattr(of, "__all__", [])
    names = {f"{module}.{name}" for name in _PUBLIC.get(module, public) if callable(getattr(of, name))}
    # librosa documents a few that it does not list
    return sorted(names | {name for name in _rows() if name.rpartition(".")[0] == module}, key=str.lower)


@functools.cache
def _rows() -> dict[str, Row]:
    """The first row of the parity table for each function that is ours."""
    for modules in _MODULES.values():
        for module in modules:
            importlib.import_module(f"mlx_spectro.compat.{module}")
    rows: dict[str, Row] = {}
    for row in table():
        name = row.theirs if isinstance(row.theirs, str) else row.name
        if name in adapters and not row.native:
            rows.setdefault(name, row)
    return rows


def _is_served(name: str, sample: Sample) -> bool:
    """Whether host kernels serve a call of a function where the choice is ours."""
    row = _rows()[name]
    ours, _ = row.resolve()
    compat.reset()
    # of machines, which differ in NumPy's vectors, a page tells of those with the longest
    vectors = mock.patch("mlx_spectro.compat.librosa._arguments.numpy_has_vectors", return_value=True)
    with vectors, backend.implementation("host"), compat.route("auto"), compat.numerics("fast"):
        measure.evaluate(ours, row.their_arrays, sample)
    return not any(record.reason for record in compat.report() if record.function == name)


@functools.cache
def _by_default(name: str) -> str:
    """Which calls of a function are served under ``route("auto")``: ``"all"``, ``"large"`` ones or ``"none"``."""
    row = _rows()[name]
    small = row.timing.sample(*_ONE_SECOND) if row.timing else next(s for s in row.samples() if not s.untested)
    if _is_served(name, small):
        return "all"
    large = row.timing.sample(*_LARGE) if row.timing else _lengthened(small)
    return "large" if _is_served(name, large) else "none"


def _lengthened(sample: Sample) -> Sample:
    """A call with many values: its first array, and what is as long as that, is repeated."""
    first = next((x for x in sample.args if isinstance(x, np.ndarray)), np.empty(_MANY))
    times = -(-_MANY // first.size)
    args = [
        np.tile(x, times) if isinstance(x, np.ndarray) and x.shape[-1:] == first.shape[-1:] else x for x in sample.args
    ]
    return replace(sample, args=tuple(args))


@functools.cache
def _gpu(name: str) -> bool:
    """Whether GPU kernels compute every operator that a call on torch's tensors is made of, and are to do so."""
    if name in _BY_TRANSFORMS or name in _MASKS:
        return name in _MASKS
    row = _rows()[name]
    ours, _ = row.resolve()
    reasons: list[str | None] = []

    def watched(compute: Callable[..., Any]) -> Callable[..., Any]:
        def watch(op: Any, *arrays: Any, **options: Any) -> Any:
            reasons.append(programs.why_not(op, tuple(array.shape for array in arrays)))
            return compute(op, *arrays, **options)

        return watch

    adapters[name].function.forget()
    with (
        mock.patch.multiple(cpu, run=watched(cpu.run), prepare=watched(cpu.prepare)),
        mock.patch.dict(torch_ops._calls, clear=True),
        backend.implementation("host"),
        compat.route("ours"),
    ):
        measure.evaluate(ours, row.their_arrays, next(s for s in row.samples() if not s.untested))
    return bool(reasons) and not any(reasons)


@functools.cache
def _calls(name: str) -> frozenset[str]:
    """Which of our functions the library's own function calls, or what it calls calls."""
    if reason(name) == OUTSIDE:
        return frozenset()
    library = name.partition(".")[0]
    ours = {public.rpartition(".")[2]: public for public in _rows() if public.startswith(library)}
    own = {public.rpartition(".")[2]: public for m in _MODULES[library] for public in _names(m)}
    found: set[str] = set()
    ahead: list[Any] = [find(name)]
    seen = set[tuple[str, str]]()
    while ahead:
        of = inspect.unwrap(ahead.pop())
        function = getattr(of, "forward", of)
        code_of = getattr(function, "__code__", None)
        for called in code_of.co_names if code_of else ():
            if called in ours:
                found.add(ours[called])
                continue
            helper = find(own[called]) if called in own else function.__globals__.get(called)
            further = getattr(helper, "__module__", None) or ""
            if callable(helper) and further.partition(".")[0] == library and (further, called) not in seen:
                seen.add((further, called))
                ahead.append(helper)
    return frozenset(found - {name})


def coverage() -> str:
    """How many of each module's public functions are ours."""
    rows = []
    for module in (module for modules in _MODULES.values() for module in modules):
        names = _names(module)
        served = sum(name in _rows() for name in names)
        inside = sum(name not in _rows() and bool(_calls(name)) for name in names)
        rows.append([f"`{module}`", *map(str, (len(names), served, inside, len(names) - served - inside))])
    return markdown(["module", "public", "ours", "the library's, with ours inside", "the library's"], rows)


def functions(library: str) -> str:
    """Whose each public function of a library is: of ours, where they run and what takes MLX arrays."""
    return "\n\n".join(part for module in _MODULES[library] for part in _parts(library, module))


def _parts(library: str, module: str) -> Iterator[str]:
    names = _names(module)
    yield f"### {module}"
    header = ["ours", 'under `route("auto")`', "on", "gradients", "on MLX arrays"]
    if ours := [_line(library, name) for name in names if name in _rows()]:
        yield markdown(header if library not in kinds.OF_NUMPY else [header[0], header[1], header[-1]], ours)
    theirs = [name for name in names if name not in _rows()]
    if inside := [name for name in theirs if _calls(name)]:
        calls = [[_last(name), code(*sorted(_calls(name)))] for name in inside]
        yield markdown([f"{library}'s, with ours inside", "which"], calls)
    reasons: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in theirs:
        if name not in inside:
            reasons[(reason(name), *_without(name))].append(name)
    if reasons:
        rows = [[", ".join(map(_last, theirs)), *cells] for cells, theirs in sorted(reasons.items())]
        yield markdown([f"{library}'s", "why", "without torchaudio"][: len(rows[0])], rows)


def _without(name: str) -> tuple[str, ...]:
    """Of a name of torchaudio's, what there is of it where torchaudio is not installed."""
    if not name.startswith("torchaudio."):
        return ()
    return ("-" if name in _EXTENSION_S else "ours, in torch's operations",)


def _last(name: str) -> str:
    return f"`{name.rpartition('.')[2]}`"


def _line(library: str, name: str) -> list[str]:
    auto = {"all": "ours", "large": "ours where arrays are large", "none": f"{library}'s"}[_by_default(name)]
    if auto == "ours" and not measured()["shares"].get(name, {"share": 1})["share"]:
        auto = "ours for some options"
    native = code(*_natives().get(name, ())) or "-"
    if library in kinds.OF_NUMPY:
        return [_last(name), auto, native]
    places = "CPU, CUDA, MPS" if _gpu(name) else "CPU"
    return [_last(name), auto, places, "yes" if _rows()[name].gradient else "-", native]


@functools.cache
def _natives() -> dict[str, list[str]]:
    """What of ours on MLX arrays is compared with a function, or has its name."""
    natives: dict[str, list[str]] = defaultdict(list)
    for row in table():
        name = row.name.partition(" ")[0]
        if row.native and row.against in _MODULES:
            theirs = row.theirs if isinstance(row.theirs, str) else _namesake(name, row.against)
            if theirs and name not in natives[theirs]:
                natives[theirs].append(name)
    return natives


def _namesake(name: str, library: str) -> str:
    wanted = name.removesuffix("Transform").lower()
    public = [public for module in _MODULES[library] for public in _names(module)]
    return next((public for public in public if public.rpartition(".")[2].lower() == wanted), "")


def handed_over() -> str:
    """Which calls of each function of ours go to the library, and how far ours may be from the library's own."""
    reasons: dict[str, set[str]] = defaultdict(set)
    for row in table():
        if isinstance(row.theirs, str) and not row.native:
            reasons[row.theirs].update(sample.untested for sample in row.samples() if sample.untested)
    rows = []
    for name, row in sorted(_rows().items(), key=lambda item: (item[0].partition(".")[0], item[0].lower())):
        limit = adapters[name].function.limit
        rows.append([f"`{name}`", "; ".join(sorted(reasons[name])) or "-", _limit_name(limit) or "its own", row.why])
    return markdown(["function", "the library's own where", "limit", "where the difference comes from"], rows)


def _limit_name(limit: Any) -> str:
    """The names of the limits that a function's is made of."""
    named = {one.__name__ for one in _limits()}
    wrapped = [cell.cell_contents for cell in getattr(limit, "__closure__", None) or ()]
    found = [one.__name__ for one in (limit, *wrapped) if getattr(one, "__name__", "") in named]
    return code(*found)


def _limits() -> Iterator[Callable[..., Any]]:
    for name, function in vars(tolerances).items():
        if inspect.isfunction(function) and not name.startswith("_") and name != "of_single":
            yield function


def limits() -> str:
    """What each limit is, and where it comes from."""
    return markdown(
        ["limit", "how it is derived"],
        [
            [f"`{limit.__name__}`", " ".join(inspect.cleandoc(limit.__doc__ or "").replace("``", "`").split())]
            for limit in _limits()
        ],
    )
