"""A program run under the shim as Python itself would run it."""

from __future__ import annotations

import atexit
import builtins
import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import time
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract import records, settings
from ..diagnostics import profile, reproduction
from ..diagnostics.report import Run
from ..install import installer
from . import subprocesses

_SHIM = os.path.dirname(os.path.dirname(__file__)) + os.sep


@dataclass(frozen=True)
class Program:
    """What to run: a script, or a module, or code."""

    script: str = ""
    module: str = ""
    code: str | None = None
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.code is not None:
            return "-c"
        return f"-m {self.module}" if self.module else self.script


@dataclass(frozen=True)
class Options:
    """How to run it."""

    profile: bool = False
    verify: bool = False
    strict: bool = False
    report: Path | None = None
    breaches: Path = Path("mlx_spectro_breaches")


class MissingError(Exception):
    """There is no such program; the exit code is Python's own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Session:
    """One program's run: what is switched on for it and its children, and the report at its end."""

    def __init__(self, program: Program, options: Options) -> None:
        self.program, self.options = program, options
        self._process = os.getpid()
        self._loading = 0.0
        self._begin = time.perf_counter()
        # where the children leave their records, if they are to be reported
        reports = options.profile or options.verify or options.report is not None
        self._folder = Path(tempfile.mkdtemp(prefix="mlx_spectro-")) if reports else None

    def start(self) -> None:
        """Switch on what the options ask for."""
        options = self.options
        if options.verify or options.strict:
            self._set("NUMERICS", settings.numerics, "verify" if options.verify else "strict")
            self._set("ROUTE", settings.route, "ours")
        if options.verify:
            reproduction.folder = options.breaches
            if "MLX_SPECTRO_ON_BREACH" not in os.environ:
                # the report is to show every breach, not the first one
                self._set("ON_BREACH", settings.on_breach, "warn")
        if options.verify:
            self._loading = profile.load_kernels()
            self._begin = time.perf_counter()
        if options.profile:
            profile.start()
        installer.install()
        subprocesses.expect(self._folder)
        # the first to be registered runs last: after the program's own, and after its children were waited for
        atexit.register(self._finish)

    def cancel(self) -> None:
        """End without a report."""
        atexit.unregister(self._finish)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _set(variable: str, setting: settings.Setting[str], value: str) -> None:
        setting(value)
        os.environ[f"MLX_SPECTRO_{variable}"] = value

    def report(self) -> Run:
        """The records of the program and its children so far."""
        theirs = [] if self._folder is None else subprocesses.collect(self._folder)
        by_key: dict[tuple[str, str, str, int], records.Record] = {}
        for report in (records.report(), *theirs):
            records.merge(by_key, report)
        return Run(
            str(self.program),
            list(by_key.values()),
            time.perf_counter() - self._begin,
            1 + len(theirs),
            installer.bound_before(),
            self.options.profile,
            self.options.verify,
            self._loading,
        )

    def _finish(self) -> None:
        if os.getpid() != self._process or self._folder is None:
            return
        sys.stdout.flush()
        run = self.report()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self.options.profile or self.options.verify:
            run.show(sys.stderr)
        if self.options.report is not None:
            run.write(self.options.report)


def run(program: Program, options: Options) -> None:
    """Run ``program``; returns, or raises what it raised, as Python would end with it.

    Raises:
        MissingError: there is no such script or module.
    """
    session = Session(program, options)
    _set_path(program)
    try:
        # before the program's code is looked for: that imports the packages it lies in
        session.start()
        code, main = _code(program)
        sys.modules["__main__"] = main
        exec(code, vars(main))
        status: Any = 0
    except MissingError:
        session.cancel()
        raise
    except SystemExit as stop:
        status = stop.code
    except BaseException as error:
        _forget_our_frames(error)
        sys.excepthook(type(error), error, error.__traceback__)
        # it has been shown; what Python does at the end, a signal's exit code included, is still to come
        sys.excepthook = lambda *_: None
        raise
    if options.verify and not status:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        status = 1 if session.report().breaches else status
    sys.exit(status)


