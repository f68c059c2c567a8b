"""Who makes the shards: processes of this machine, or the tasks of a Ray cluster."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx_spectro
from mlx_spectro import interpreter

from .blocks import WriteError
from .shards import Job, Note, Settings, Widths, make

# Ctrl-C reaches whoever is at the terminal: what becomes of workers, who began them decides
_WORKER = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "from mlx_spectro.compat.extraction.worker import main; main()"
)
# how often a recording may take its worker with it
_DEATHS = 2


class EngineError(RuntimeError):
    """No worker can work."""


def cores() -> int:
    """Those that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def local(jobs: list[Job], folder: Path, settings: Settings, widths: Widths, note: Note, workers: int | None) -> None:
    """Make shards in processes of this machine, or in this one where there are to be no workers.

    A worker that is killed is replaced, and its shard made again.

    Raises:
        WriteError: the folder cannot be written to.
        EngineError: workers end before they begin.
    """
    if workers == 0:
        extractor = settings.extractor()
        for job in jobs:
            make(job, folder, settings, extractor, widths, note)
        return
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    count = max(1, min(workers or cores(), len(jobs)))
    stop = threading.Event()
    lock = threading.Lock()

    def tell(event: dict[str, Any]) -> None:
        with lock:
            note(event)

    kinds = {name: (values, dtype.str) for name, (values, dtype) in widths.items()}
    begin = json.dumps({"settings": settings.as_json(), "folder": str(folder), "widths": kinds}) + "\n"
    crews = [_Crew(waiting, begin, tell, stop) for _ in range(count)]
    for crew in crews:
        crew.start()
    try:
        for crew in crews:
            while crew.is_alive():
                crew.join(0.2)
    finally:
        stop.set()
        for crew in crews:
            crew.kill()
        for crew in crews:
            crew.join()
    for crew in crews:
        if crew.error is not None:
            raise crew.error


class _Crew(threading.Thread):
    """One worker at a time, and what it is doing."""

    def __init__(self, waiting: queue.SimpleQueue[Job], begin: str, note: Note, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._waiting, self._begin, self._note, self._all_stop = waiting, begin, note, stop
        self._process: subprocess.Popen[str] | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self._all_stop.is_set():
                try:
                    job = self._waiting.get_nowait()
                except queue.Empty:
                    return
                self._make(job)
        except (WriteError, EngineError) as error:
            self.error = error
            self._all_stop.set()
        finally:
            self._end()

    def kill(self) -> None:
        """Kill the worker; the thread notices."""
        process = self._process
        if process is not None:
            process.kill()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _make(self, job: Job) -> None:
        deaths: dict[str, int] = {}
        while not self._all_stop.is_set():
            # what a killed worker had told of the shard is told again by its successor
            events: list[dict[str, Any]] = []
            status, reading = self._try(job, events)
            if status == 0:
                for event in events:
                    self._note(event)
                return
            if self._all_stop.is_set():
                return
            deaths[reading] = deaths.get(reading, 0) + 1
            if deaths[reading] >= _DEATHS:
                if not reading:
                    raise EngineError(f"workers end with status {status} before they read anything")
                reason = f"its worker was killed {deaths[reading]} times (status {status})"
                job = replace(job, given_up={**job.given_up, reading: reason})

    def _try(self, job: Job, events: list[dict[str, Any]]) -> tuple[int, str]:
        """0 where the shard is made; else how the worker ended, and the recording that it was at."""
        reading, counted = "", 0
        try:
            process = self._worker()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(vars(job)) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                event = json.loads(line)
                if "fatal" in event:
                    raise WriteError(event["fatal"])
                if "done" in event:
                    self._note({"progress": -counted})
                    return 0, ""
                if "begin" in event:
                    reading = event["begin"]
                elif "warning" in event:
                    self._note(event)
                else:
                    events.append(event)
                    counted += 1
                    self._note({"progress": 1})
        except (OSError, ValueError):  # a pipe that nobody is at any more, half a line
            pass
        self._note({"progress": -counted})
        status = self._process.wait() if self._process else 1
        self._end()
        return status or 1, reading

    def _worker(self) -> subprocess.Popen[str]:
        if self._process is not None:
            return self._process
        above = str(Path(mlx_spectro.__file__).parents[1])
        path = os.pathsep.join([above, *filter(None, [os.environ.get("PYTHONPATH")])])
        # cores are shared out to workers, so each library in one uses one
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            interpreter.command(_WORKER),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8",
        )  # fmt: skip
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._begin)
        process.stdin.flush()
        if not process.stdout.readline():
            status = process.wait()
            if not self._all_stop.is_set():
                raise EngineError(f"a worker ended with status {status} before it began: its message is above")
        return process


def ray(jobs: list[Job], folder: Path, settings: Settings, widths: Widths, note: Note, workers: int | None) -> None:
    """Make shards as tasks of the Ray cluster that there is; the folder has to be every machine's.

    Raises:
        WriteError: the folder cannot be written to.
        EngineError: there is no cluster, or Ray gave a task up.
    """
    cluster: Any = importlib.import_module("ray")
    if not cluster.is_initialized():
        try:
            cluster.init(address="auto", log_to_driver=False)
        except ConnectionError as error:
            raise EngineError(f"--engine ray needs a Ray cluster that runs: {error}") from None
    task = cluster.remote(num_cpus=1, max_retries=_DEATHS)(_as_task)
    waiting, under_way = iter(jobs), set()
    limit = workers or 2 * int(cluster.cluster_resources().get("CPU", 1))

    def begin(count: int) -> Iterator[Any]:
        for _, job in zip(range(count), waiting, strict=False):
            yield task.remote(job, folder, settings, widths)

    under_way |= set(begin(limit))
    while under_way:
        done, rest = cluster.wait(list(under_way))
        under_way = set(rest)
        for reference in done:
            try:
                events, fatal = cluster.get(reference)
            except cluster.exceptions.RayError as error:
                raise EngineError(f"Ray gave up a shard: {error}") from None
            if fatal:
                raise WriteError(fatal)
            for event in events:
                note(event)
        under_way |= set(begin(len(done)))


def _as_task(job: Job, folder: Path, settings: Settings, widths: Widths) -> tuple[list[dict[str, Any]], str]:
    """A shard in a worker of Ray's: what became of its recordings, and why it cannot be written."""
    mlx_spectro.set_num_threads(1)
    events: list[dict[str, Any]] = []
    try:
        make(job, folder, settings, settings.extractor(), widths, events.append)
    except WriteError as error:
        return events, str(error)
    return events, ""


ENGINES: dict[str, Callable[[list[Job], Path, Settings, Widths, Note, int | None], None]] = {"local": local, "ray": ray}
