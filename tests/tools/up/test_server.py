"""Starting Label Studio; that it serves is shown by tests/e2e."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tagloom_base.errors import UserError
from tools.services.ports import free_port
from tools.up.account import Account
from tools.up.server import TELL_SECONDS, Waiting, answers, label_studio


def test_a_missing_environment_names_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="make label-studio"):
        label_studio(tmp_path, 8080, Account("a@b.example", "p", "t"))


def test_nothing_answers_on_a_closed_port() -> None:
    assert not answers("http://127.0.0.1:9")


def test_who_waits_for_label_studio_sees_that_it_goes_on(moved: Callable[[float], None]) -> None:
    said: list[str] = []
    waiting = Waiting(f"http://127.0.0.1:{free_port()}", said.append)
    assert not waiting()
    assert said == []
    moved(TELL_SECONDS)
    assert not waiting()
    assert not waiting()
    moved(TELL_SECONDS)
    assert not waiting()
    assert [line.split(":")[1] for line in said] == [" 15 s ...", " 30 s ..."]
