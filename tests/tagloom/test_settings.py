from pathlib import Path

import pytest

from tagloom.cli import settings
from tagloom.errors import UserError
from tagloom.settings import Settings

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained(name: str) -> None:
    field = Settings.model_fields[name]
    variable = field.validation_alias or f"TAGLOOM_{name.upper()}"
    assert f"| `{variable}` |" in OPERATIONS.read_text(encoding="utf-8")


def test_lists_come_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_IMAGE_HOSTS", "a.example, b.example,")
    monkeypatch.setenv("TAGLOOM_URL_SECRETS", "hush,quiet")
    found = Settings()
    assert found.image_hosts == ("a.example", "b.example")
    assert [secret.get_secret_value() for secret in found.url_secrets] == ["hush", "quiet"]
    assert "hush" not in repr(found)


def test_a_lexicon_that_cannot_be_used_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAGLOOM_LEXICON", str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match=r"TAGLOOM_LEXICON can't be used: .*none\.toml"):
        settings()
