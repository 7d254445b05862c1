"""Starting Label Studio; that it serves is shown by tests/e2e."""

from pathlib import Path

import pytest

from tagloom_base.errors import UserError
from tools.up.account import Account
from tools.up.server import answers, label_studio


def test_a_missing_environment_names_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="make label-studio"):
        label_studio(tmp_path, 8080, Account("a@b.example", "p", "t"))


def test_nothing_answers_on_a_closed_port() -> None:
    assert not answers("http://127.0.0.1:9")
