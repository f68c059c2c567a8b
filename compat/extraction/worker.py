"""A process that makes shards: jobs come in at stdin, a line of JSON each, and what becomes of them goes out."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

import mlx_spectro

from .blocks import WriteError
from .shards import Job, Settings, make


def main() -> None:
    """Make shards until nobody is there to ask for any."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # whatever a library prints is not an answer
    os.dup2(2, 1)

    def note(event: dict[str, Any]) -> None:
        answers.write(json.dumps(event) + "\n")
        answers.flush()

    try:
        first = json.loads(sys.stdin.readline())
        settings, folder = Settings.of_json(first["settings"]), Path(first["folder"])
        widths = {name: (values, np.dtype(dtype)) for name, (values, dtype) in first["widths"].items()}
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(lines,), daemon=True).start()
        mlx_spectro.set_num_threads(1)
        extractor = settings.extractor()
        note({"ready": True})
        while True:
            job = Job(**json.loads(lines.get()))
            make(job, folder, settings, extractor, widths, note)
            note({"done": job.number})
    except WriteError as error:
        note({"fatal": str(error)})


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    # the parent is gone: what is under way is not to meet what its successor makes
    os._exit(1)


if __name__ == "__main__":
    main()
