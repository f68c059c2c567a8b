"""Extract features of recordings into a folder.

AUDIO are files, folders and patterns. Options that are not below are those of the functions: --n-mels 80, or for one
feature alone --mfcc.n-mfcc 13. After an interruption, the same command goes on. The status is 0, 1 where recordings
could not be read, 2 where the extraction could not be finished.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import sys
from types import TracebackType
from typing import Any

from . import engines
from .folder import SHARD_SIZE, Extraction, ExtractionError, Progress, extract
from .functions import FEATURES
from .recordings import LONGEST
from .shards import WRITERS

_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """The command ``mlx-spectro extract``."""
    parser = _parser()
    mine, options = _split(argv, parser)
    ours = parser.parse_args(mine)
    try:
        with _Shown(sys.stderr) as progress:
            done = extract(
                ours.audio, ours.features, ours.out, manifest=ours.manifest, like=ours.like, rate=ours.rate,
                channel=ours.channel, longest=ours.longest, device=ours.device, format=ours.format, engine=ours.engine,
                workers=ours.workers, shard_size=ours.shard_size, retry_failed=ours.retry_failed, progress=progress,
                **options,
            )  # fmt: skip
    except (ExtractionError, ValueError, ImportError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted; the same command goes on", file=sys.stderr)
        return _INTERRUPTED
    return _tell(done)


def _tell(done: Extraction) -> int:
    for path, reason in done.failed.items():
        print(f"no row: {path}: {reason}", file=sys.stderr)
    left_out = f", {len(done.failed)} recordings without one" if done.failed else ""
    print(f"{done.rows} rows of {_duration(done.seconds)} in {done.folder}{left_out}")
    return 1 if done.failed else 0


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds:.0f} s"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlx-spectro extract",
        description=__doc__,
        allow_abbrev=False,
        epilog="; ".join(f"features like {like}'s: {', '.join(names)}" for like, names in FEATURES.items()),
    )
    parser.add_argument("audio", nargs="*", metavar="AUDIO", help="a file, a folder or a pattern")
    parser.add_argument("--manifest", metavar="F", help="a file that names recordings: .txt, .jsonl, .csv or .tsv")
    parser.add_argument("--features", default="mel", metavar="NAMES", help="with commas between (default mel)")
    parser.add_argument("--like", default="librosa", choices=list(FEATURES), help="whose functions and options")
    parser.add_argument("--out", required=True, metavar="DIR", help="where they go: new, empty, or to be gone on with")
    parser.add_argument("--format", default="parquet", choices=list(WRITERS))
    parser.add_argument("--rate", type=int, metavar="HZ", help="resample first")
    parser.add_argument("--channel", type=int, metavar="N", help="take one channel, from 0 on, not the mean of all")
    parser.add_argument(
        "--longest", type=float, default=LONGEST, metavar="S", help=f"read longer ones in blocks ({LONGEST:.0f} s)"
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="of torch, for features like torchaudio's (cpu)")
    parser.add_argument("--engine", default="local", choices=list(engines.ENGINES), help="ray: a cluster that runs")
    parser.add_argument("--workers", type=int, metavar="N", help="processes, 0 for none, or tasks (one a core)")
    parser.add_argument("--shard-size", type=int, default=SHARD_SIZE, metavar="N", help="recordings a file (128)")
    parser.add_argument("--retry-failed", action="store_true", help="try again what could not be read")
    return parser


def _split(argv: list[str], parser: argparse.ArgumentParser) -> tuple[list[str], dict[str, Any]]:
    """Our arguments, and the functions' options."""
    mine: list[str] = []
    options: dict[str, Any] = {}
    rest = list(argv)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if argument == "--":
            return [*mine, "--", *rest], options
        if not argument.startswith("--") or name in parser._option_string_actions:
            mine.append(argument)
            continue
        if not equals:
            if not rest or rest[0].startswith("--"):
                parser.error(f"{name} needs a value")
            value = rest.pop(0)
        options[name[2:].replace("-", "_")] = _value(value)
    return mine, options


def _value(text: str) -> Any:
    """What an option's text says: one of Python's values, true, false and none in any case, or the text itself."""
    word = text.capitalize()
    try:
        return ast.literal_eval(word if word in ("True", "False", "None") else text)
    except (ValueError, SyntaxError):
        return text


class _Shown(Progress):
    """A bar on a terminal, and on anything else the warnings alone."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._bar, self._task = stream, _bar(stream), None
        self._seconds, self._warned = 0.0, set[str]()

    def __enter__(self) -> _Shown:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._task = self._bar.add_task("", total=total, completed=done, audio="")
            self._bar.start()
        elif done:
            print(f"{done} of {total} recordings were done before", file=self._stream)

    def event(self, event: dict[str, Any]) -> None:
        if "warning" in event and event["warning"] not in self._warned:
            self._warned.add(event["warning"])
            print(f"warning: {event['warning']}", file=self._stream)
        if self._bar is None or self._task is None:
            return
        self._seconds += event.get("seconds", 0.0)
        steps = event.get("progress", 1 if "row" in event or "failed" in event else 0)
        begin = self._bar.tasks[0].elapsed
        rate = self._seconds / 60 / begin if begin else 0.0
        self._bar.update(self._task, advance=steps, audio=f"{rate:.1f} h of audio a minute" if rate else "")


def _bar(stream: Any) -> Any:
    if not stream.isatty() or importlib.util.find_spec("rich") is None:
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[audio]}"), TimeRemainingColumn(),
        console=Console(file=stream), redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
