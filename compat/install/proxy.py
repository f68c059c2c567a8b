"""Modules that are a reference library with a few of its names replaced."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from ..contract import adapter
from . import installer

_ROOT = __name__.rsplit(".", 2)[0]
_FOLDER = os.path.dirname(os.path.dirname(__file__))
_PREFIXES = tuple(f"{_ROOT}.{library}." for library in adapter.LIBRARIES)
# a proxy's own: what the import system and pickle read from a module
_OWN = frozenset(
    {"__name__", "__path__", "__spec__", "__loader__", "__package__", "__file__", "__cached__", "__dict__", "__class__"}
)


class ReferenceProxy(ModuleType):
    """A module that shows ``reference``'s names, except for those it holds itself.

    Setting or deleting a name does so in ``reference``; a name of ours is replaced here only.
    """

    def __init__(
        self, name: str, reference: ModuleType, ours: dict[str, Any], later: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(name, reference.__doc__)
        own = vars(self)
        # an empty path makes the import system ask the finder below for submodules
        own.update(ours, _reference=reference, _ours=frozenset(ours), _later=later, __path__=[])

    def __getattr__(self, name: str) -> Any:
        if name in _OWN:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if name in vars(self)["_later"]:
            return importlib.import_module(f"{self.__name__}.{name}")
        return getattr(vars(self)["_reference"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        own = vars(self)
        if name in _OWN or name in own["_ours"] or isinstance(value, ReferenceProxy):
            own[name] = value
        else:
            setattr(own["_reference"], name, value)

    def __delattr__(self, name: str) -> None:
        own = vars(self)
        if name in own["_ours"]:
            own.pop(name, None)
            own["_ours"] -= {name}
        else:
            delattr(own["_reference"], name)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        # what sends functions of a program to other processes sends the modules that they name
        return importlib.import_module, (self.__name__,)

    def __dir__(self) -> list[str]:
        own = vars(self)
        return sorted({*dir(own["_reference"]), *own["_ours"]})


def stand_in(name: str, reference: str, later: tuple[str, ...] = ()) -> None:
    """Put a :class:`ReferenceProxy` in the place of the module ``name`` that is being imported, and tell ``install()``.

    In it our functions and classes that are registered for ``reference`` replace that module's. A package's own modules
    are imported: first the private ones, which register what they define, at last those that stand in for a library's.

    Args:
        name: The module's ``__name__``.
        reference: Name of the library's module behind it.
        later: Submodules that are dear to import, and whose stand-ins wait until a program asks for them, or has
            imported the library's; the private module of one is called as it is, after an underscore.
    """
    import pkgutil  # which takes a few milliseconds, and programs without torch don't come here

    module = sys.modules[name]
    if isinstance(module, ReferenceProxy):  # which is loaded again, and as it was
        return
    real = importlib.import_module(reference)
    folders = getattr(module, "__path__", ())
    waiting = {sub for sub in later if f"{reference}.{sub}" not in sys.modules}
    for room in pkgutil.iter_modules(folders, f"{name}."):
        private = room.name.removeprefix(f"{name}._")
        if private != room.name and private not in waiting:
            _import_all(room.name)
    package, _, last = name.rpartition(".")
    if last in vars(sys.modules[package]).get("_later", ()):
        _import_all(f"{package}._{last}")
    library = reference.partition(".")[0]
    ours = {}
    for _, original, replacement, _ in adapter.shown_in(reference):
        ours[replacement.__name__] = replacement
        if isinstance(original, type):
            # the class itself stays, and so do its subclasses, its pickles and the names that others bound
            installer.replaces_method(library, original, "forward", replacement.forward)
        else:
            installer.replaces(library, original, replacement)
    proxy = ReferenceProxy(name, real, ours, frozenset(waiting))
    vars(proxy).update({key: value for key, value in vars(module).items() if key in _OWN})
    sys.modules[name] = proxy
    # now, for it is the stand-in that gets them as attributes
    for submodule in pkgutil.iter_modules(folders, f"{name}."):
        last = submodule.name.rpartition(".")[2]
        if not (last in waiting or last.startswith("_")):
            importlib.import_module(submodule.name)
    # where the library defines what it shows here: attributes of the stand-in, as of the library's module
    for inner in sorted({str(shown.original.__module__) for shown in adapter.shown_in(reference)}):
        if inner.startswith(f"{reference}."):
            importlib.import_module(f"{_ROOT}.{inner}")
    installer.patch_again(library)


def _ours_in(module: ModuleType) -> dict[str, Any]:
    """Ours, by the names under which a library's module has the library's own, or ours where installed."""
    known = {id(value): served.ours for served in adapter.adapters.values() for value in (served.original, served.ours)}
    return {name: known[id(value)] for name, value in list(vars(module).items()) if id(value) in known}


def _import_all(name: str) -> None:
    """Import a module and, of a package, what is in it."""
    import pkgutil

    for inner in pkgutil.walk_packages(getattr(importlib.import_module(name), "__path__", ()), f"{name}."):
        importlib.import_module(inner.name)


class _AliasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``mlx_spectro.compat.torch.nn`` as the very module ``torch.nn``, or as a stand-in where ours is in it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(_PREFIXES):
            return None
        if path and path[0].startswith(_FOLDER) and importlib.machinery.PathFinder.find_spec(fullname, path):
            return None
        real = fullname.removeprefix(_ROOT + ".")
        # of what a library has put there itself, nobody finds a spec
        if real not in sys.modules and importlib.util.find_spec(real) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=real)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None and spec.origin is not None
        if isinstance(module, ReferenceProxy):  # which is loaded again, and as it was
            return
        real = sys.modules[spec.name] = importlib.import_module(spec.origin)
        if ours := _ours_in(real):
            proxy = sys.modules[spec.name] = ReferenceProxy(spec.name, real, ours)
            own = {**vars(module), "__file__": getattr(real, "__file__", None)}
            vars(proxy).update({key: value for key, value in own.items() if key in _OWN})
        if not hasattr(real, "__path__"):
            # nothing is looked for in it: what there is, an extension has put there
            inside = [(name, sub) for name, sub in list(sys.modules.items()) if name.startswith(f"{spec.origin}.")]
            sys.modules.update({f"{_ROOT}.{name}": sub for name, sub in inside})


def find_submodules() -> None:
    """Have the import system resolve the submodules of the libraries' stand-ins."""
    if not any(isinstance(finder, _AliasFinder) for finder in sys.meta_path):
        # before the path finder, which would run a library's sources again under the alias
        sys.meta_path.insert(0, _AliasFinder())
