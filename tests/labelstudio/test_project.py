from typing import Any

import pytest

from labelstudio.project import ProjectKey
from tests import captured


def test_setup_and_webhook_name_the_same_project() -> None:
    setup = ProjectKey.of_request(captured.body("02")["project"])
    webhook = ProjectKey.of_webhook(captured.body("10")["project"])
    assert setup == webhook
    assert str(setup) == captured.PROJECT


def test_connections_keep_equal_ids_apart() -> None:
    assert ProjectKey.of_request("2.5", "a") != ProjectKey.of_request("2.5", "b")


def test_key_survives_its_text() -> None:
    key = ProjectKey("shop-2", 7, 1795288797)
    assert ProjectKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "text", ["", "2.5", "default/2", "a/b.c", "../x/2.5", "default/2.5/..", "default/-1.5", "d/１.２"]
)
def test_parse_refuses_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="no project key"):
        ProjectKey.parse(text)


@pytest.mark.parametrize(
    "project", [{}, {"id": 2}, {"id": "x", "created_at": "2026-01-01"}, {"id": 2, "created_at": 5}]
)
def test_webhook_without_identity_is_refused(project: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'id' and 'created_at'"):
        ProjectKey.of_webhook(project)
