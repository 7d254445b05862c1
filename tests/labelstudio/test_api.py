import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from labelstudio.api import TASKS_PER_PAGE, LabelStudioClient, LabelStudioError
from labelstudio.connection import Connection
from tagloom.errors import UserError
from tests.labelstudio.studio import Studio, personal_token


@pytest.fixture
def studio() -> Iterator[Studio]:
    with Studio() as made:
        made.default = None
        yield made


def client_of(studio: Studio, token: str | None = None) -> LabelStudioClient:
    return LabelStudioClient(Connection(url=studio.url, token=SecretStr(studio.token if token is None else token)))


def page(number: int) -> str:
    return f"/api/tasks/?project=2&page={number}&page_size={TASKS_PER_PAGE}&fields=all"


def test_tasks_come_page_by_page_to_the_total(studio: Studio) -> None:
    for number, ids in ((1, range(100)), (2, range(100, 130))):
        studio.files[page(number)] = json.dumps({"tasks": [{"id": each} for each in ids], "total": 130}).encode()
    client = client_of(studio)
    assert [task["id"] for task in client.tasks(2)] == list(range(130))
    assert len(studio.requests) == 2
    client.close()


def test_tasks_behind_an_id_are_asked_for_by_a_filter_that_must_work(studio: Studio) -> None:
    behind = (
        "%7B%22filters%22%3A+%7B%22conjunction%22%3A+%22and%22%2C+%22items%22%3A+%5B%7B%22filter%22%3A+"
        "%22filter%3Atasks%3Aid%22%2C+%22operator%22%3A+%22greater%22%2C+%22type%22%3A+%22Number%22%2C+"
        "%22value%22%3A+7%7D%5D%7D%2C+%22ordering%22%3A+%5B%22tasks%3Aid%22%5D%7D"
    )
    path = f"/api/tasks/?project=2&page_size={TASKS_PER_PAGE}&fields=all&query={behind}"
    client = client_of(studio)
    for body, is_last in (({"tasks": [{"id": 8}], "total": 2}, False), ({"tasks": [{"id": 8}], "total": 1}, True)):
        studio.files[path] = json.dumps(body).encode()
        assert client.tasks_after(2, 7) == ([{"id": 8}], is_last)
    studio.files[path] = json.dumps({"tasks": [{"id": 7}, {"id": 8}], "total": 2}).encode()
    with pytest.raises(LabelStudioError, match="not filtered"):
        client.tasks_after(2, 7)
    client.close()


def test_a_personal_token_is_renewed_when_label_studio_says_401(studio: Studio) -> None:
    studio.token = personal_token()
    studio.files["/api/projects/2/"] = b'{"id": 2}'
    client = client_of(studio)
    assert client.project(2) == {"id": 2}
    studio.access = {"expired"}
    assert client.project(2) == {"id": 2}
    assert [header for _, header in studio.requests] == ["Bearer access0", "Bearer access0", "Bearer access1"]
    client.close()


def test_errors_say_what_to_check(studio: Studio) -> None:
    wrong = client_of(studio, "wrong")
    with pytest.raises(LabelStudioError, match="LABEL_STUDIO_API_KEY") as refused:
        wrong.project(2)
    assert refused.value.status == 401
    wrong.close()
    revoked = client_of(studio, personal_token())
    with pytest.raises(LabelStudioError, match="make a new one"):
        revoked.project(2)
    revoked.close()
    missing = client_of(studio)
    with pytest.raises(LabelStudioError, match="404"):
        missing.project(3)
    studio.files["/api/projects/4/"] = b"<html>"
    with pytest.raises(LabelStudioError, match="no JSON"):
        missing.project(4)
    studio.redirects = {"/api/projects/5/": "http://127.0.0.1:1/"}
    with pytest.raises(LabelStudioError, match="302"):
        missing.project(5)
    missing.close()


def test_a_label_studio_that_is_away_or_not_configured() -> None:
    away = LabelStudioClient(Connection(url="http://127.0.0.1:1"))
    with pytest.raises(LabelStudioError, match="is it running"):
        away.project(2)
    away.close()
    nowhere = LabelStudioClient(Connection())
    with pytest.raises(LabelStudioError, match="LABEL_STUDIO_URL"):
        nowhere.project(2)
    nowhere.close()


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://studio", "http://", "http://studio:99999"])
def test_a_url_that_cannot_be_used_is_told_at_once(url: str) -> None:
    with pytest.raises(UserError, match="LABEL_STUDIO_URL"):
        Connection(url=url)
