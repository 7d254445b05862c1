"""How far a command is: lines in a log, a bar with rate and time left on a terminal."""

import os
import pty
import subprocess
import sys
import termios

import pytest

from tagloom import progress as module
from tagloom.progress import progress
from tests.architecture import ROOT

SCRIPT = """
from tagloom.progress import progress
with progress("export", "tasks") as moved:
    for done in range(1, 51):
        moved(done, 100)
    moved(7, 9, "judging")
"""


def test_a_log_gets_a_line_now_and_then_and_the_last_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("export", "tasks") as moved:
        for done in range(1, 1001):
            moved(done, 1000)
        moved(1000, 1000)
    assert capsys.readouterr().err == "export: 1 of 1000 tasks\nexport: 1000 of 1000 tasks\n"
    monkeypatch.setattr(module, "LINE_S", 0.0)
    with progress("export", "tasks") as moved:
        moved(1, 3)
        moved(2, 3)
    assert capsys.readouterr().err == "export: 1 of 3 tasks\nexport: 2 of 3 tasks\n"


def test_each_stage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("train", "steps") as moved:
        moved(0, 0, "reading features")
        moved(0, 0, "reading features")
        moved(1, 40, "refine")
        moved(0, 0, "judging")
    assert capsys.readouterr().err == "train, reading features\ntrain, refine: 1 of 40 steps\ntrain, judging\n"


def test_a_terminal_gets_a_bar_with_rate_and_time_left() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, stderr=theirs, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says that the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert "export:  50%" in text
    assert "50/100 [" in text
    assert " tasks/s]" in text
    assert "export, judging:  78%" in text
