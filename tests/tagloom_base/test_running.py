"""A backend notes its process; another process of this user finds its settings there, as long as it lives."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tagloom_base.errors import UserError
from tagloom_base.running import FILE, Mark, backend, note_backend, settings_in

NOTE = """
import sys, time
from pathlib import Path
from tagloom_base.running import note_backend
note_backend(Path(sys.argv[1]))
print("noted", flush=True)
time.sleep(60)
"""


def noted(home: Path, **environment: str) -> "subprocess.Popen[str]":
    """Start a process that notes itself, in the folder of the home."""
    words = [sys.executable, "-c", NOTE, str(home)]
    surroundings = {**os.environ, "PYTHONPATH": os.getcwd(), **environment}
    process = subprocess.Popen(words, env=surroundings, cwd=home, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "noted\n"
    return process


def ended(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_the_settings_of_the_running_backend_are_found_and_no_secret_lies_in_the_home(tmp_path: Path) -> None:
    assert backend(tmp_path) is None
    process = noted(tmp_path, TAGLOOM_PORT="9191", LABEL_STUDIO_API_KEY="a-secret-token", HOME="/nowhere")
    try:
        found = backend(tmp_path)
        assert found
        assert (found.pid, found.folder) == (process.pid, tmp_path)
        assert (found.variables["TAGLOOM_PORT"], found.variables["LABEL_STUDIO_API_KEY"]) == ("9191", "a-secret-token")
        assert "HOME" not in found.variables
        assert "secret" not in (tmp_path / FILE).read_text()
    finally:
        ended(process)
    assert backend(tmp_path) is None, "it has ended"


def test_of_several_the_last_that_lives_counts(tmp_path: Path) -> None:
    first, second = noted(tmp_path, TAGLOOM_PORT="9191"), noted(tmp_path, TAGLOOM_PORT="9292")
    try:
        found = backend(tmp_path)
        assert found
        assert found.pid == second.pid
        ended(second)
        found = backend(tmp_path)
        assert found
        assert found.pid == first.pid
    finally:
        ended(first)


@pytest.mark.parametrize("content", ["", "{", "[]", "[1]", '{"pid": 1}'])
def test_a_broken_note_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert backend(tmp_path) is None


def test_the_backend_of_another_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: psutil.Process) -> dict[str, str]:
        raise psutil.AccessDenied(self.pid)

    note_backend(tmp_path)
    monkeypatch.setattr(psutil.Process, "environ", refused)
    with pytest.raises(UserError, match=f"process {os.getpid()}\\) can be read by its own user alone"):
        backend(tmp_path)


def test_a_home_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    note_backend(tmp_path / "file")


def test_misspelt_variables_are_settings_too() -> None:
    found = settings_in({"TAGLOOM_IMAGE_HOST": "a", "redis_url": "b", "SSL_CERT_FILE": "c", "PATH": "d"})
    assert set(found) == {"TAGLOOM_IMAGE_HOST", "redis_url", "SSL_CERT_FILE"}
    assert Mark(pid=os.getpid(), started=time.time() - 1e6).alive is False
