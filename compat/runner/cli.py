"""Run a program with mlx_spectro's functions in place of those of torch, torchaudio, librosa and transformers.

The program is a script, -m MODULE or -c CODE, with its own arguments after it. Other verbs: extract (features of
a data set), parity (compare every function with its reference on this machine), warm (compile host kernels ahead of
time), replay FILE (run again a call that --verify saved), doctor (what is found here, and what to do about it).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
import warnings
from pathlib import Path

from mlx_spectro import distribution

from .. import dispatch
from ..contract import records, settings
from ..diagnostics import report, reproduction, tables
from .program import MissingError, Options, Program, run

_WITH_VALUE = ("--report", "--breaches")
# verbs that the parity table serves, and its modules that do
_OF_TABLE = {"parity": "__main__", "warm": "warm"}


def main() -> None:
    """The command ``mlx-spectro``, which is ``python -m mlx_spectro.compat`` too."""
    verb, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if verb in _OF_TABLE:
        sys.exit(_of_table(verb, arguments))
    if verb == "replay":
        sys.exit(_replay(arguments))
    if verb == "extract":
        from ..extraction import command

        sys.exit(command.main(arguments))
    if verb == "doctor":
        from . import doctor

        sys.exit(doctor.main(arguments))
    name = _name()
    program, options = _parse(arguments if verb == "run" else sys.argv[1:])
    try:
        run(program, options)
    except MissingError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(error.status)


def _name() -> str:
    return "mlx-spectro" if os.path.basename(sys.argv[0]).startswith("mlx-spectro") else "python -m mlx_spectro.compat"


def _version() -> str:
    versions = tables.versions()
    return f"{distribution.NAME} {versions.get(distribution.NAME, 'not installed')} (python {versions['python']})"


def _parse(argv: list[str]) -> tuple[Program, Options]:
    """The program with its own arguments, and our options."""
    parser = argparse.ArgumentParser(
        prog=_name(),
        description=__doc__,
        allow_abbrev=False,
        usage="%(prog)s [options] script.py | -m MODULE | -c CODE",
    )
    parser.add_argument("--version", action="version", version=_version())
    parser.add_argument("--profile", action="store_true", help="say what ran where, how long it took, and why")
    exactness = parser.add_mutually_exclusive_group()
    exactness.add_argument("--verify", action="store_true", help="run the reference too and compare every result")
    exactness.add_argument("--strict", action="store_true", help="have the reference serve every call, bit for bit")
    parser.add_argument("--report", type=Path, metavar="F", help="write the profile or verification as .html or .json")
    parser.add_argument(
        "--breaches",
        type=Path,
        metavar="FOLDER",
        default=Options.breaches,
        help="where --verify saves breaches",
    )
    program = parser.add_mutually_exclusive_group()
    program.add_argument("-m", dest="module", metavar="MODULE", help="run a module")
    program.add_argument("-c", dest="code", metavar="CODE", help="run code")
    mine, rest = _split(argv)
    ours = parser.parse_args(mine)
    if not (ours.module or ours.code is not None or rest):
        parser.error("a script, -m MODULE or -c CODE is needed")
    if ours.report:
        reason = _unwritable(ours.report)
        if reason:
            parser.error(f"--report {ours.report}: {reason}")
    script = "" if ours.module or ours.code is not None else rest.pop(0)
    profile = ours.profile or (ours.report is not None and not ours.verify)
    options = Options(profile, ours.verify, ours.strict, ours.report, ours.breaches)
    return Program(script, ours.module or "", ours.code, tuple(rest)), options


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Our options, up to the program or the option that names it, and what comes after."""
    rest = list(argv)
    mine: list[str] = []
    while rest and rest[0].startswith("-") and rest[0] != "-":
        mine.append(rest.pop(0))
        names_program = mine[-1] in ("-m", "-c")
        if names_program or mine[-1] in _WITH_VALUE:
            mine += rest[:1]
            del rest[:1]
        if names_program or mine[-1][:2] in ("-m", "-c"):
            break
    return mine, rest


def _unwritable(path: Path) -> str:
    """Why a report cannot be written to ``path``; empty where it can."""
    if path.suffix not in (".html", ".json"):
        return "the name must end in .html or .json"
    if path.suffix == ".html" and importlib.util.find_spec("jinja2") is None:
        return f"a page needs jinja2: {distribution.install('report')}"
    if path.is_dir():
        return "is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    place = path if path.exists() else path.parent
    return "" if os.access(place, os.W_OK) else "is not ours to write to"


def _of_table(verb: str, arguments: list[str]) -> int:
    """A verb of the parity table, of the one that the wheel carries or of the checkout's own."""
    shipped = "mlx_spectro._parity"
    name = shipped if importlib.util.find_spec(shipped) else "parity_tests"
    if name != shipped:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
        name = "parity_tests.table" if importlib.util.find_spec(name) else ""
    if not name:
        print("mlx-spectro: the parity table is missing from this installation", file=sys.stderr)
        return 1
    status: int = importlib.import_module(f"{name}.{_OF_TABLE[verb]}").main(arguments, prog=f"mlx-spectro {verb}")
    return status


def _replay(arguments: list[str]) -> int:
    """Run a saved call again; 1 where it still breaches its limit."""
    parser = argparse.ArgumentParser(prog="mlx-spectro replay", description="Run a call again that --verify saved.")
    parser.add_argument("file", type=Path, metavar="FILE", help="a .npz file that --verify wrote")
    path = parser.parse_args(arguments).file
    if not path.is_file():
        parser.error(f"there is no file {path}")
    reason = reproduction.unreadable(path)
    if reason:
        parser.error(f"{path}: {reason}")
    function, args, kwargs = reproduction.load(path)
    begin = time.perf_counter()
    with (
        records.apart(), settings.numerics("verify"), settings.route("ours"), settings.on_breach("warn"),
        warnings.catch_warnings(),
    ):  # fmt: skip
        warnings.simplefilter("ignore", RuntimeWarning)
        dispatch.call(function, args, kwargs)
        again = report.Run(str(path), records.report(), time.perf_counter() - begin, verified=True)
    again.show(sys.stdout)
    return 1 if again.breaches else 0


if __name__ == "__main__":
    main()
