"""python -m benchmarks.readme: write README's tables anew, from the parity table and the committed results."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parity_tests.case import Row
from parity_tests.cases import table

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
# the sizes that the table's second figure is of: those whose work does not fit into a cache
_LARGE = 4


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def coverage() -> str:
    """What is served of each module of each library, and what is native."""
    served: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in table():
        if isinstance(row.theirs, str) and not row.native:
            module, _, name = row.theirs.rpartition(".")
            served[module].setdefault(name, row)
    rows = []
    for module, names in sorted(served.items()):
        differentiable = [name for name, row in sorted(names.items()) if row.gradient]
        gradients = "all" if len(differentiable) == len(names) else ", ".join(f"`{name}`" for name in differentiable)
        rows.append([f"`{module}`", ", ".join(f"`{name}`" for name in sorted(names)), gradients or "none there"])
    native = sorted({row.name.partition(" ")[0] for row in table() if row.native})
    rows.append(["`mlx_spectro`, on MLX arrays", ", ".join(f"`{name}`" for name in native), "all but decisions"])
    return _markdown(["module", "served", "with gradients"], rows)


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
    columns = [_ratios(_results(kind), "host") for kind in ("cpu", "cpu-1-thread", "cpu-avx2")]
    adapters = {row.name for row in table() if not row.native} | {"round trip forward + backward"}
    rows = [[f"`{name}`", *(_least(c[name]) for c in columns)] for name in columns[0] if name in adapters]
    return _markdown(["in place of", "2 threads, AVX-512", "1 thread", "2 threads, AVX2"], rows)


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


TABLES = {"coverage": coverage, "cpu": cpu, "native-cpu": native_cpu, "gpu": gpu}


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    for name in re.findall(r"<!-- table: ([\w-]+) -->", text):
        yield name, f"(<!-- table: {name} -->\n).*?(<!-- end of table -->)"


def written(text: str) -> str:
    """``text`` with its tables made anew."""
    for name, pattern in _blocks(text):
        made = TABLES[name]()
        text = re.sub(pattern, lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text, count=1, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