def _set_path(program: Program) -> None:
    safe = getattr(sys.flags, "safe_path", False)
    if program.script and _is_archive(path := _place(program.script)):
        sys.path[: 0 if safe else 1] = [path]
    elif safe:
        return
    elif program.code is not None or program.script == "-":
        sys.path[0] = ""
    elif program.module:
        sys.path[0] = os.getcwd()
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(program.script))


def _place(script: str) -> str:
    """Where a script lies, as Python names it: ``..`` behind a link to a folder is that folder's."""
    return os.getcwd() if script == "." else os.path.join(os.getcwd(), script)


def _is_archive(path: str) -> bool:
    """Whether ``path`` is a folder or a zip file, which Python runs by its ``__main__.py``."""
    return importlib.machinery.PathFinder.find_spec("__main__", [path]) is not None


def _code(program: Program) -> tuple[types.CodeType, types.ModuleType]:
    """The program's code and an empty ``__main__`` for it."""
    main = types.ModuleType("__main__")
    space = vars(main)
    space["__builtins__"] = builtins
    if sys.version_info < (3, 14):
        space["__annotations__"] = {}
    if program.code is not None or program.script == "-":
        sys.argv = [program.script or "-c", *program.arguments]
        space["__loader__"] = importlib.machinery.BuiltinImporter
        if program.code is not None:
            return compile(program.code, "<string>", "exec", dont_inherit=True), main
        space.update(__file__="<stdin>", __cached__=None)
        return compile(sys.stdin.buffer.read(), "<stdin>", "exec", dont_inherit=True), main
    if program.module or _is_archive(_place(program.script)):
        sys.argv = ["-m" if program.module else program.script, *program.arguments]
        spec = _spec(program)
        assert spec.loader is not None
        code = spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
        if code is None:
            raise MissingError(f"no code object available for {spec.name}", 1)
        space.update(__spec__=spec, __loader__=spec.loader, __file__=spec.origin, __cached__=spec.cached)
        space["__package__"] = spec.parent
        if program.module:
            sys.argv[0] = spec.origin or program.module
        return code, main
    path = _place(program.script)
    if os.path.isdir(path):
        raise MissingError(f"there is no __main__.py in {program.script!r}", 1)
    sys.argv = [program.script, *program.arguments]
    kind = "Sourceless" if path.endswith(".pyc") else "Source"
    loader = getattr(importlib.machinery, f"{kind}FileLoader")("__main__", path)
    space.update(__loader__=loader, __file__=path, __cached__=None)
    try:
        data = loader.get_data(path)
    except OSError as error:
        raise MissingError(f"can't open {program.script!r}: {str(error.strerror).lower()}", 2) from None
    return loader.get_code("__main__") if kind == "Sourceless" else loader.source_to_code(data, path), main


def _spec(program: Program) -> importlib.machinery.ModuleSpec:
    if not program.module:
        spec = importlib.machinery.PathFinder.find_spec("__main__", [_place(program.script)])
        assert spec is not None
        return spec
    name = program.module
    parent = name.rpartition(".")[0]
    # the search for a module imports its parents; that one is missing is no error in the program
    if parent and importlib.util.find_spec(parent.partition(".")[0]) is None:
        raise MissingError(f"no module named {name}", 1)
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
        if spec is None:
            raise MissingError(f"{name} is a package without a __main__ and cannot be run", 1)
    if spec is None:
        raise MissingError(f"no module named {name}", 1)
    return spec


def _forget_our_frames(error: BaseException | None) -> None:
    """Leave the shim out of the tracebacks of ``error`` and of what led to it."""
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        frames = []
        trace = error.__traceback__
        while trace is not None:
            frames.append(trace)
            trace = trace.tb_next
        theirs = [frame for frame in frames if not frame.tb_frame.f_code.co_filename.startswith(_SHIM)]
        # before the program's own frames stands what found it
        while theirs and "importlib" in theirs[0].tb_frame.f_code.co_filename:
            del theirs[0]
        for i, frame in enumerate(theirs):
            frame.tb_next = theirs[i + 1] if i + 1 < len(theirs) else None
        error.__traceback__ = theirs[0] if theirs else None
        error = error.__cause__ or error.__context__
