"""The local account is made once, kept, and readable by its owner alone."""

from pathlib import Path

import pytest

from tagloom_base.errors import UserError
from tools.up.account import Account


def test_account_is_made_once_and_kept(tmp_path: Path) -> None:
    first = Account.of(tmp_path / "home")
    assert first == Account.of(tmp_path / "home")
    assert first != Account.of(tmp_path / "other")
    assert len(first.token) == 40


def test_only_the_owner_reads_the_password(tmp_path: Path) -> None:
    Account.of(tmp_path)
    assert (tmp_path / "label-studio-account.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["{", "[]", '{"email": "a"}'])
def test_a_broken_file_names_the_fix(tmp_path: Path, content: str) -> None:
    (tmp_path / "label-studio-account.json").write_text(content)
    with pytest.raises(UserError, match="restore it, or remove"):
        Account.of(tmp_path)
