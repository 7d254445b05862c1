import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testing.waiting import until
from worker.training.beside import ASKED, start

SLEEPS = "import sys, time\nfrom worker.training.beside import end_with\nend_with(int(sys.argv[1]))\ntime.sleep(60)\n"
PARENT = """
import os, time
from worker.training.beside import start
print(start("asleep", str(os.getpid())).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that ends with the process that started it, and sleeps."""
    (tmp_path / "asleep.py").write_text(SLEEPS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")


def test_it_cannot_be_asked_to_end_from_its_first_moment_on() -> None:
    mine = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    beside = start("asleep", str(os.getpid()))
    try:
        for asked in ASKED:
            beside.send_signal(asked)
        with pytest.raises(subprocess.TimeoutExpired):
            beside.wait(0.3)
    finally:
        beside.kill()
        assert beside.wait(10) == -signal.SIGKILL
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mine


def test_it_ends_when_the_process_that_started_it_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        number = int(parent.stdout.readline())
        assert Path(f"/proc/{number}").exists()
        parent.kill()
    until(lambda: not Path(f"/proc/{number}").exists() or "State:\tZ" in Path(f"/proc/{number}/status").read_text())
