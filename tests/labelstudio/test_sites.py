import json

import pytest

from labelstudio.sites import connections_of
from tagloom_base.settings import Settings


def test_each_connection_has_its_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = {"url": "http://shop:8080", "url_secrets": ["s" * 16], "names": ["https://shop.example.com/ls"]}
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("TAGLOOM_LABEL_STUDIO_NAMES", "https://label.example.com, http://old.example.com:81")
    monkeypatch.setenv("TAGLOOM_CONNECTIONS", json.dumps({"shop": shop}))
    found = connections_of(Settings().studios)
    assert found["default"].further == ("https://label.example.com", "http://old.example.com:81")
    assert found["default"].at_home("https://label.example.com/a?b=1") == "http://127.0.0.1:8080/a?b=1"
    assert found["default"].at_home("https://shop.example.com/ls/a") is None
    assert found["shop"].at_home("https://shop.example.com/ls/a") == "http://shop:8080/a"


def test_names_without_a_label_studio_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_LABEL_STUDIO_NAMES", "https://label.example.com")
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    assert connections_of(Settings().studios)["default"].at_home("https://label.example.com/a") is None
