from pathlib import Path

import pytest

from tagloom.settings import Settings

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained(name: str) -> None:
    field = Settings.model_fields[name]
    variable = field.validation_alias or f"TAGLOOM_{name.upper()}"
    assert f"| `{variable}` |" in OPERATIONS.read_text(encoding="utf-8")


def test_lists_come_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_IMAGE_HOSTS", "a.example, b.example,")
    monkeypatch.setenv("TAGLOOM_URL_SECRETS", "one,two")
    settings = Settings()
    assert settings.image_hosts == ("a.example", "b.example")
    assert [secret.get_secret_value() for secret in settings.url_secrets] == ["one", "two"]
    assert "one" not in repr(settings)
