"""One child process: it has its own session and a log file, and ends together with all processes it started."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tagloom_base.errors import UserError


class Child:
    """A named process. Its own session keeps the terminal's Ctrl-C away, so the parent decides the order of ends."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process. Raises UserError when its program is missing."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            try:
                self._process = subprocess.Popen(
                    self.command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except FileNotFoundError as missing:
                raise UserError(f"{self.name} can't start: no program {self.command[0]}; run `make env`") from missing

    @property
    def pid(self) -> int | None:
        """Process id, None before the start and after the end."""
        return self._process.pid if self._process else None

    def check(self) -> None:
        """Raise UserError with the end of the log when the process has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            code = self._process.returncode
            raise UserError(f"{self.name} ended with code {code}; the end of {self.log}:\n{self.tail()}")

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until ``ready()`` is true. Raises UserError when the process ends before, or after so many seconds."""
        end = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > end:
                raise UserError(
                    f"{self.name} was not ready within {seconds:.0f} s; the end of {self.log}:\n{self.tail()}"
                )
            time.sleep(0.1)

    def tail(self, lines: int = 12) -> str:
        """Return the last lines of the log."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"

    def stop(self, patience: float = 8.0) -> None:
        """End the process and all processes it started, within about ``patience`` seconds."""
        if self._process is None:
            return
        stop_tree(self._process.pid, patience)
        self._process.wait()
        self._process = None


def program(name: str) -> str:
    """Return the path of a program in the folder of this Python, so that a venv need not be activated."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def stop_tree(pid: int, patience: float) -> None:
    """End a process and its descendants, also those in other process groups (RQ gives each work horse one).

    They get SIGTERM, then SIGTERM again, which makes an RQ worker drop its current job, and in the end SIGKILL.
    """
    members = family(pid)
    for wait in (0.7 * patience, 0.3 * patience):
        if not members or not members[0].is_running():
            break
        _signal(members[:1], "terminate")
        members += [one for one in family(pid) if one not in members]
        psutil.wait_procs(members[:1], timeout=wait)
    _signal(members, "kill")
    psutil.wait_procs(members, timeout=5)


def family(pid: int) -> list[psutil.Process]:
    """Return the process and its descendants, or nothing when the process has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(processes: Sequence[psutil.Process], action: str) -> None:
    for process in processes:
        try:
            getattr(process, action)()
        except psutil.NoSuchProcess:
            continue
