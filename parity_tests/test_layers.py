"""Which room may know which: what docs/architecture.md says of imports is so."""

from __future__ import annotations

import ast
import functools
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
REFERENCES = {"torch", "torchaudio", "librosa", "transformers", "scipy", "soundfile"}
# a room may import those behind it
ORDER = ("features", "ops", "kernels", "design")

# the one exception: an option of old, imported when it is called
NEEDS_A_REFERENCE = {"mlx_spectro.features._istft_by_torch": {"torch"}}


class Import(NamedTuple):
    """An import statement of ours."""

    importer: str
    imported: str
    early: bool
    """It runs when the importer is imported."""
    typing: bool
    """It is for type checkers alone."""


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def modules() -> dict[str, Path]:
    """Our modules by name."""
    found = {}
    for folder, package in (("mlx_spectro", "mlx_spectro"), ("compat", "mlx_spectro.compat")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if (folder, parts[0]) != ("mlx_spectro", "compat"):
                found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def _imported(node: ast.Import | ast.ImportFrom, importer: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        parts = importer.split(".")
        here = len(parts) + (modules()[importer].name == "__init__.py") - node.level
        base = ".".join([*parts[:here], *filter(None, [base])])
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield inner if inner in modules() else base


def _imports_in(node: ast.AST, importer: str, early: bool = True, typing: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield from (Import(importer, name, early, typing) for name in _imported(child, importer))
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from _imports_in(ast.Module(child.body, []), importer, early, True)
            yield from _imports_in(ast.Module(child.orelse, []), importer, early, typing)
        else:
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _imports_in(child, importer, early and not inside, typing)


@functools.cache
def imports() -> tuple[Import, ...]:
    return tuple(found for name, path in modules().items() for found in _imports_in(_parsed(path), name))


def room(module: str) -> str:
    """``"compat"``, a room of the core, or ``""`` for what stands beside the rooms and all of them may import."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ("compat", *ORDER) else ""


def packages(module: str) -> set[str]:
    """The packages that a module imports, at once or later."""
    return {found.imported.partition(".")[0] for found in imports() if found.importer == module and not found.typing}


def test_the_core_imports_no_reference_library() -> None:
    core = {module: packages(module) & REFERENCES for module in modules() if room(module) != "compat"}
    assert {module: found for module, found in core.items() if found} == NEEDS_A_REFERENCE
    assert not any(
        found.early for found in imports() if found.importer in NEEDS_A_REFERENCE and found.imported == "torch"
    )


def test_design_imports_no_array_library_but_numpy() -> None:
    found = set().union(*(packages(module) for module in modules() if room(module) == "design"))
    assert found - set(sys.stdlib_module_names) <= {"mlx_spectro", "numpy"}


def test_host_kernels_do_not_know_mlx() -> None:
    assert not [module for module in modules() if ".kernels.cpu" in module and "mlx" in packages(module)]


def test_the_launcher_alone_of_the_gpu_s_kernels_knows_mlx() -> None:
    knowing = [module for module in modules() if ".kernels.gpu" in module and "mlx" in packages(module)]
    assert knowing == ["mlx_spectro.kernels.gpu.launch_mlx"]


def test_nothing_is_imported_upward() -> None:
    of_rooms = [found for found in imports() if room(found.importer) in ORDER and room(found.imported) in ORDER]
    height = {name: -i for i, name in enumerate(ORDER)}
    upward = [found for found in of_rooms if height[room(found.imported)] > height[room(found.importer)]]
    assert upward == []
    # the core does not know its adapters, and what all rooms import knows none of them
    assert not [found for found in imports() if room(found.importer) != "compat" and room(found.imported) == "compat"]
    beside = [found for found in imports() if not room(found.importer) and found.importer != "mlx_spectro"]
    assert not [found for found in beside if room(found.imported)]


def test_no_modules_import_each_other() -> None:
    graph: dict[str, set[str]] = {module: set() for module in modules()}
    for found in imports():
        if found.early and not found.typing and found.imported in graph and found.imported != found.importer:
            graph[found.importer].add(found.imported)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, with the circle


class Adapter(NamedTuple):
    """What a decorator registers in a library's place."""

    name: str
    documented: bool
    limited: bool


def _adapters() -> Iterator[Adapter]:
    for module, path in modules().items():
        if room(module) != "compat":
            continue
        owner: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(_parsed(path)):
            owner |= dict.fromkeys(ast.iter_child_nodes(node), node)
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) in ("serves", "adapter"):
                    name = str(ast.literal_eval(call.args[0]))
                    above = owner[node]
                    texts = [
                        ast.get_docstring(one)
                        for one in (node, above)
                        if isinstance(one, (ast.ClassDef, ast.FunctionDef))
                    ]
                    said = any(text and text.startswith(f"{name}. Same arguments, same defaults.") for text in texts)
                    yield Adapter(name, said, len(call.args) > 1)


def test_every_adapter_has_a_row_a_docstring_and_a_tolerance() -> None:
    from .table.cases import table

    adapters = list(_adapters())
    assert len({adapter.name for adapter in adapters}) == len(adapters) > 30
    # what draws random numbers is a program that sets their seed
    rows = {row.theirs if isinstance(row.theirs, str) else row.name for row in table()}
    assert [adapter.name for adapter in adapters if adapter.name not in rows] == []
    assert [adapter.name for adapter in adapters if not adapter.documented] == []
    assert [adapter.name for adapter in adapters if not adapter.limited] == []
