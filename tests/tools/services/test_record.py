"""What a killed run left behind is found and ended; a living owner is respected."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tagloom_base.errors import UserError
from tagloom_base.running import Mark
from tools.services.record import FILE, Entries, Record


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)


def ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it is gone; its exit code is not asked for, since psutil has taken it."""
    gone = not psutil.pid_exists(process.pid)
    process.wait(5)
    return gone


def note(home: Path, owner: Mark | None, **children: int) -> None:
    marks = {name: mark for name, pid in children.items() if (mark := Mark.of(pid))}
    (home / FILE).write_text(Entries(owner=owner, children=marks).model_dump_json())


def test_claim_ends_what_a_dead_owner_left(tmp_path: Path) -> None:
    left = sleeper()
    note(tmp_path, Mark(pid=2**22 - 1, started=1.0), worker=left.pid)
    assert Record(tmp_path).claim() == ["worker"]
    assert ended(left)


def test_claim_refuses_a_home_whose_owner_lives(tmp_path: Path) -> None:
    note(tmp_path, Mark.of(os.getpid()))
    with pytest.raises(UserError, match=f"already runs in .* \\(process {os.getpid()}\\)"):
        Record(tmp_path).claim()


def test_a_used_again_process_id_is_nobody_we_know(tmp_path: Path) -> None:
    stranger = sleeper()
    try:
        entries = Entries(children={"worker": Mark(pid=stranger.pid, started=1.0)})
        (tmp_path / FILE).write_text(entries.model_dump_json())
        assert Record(tmp_path).claim() == []
        assert psutil.Process(stranger.pid).is_running()
    finally:
        stranger.kill()
        stranger.wait()


def test_down_ends_owner_and_children_and_forgets_them(tmp_path: Path) -> None:
    owner, child = sleeper(), sleeper()
    note(tmp_path, Mark.of(owner.pid), worker=child.pid)
    assert Record(tmp_path).down() == [f"tagloom (process {owner.pid})", "worker"]
    assert ended(owner)
    assert ended(child)
    assert Record(tmp_path).down() == []


def test_the_command_that_is_ended_is_named(tmp_path: Path) -> None:
    owner = sleeper()
    entries = Entries(owner=Mark.of(owner.pid), command="tagloom demo")
    (tmp_path / FILE).write_text(entries.model_dump_json())
    assert Record(tmp_path).down() == [f"tagloom demo (process {owner.pid})"]
    assert ended(owner)


def test_a_broken_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{half a rec")
    assert Record(tmp_path).claim() == []
