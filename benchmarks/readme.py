"""python -m benchmarks.readme: write README's tables anew, from the parity table and the committed results."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mlx_spectro import compat
from mlx_spectro.ops import backend
from parity_tests.table import measure
from parity_tests.table.case import Row, Sample
from parity_tests.table.cases import table

from .contest import Size

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
# results of adapters on CPU arrays, by the end of their files' names, and what they were measured on
_CPU = {
    "cpu": "2 threads, AVX-512",
    "cpu-default": "2 threads, AVX-512",
    "cpu-1-thread": "1 thread",
    "cpu-avx2": "2 threads, AVX2",
}
# the sizes that the table's second figure is of: those whose work does not fit into a cache
_LARGE = 4
_ONE_SECOND = Size(1, 16_000, 512, 128)
# values of an array that counts as large
_MANY = 1_000_000


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_served(row: Row, sample: Sample) -> bool:
    """Whether host kernels serve a call of a row where the choice is ours."""
    ours, _ = row.resolve()
    compat.reset()
    with backend.implementation("host"), compat.route("auto"), compat.numerics("fast"):
        measure.evaluate(ours, row.their_arrays, sample)
    return not any(record.reason for record in compat.report() if record.function == row.theirs)


def _by_default(row: Row) -> str:
    """Which calls of a row are served under ``route("auto")``: ``"all"``, ``"large"`` ones or ``"none"``."""
    small = row.timing.sample(*_ONE_SECOND) if row.timing else next(s for s in row.samples() if not s.untested)
    if _is_served(row, small):
        return "all"
    large = [np.tile(x, -(-_MANY // x.size)) if isinstance(x, np.ndarray) else x for x in small.args]
    return "large" if _is_served(row, replace(small, args=tuple(large))) else "none"


def coverage() -> str:
    """What is served of each module of each library, by default and where we are asked to, and what is native."""
    served: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in table():
        if isinstance(row.theirs, str) and not row.native:
            module, _, name = row.theirs.rpartition(".")
            served[module].setdefault(name, row)
    rows = []
    for module, names in sorted(served.items()):
        calls = {name: _by_default(row) for name, row in sorted(names.items())}
        differentiable = [name for name in calls if names[name].gradient]
        gradients = "all" if len(differentiable) == len(names) else ", ".join(f"`{name}`" for name in differentiable)
        by_default = [f"`{name}`{' *' * (kind == 'large')}" for name, kind in calls.items() if kind != "none"]
        if_asked = [f"`{name}`" for name, kind in calls.items() if kind == "none"]
        rows.append([f"`{module}`", ", ".join(by_default), ", ".join(if_asked), gradients or "none there"])
    native = sorted({row.name.partition(" ")[0] for row in table() if row.native})
    rows.append(["`mlx_spectro`, on MLX arrays", ", ".join(f"`{name}`" for name in native), "", "all but decisions"])
    return _markdown(["module", "served", 'served under `route("ours")` alone', "with gradients"], rows)


def _results(kind: str) -> dict[str, Any] | None:
    """The newest committed result of a kind (``"cpu"``, ``"cpu-1-thread"``, ``"h200"``)."""
    found = sorted(RESULTS.glob(f"*-[0-9][0-9]-{kind}.json"))
    result: dict[str, Any] | None = json.loads(found[-1].read_text(encoding="utf-8")) if found else None
    return result


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
    found = [(what, result) for kind, what in _CPU.items() if (result := _results(kind)) is not None]
    columns = [_ratios(result, "host") for _, result in found]
    adapters = {row.name for row in table() if not row.native} | {"round trip forward + backward"}
    rows = [[f"`{name}`", *(_least(c[name]) for c in columns)] for name in columns[0] if name in adapters]
    return _markdown(["in place of", *(f"{what}, {_waiting(result)}" for what, result in found)], rows)


def _waiting(result: dict[str, Any]) -> str:
    # all results from before it was recorded are of this policy
    return str(result.get("wait_policy", "passive"))


def native_cpu() -> str:
    """MLX arrays on MLX's CPU device: how many times faster than plain MLX ops, at least."""
    ratios = _ratios(_results("cpu"), "host", "plain")
    native = {row.name for row in table() if row.native}
    return _markdown(
        ["function", "times faster than plain MLX ops"],
        [[f"`{name}`", _least(values)] for name, values in ratios.items() if name in native],
    )


def gpu() -> str:
    """MLX arrays on an NVIDIA GPU: times, and how many times faster than torch or torchaudio on CUDA tensors."""
    result = _results("h200") or _results("h100")
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
    return _markdown(header, rows)


def torch_cuda() -> str:
    """torch's CUDA tensors: how many times faster than torch and torchaudio, at least, called singly and in a graph."""
    result = _results("torch-cuda")
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in result["rows"] if result else ():
        for way in ("lone", "graph"):
            if (row.get(way) or {}).keys() >= {"torch", "ours"}:
                times[row["name"]][way].append(row[way]["torch"] / row[way]["ours"])
    rows = [[name, _least(ways["lone"]), _least(ways["graph"])] for name, ways in times.items()]
    return _markdown(["", "called one by one", "in a CUDA graph"], rows)


TABLES = {"coverage": coverage, "cpu": cpu, "native-cpu": native_cpu, "torch-cuda": torch_cuda, "gpu": gpu}


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    for name in re.findall(r"<!-- table: ([\w-]+) -->", text):
        yield name, f"(<!-- table: {name} -->\n).*?(<!-- end of table -->)"


def _filled(made: str, found: re.Match[str]) -> str:
    return f"{found[1]}{made}\n{found[2]}"


def written(text: str) -> str:
    """``text`` with its tables made anew."""
    for name, pattern in _blocks(text):
        text = re.sub(pattern, partial(_filled, TABLES[name]()), text, count=1, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
