"""Tables of speed, of the committed results."""

from __future__ import annotations

import json
import operator
from collections import defaultdict
from pathlib import Path
from typing import Any

from parity_tests.table.cases import table

from .markdown import markdown, versions

RESULTS = Path(__file__).parent.parent / "results"
# results of adapters on CPU arrays, by the end of their files' names, and what they were measured on
_CPU = {
    "cpu-avx2": "2 threads, AVX2",
    "cpu-avx2-1-thread": "1 thread, AVX2",
    "cpu": "2 threads, AVX-512",
    "cpu-default": "2 threads, AVX-512",
    "cpu-1-thread": "1 thread, AVX-512",
}
# the sizes that the table's second figure is of: those whose work does not fit into a cache
_LARGE = 4
_LIBRARIES = ("torch", "torchaudio", "librosa")
# what the first page shows, and the names of the same in results of torch's CUDA tensors
_SHOWN = {
    "torch.stft": "stft",
    "torch.istft": "istft",
    "torchaudio.transforms.MelSpectrogram": "mel 80",
    "torchaudio.transforms.MFCC": "MFCC 40",
    "librosa.stft": "",
    "librosa.istft": "",
    "librosa.feature.melspectrogram": "",
    "librosa.feature.mfcc": "",
}


def results(kind: str) -> dict[str, Any] | None:
    """The newest committed result of a kind (``"cpu"``, ``"cpu-1-thread"``, ``"h200"``)."""
    found = sorted(RESULTS.glob(f"*-[0-9][0-9]-{kind}.json"))
    if not found:
        return None
    return {"date": found[-1].name[: len("2026-01-01")], **json.loads(found[-1].read_text(encoding="utf-8"))}


def _on_cpu() -> dict[str, Any] | None:
    """The newest committed result of two threads on CPU arrays."""
    return max(filter(None, map(results, ("cpu", "cpu-avx2"))), key=operator.itemgetter("date"), default=None)


def sourced(table: str, *of: dict[str, Any] | None) -> str:
    """A table, and when and with which libraries its results were measured."""
    sources = dict.fromkeys(_source(result) for result in of if result)
    return f"{table}\n\nMeasured {'; '.join(sources)}." if sources else table


def _source(result: dict[str, Any]) -> str:
    return f"{result['date']} beside {versions(result, _LIBRARIES)}"


def _ratios(result: dict[str, Any] | None, ours: str, theirs: str | None = None) -> dict[str, list[float]]:
    """How many times faster ``ours`` is than ``theirs`` (the first contender where None), by row, in order of size."""
    found = defaultdict(list)
    for row in result["rows"] if result else ():
        contenders = row["contenders"]
        reference = theirs or next(iter(contenders))
        if ours in contenders and reference in contenders:
            found[row["name"]].append(contenders[reference]["seconds"] / contenders[ours]["seconds"])
    return found


def _least(ratios: list[float]) -> str:
    """The smallest ratio of all sizes, and of the large ones."""
    return f"{min(ratios):.1f} / {min(ratios[-_LARGE:]):.1f}" if ratios else ""


def cpu() -> str:
    """Adapters on host arrays: how many times faster than the library they stand for, at least."""
    found = [(what, result) for kind, what in _CPU.items() if (result := results(kind)) is not None]
    columns = [_ratios(result, "host") for _, result in found]
    adapters = {row.name for row in table() if not row.native} | {"round trip forward + backward"}
    rows = [[f"`{name}`", *(_least(c[name]) for c in columns)] for name in columns[0] if name in adapters]
    header = ["in place of", *(f"{what}, {_waiting(result)}" for what, result in found)]
    return sourced(markdown(header, rows), *(result for _, result in found))


def _waiting(result: dict[str, Any]) -> str:
    # all results from before it was recorded are of this policy
    return str(result.get("wait_policy", "passive"))


def native_cpu() -> str:
    """MLX arrays on MLX's CPU device: how many times faster than plain MLX ops, at least."""
    result = _on_cpu()
    ratios = _ratios(result, "host", "plain")
    native = {row.name for row in table() if row.native}
    rows = [[f"`{name}`", _least(values)] for name, values in ratios.items() if name in native]
    return sourced(markdown(["function", "times faster than plain MLX ops"], rows), result)


def gpu() -> str:
    """MLX arrays on an NVIDIA GPU: times, and how many times faster than torch or torchaudio on CUDA tensors."""
    result = results("h200") or results("h100")
    rows = []
    for row in result["rows"] if result else ():
        contenders = row["contenders"]
        reference = next(iter(contenders.values()))["seconds"]
        alone = contenders.get("gpu") or contenders.get("mlx gpu")
        if alone is None:
            continue
        found = [row["name"], row["size"], f"{reference * 1e6:.0f}"]
        for mine in (alone, contenders.get("gpu, batched")):
            found += [f"{mine['seconds'] * 1e6:.0f}", f"{reference / mine['seconds']:.1f}"] if mine else ["", ""]
        best = contenders.get("gpu, batched") or alone
        rows.append([f"`{found[0]}`", *found[1:], f"{best['floors']:.1f}"])
    header = [
        "function",
        "batch x samples n_fft/hop",
        "reference us",
        "us",
        "times",
        "us, five together",
        "times",
        "x floor",
    ]
    return sourced(markdown(header, rows), result)


def _on_cuda(result: dict[str, Any] | None) -> dict[str, dict[str, list[float]]]:
    """How many times faster than torch and torchaudio, called singly and in a graph, by name and in order of size."""
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in result["rows"] if result else ():
        for way in ("lone", "graph"):
            if (row.get(way) or {}).keys() >= {"torch", "ours"}:
                times[row["name"]][way].append(row[way]["torch"] / row[way]["ours"])
    return times


def torch_cuda() -> str:
    """torch's CUDA tensors: how many times faster than torch and torchaudio, at least, called singly and in a graph."""
    result = results("torch-cuda")
    rows = [[name, _least(ways["lone"]), _least(ways["graph"])] for name, ways in _on_cuda(result).items()]
    return sourced(markdown(["", "called one by one", "in a CUDA graph"], rows), result)


def at_a_glance() -> str:
    """The functions that most programs call: how many times faster than the library, at least, of the large sizes."""
    on_host, on_gpu = _on_cpu(), results("torch-cuda")
    cpu, cuda = _ratios(on_host, "host"), _on_cuda(on_gpu)
    rows = []
    for name, of_cuda in _SHOWN.items():
        ways = cuda.get(of_cuda, {})
        cells = [cpu.get(name, []), ways.get("lone", []), ways.get("graph", [])]
        rows.append([f"`{name}`", *(f"{min(ratios[-_LARGE:]):.1f}" if ratios else "" for ratios in cells)])
    return sourced(markdown(["in place of", "CPU", "CUDA", "CUDA graph"], rows), on_host, on_gpu)
