"""Run a program under the shim: python -m mlx_spectro.compat [--verify | --strict] script.py | -m module | -c code."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from . import installing, modes, records


def _parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our options, and the program with its own arguments."""
    parser = argparse.ArgumentParser(prog="python -m mlx_spectro.compat", description=__doc__, allow_abbrev=False)
    exactness = parser.add_mutually_exclusive_group()
    exactness.add_argument("--verify", action="store_true", help="run the reference too and compare every result")
    exactness.add_argument("--strict", action="store_true", help="have the reference serve every call, bit for bit")
    program = parser.add_mutually_exclusive_group()
    program.add_argument("-m", dest="module", metavar="MODULE", help="run a module")
    program.add_argument("-c", dest="code", metavar="CODE", help="run code")
    mine: list[str] = []
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        mine.append(rest.pop(0))
        if mine[-1] in ("-m", "-c"):
            mine += rest[:1]
            del rest[:1]
            break
    options = parser.parse_args(mine)
    if not (options.module or options.code is not None or rest):
        parser.error("a script, -m MODULE or -c CODE is needed")
    return options, rest


def main() -> None:
    options, rest = _parse(sys.argv[1:])
    if options.verify or options.strict:
        modes.numerics("verify" if options.verify else "strict")
        modes.route("ours")
    installing.install()
    try:
        _run(options, rest)
    finally:
        if options.verify:
            _print_report()


def _run(options: argparse.Namespace, rest: list[str]) -> None:
    if options.module:
        sys.argv = [options.module, *rest]
        sys.path[0] = ""
        runpy.run_module(options.module, run_name="__main__", alter_sys=True)
    elif options.code is not None:
        sys.argv = ["-c", *rest]
        sys.path[0] = ""
        exec(compile(options.code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        script = Path(rest[0])
        if not script.exists():
            sys.exit(f"mlx_spectro.compat: can't open {str(script)!r}: no such file")
        sys.argv = rest
        sys.path[0] = str(script.resolve().parent)
        runpy.run_path(rest[0], run_name="__main__")


def _print_report() -> None:
    kept = records.report()
    ours = sum(record.calls for record in kept if not record.reason)
    print(
        f"mlx_spectro: {ours} calls verified, {sum(r.calls for r in kept) - ours} served by the reference",
        file=sys.stderr,
    )
    for record in kept:
        print(
            f"  {record.calls} x {record.function} at {record.file}:{record.line} {record.reason}".rstrip(),
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
