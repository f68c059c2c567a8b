"""Python in a process of its own."""

from __future__ import annotations

import sys


def command(code: str) -> list[str]:
    """What runs ``code``, and looks for no module in the folder that it is called in, as ``-m`` and ``-c`` do."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = filter(None, sys.path)\n{code}"]
