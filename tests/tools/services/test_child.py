"""Child processes end with all they started, and say why they ended."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from tagloom_base.errors import UserError
from tools.services.child import Child


def python(code: str, log: Path, **environment: str) -> Child:
    return Child("the service", [sys.executable, "-c", code], log=log, environment=environment)


def test_stop_ends_grandchildren_in_other_process_groups(tmp_path: Path) -> None:
    grandchild = tmp_path / "grandchild"
    child = python(
        "import os, subprocess, sys, time\n"
        "sleeper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], process_group=0)\n"
        f"open({str(grandchild)!r} + '.draft', 'w').write(str(sleeper.pid))\n"
        f"os.rename({str(grandchild)!r} + '.draft', {str(grandchild)!r})\n"
        "time.sleep(60)",
        tmp_path / "log",
    )
    child.start()
    child.wait_until(grandchild.exists, seconds=10)
    sleeper = psutil.Process(int(grandchild.read_text()))
    child.stop()
    assert child.pid is None
    assert not sleeper.is_running()


def test_stop_kills_what_ignores_sigterm_within_its_patience(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = python(
        "import pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)",
        tmp_path / "log",
    )
    child.start()
    child.wait_until(ready.exists, seconds=10)
    begin = time.monotonic()
    child.stop(patience=1)
    assert child.pid is None
    assert time.monotonic() - begin < 5


def test_a_child_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = python("raise SystemExit('the disk is on fire')", tmp_path / "log")
    child.start()
    with pytest.raises(UserError, match=r"(?s)the service ended with code 1.*the disk is on fire"):
        child.wait_until(lambda: False, seconds=10)


def test_a_child_that_never_gets_ready_is_told(tmp_path: Path) -> None:
    child = python("import time; time.sleep(60)", tmp_path / "log")
    child.start()
    try:
        with pytest.raises(UserError, match="was not ready within"):
            child.wait_until(lambda: False, seconds=0.2)
    finally:
        child.stop()


def test_a_missing_program_names_the_fix(tmp_path: Path) -> None:
    child = Child("the service", ["/nowhere/program"], log=tmp_path / "log", environment={})
    with pytest.raises(UserError, match="make env"):
        child.start()


def test_the_environment_reaches_the_child(tmp_path: Path) -> None:
    child = python("import os; print(os.environ['TAGLOOM_HOME'])", tmp_path / "log", TAGLOOM_HOME="here")
    child.start()
    with pytest.raises(UserError):
        child.wait_until(lambda: False, seconds=10)
    assert child.tail() == "here"
