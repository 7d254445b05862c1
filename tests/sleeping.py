"""A process that sleeps, where a home notes its backend: its environment and its folder can be read, and no more."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tagloom_base.running import FILE, Mark
from testing.waiting import until


@contextmanager
def noted_backend(home: Path, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield the process that the home notes; ``options`` are those of ``Popen``."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], **options) as running:
        try:
            mark = Mark.of(running.pid)
            assert mark
            # For a moment after its start a process has no environment yet.
            until(psutil.Process(running.pid).environ)
            (home / FILE).write_text(f"[{mark.model_dump_json()}]")
            yield running
        finally:
            running.kill()
