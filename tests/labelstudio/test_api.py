import json
from collections.abc import Iterable, Iterator

import pytest
from pydantic import SecretStr

from labelstudio.api import TASKS_PER_PAGE, LabelStudioClient, LabelStudioError
from labelstudio.connection import Connection
from tagloom_base.errors import UserError
from tagloom_base.redaction import redacted
from tests.labelstudio.studio import Studio, personal_token


@pytest.fixture
def studio() -> Iterator[Studio]:
    with Studio() as made:
        made.default = None
        yield made


def client_of(studio: Studio, token: str | None = None) -> LabelStudioClient:
    return LabelStudioClient(Connection(url=studio.url, token=SecretStr(studio.token if token is None else token)))


def listing(ids: Iterable[int], total: int) -> bytes:
    return json.dumps({"tasks": [{"id": number, "annotations": []} for number in ids], "total": total}).encode()


@pytest.mark.parametrize(
    "answer", [[], {}, {"tasks": []}, {"total": 0}, {"tasks": None, "total": 0}, {"tasks": [{"id": 1}], "total": 1}]
)
def test_a_list_that_lacks_something_is_an_error_and_not_an_empty_project(studio: Studio, answer: object) -> None:
    studio.default = json.dumps(answer).encode()
    client = client_of(studio)
    with pytest.raises(LabelStudioError, match=r"release 1\.23\.2"):
        client.tasks_after(2, 0)
    client.close()


def test_tasks_behind_an_id_are_asked_for_by_a_filter_that_must_work(studio: Studio) -> None:
    behind = (
        "%7B%22filters%22%3A+%7B%22conjunction%22%3A+%22and%22%2C+%22items%22%3A+%5B%7B%22filter%22%3A+"
        "%22filter%3Atasks%3Aid%22%2C+%22operator%22%3A+%22greater%22%2C+%22type%22%3A+%22Number%22%2C+"
        "%22value%22%3A+7%7D%5D%7D%2C+%22ordering%22%3A+%5B%22tasks%3Aid%22%5D%7D"
    )
    path = f"/api/tasks/?project=2&page_size={TASKS_PER_PAGE}&fields=all&query={behind}"
    client = client_of(studio)
    for total, is_last in ((2, False), (1, True)):
        studio.files[path] = listing([8], total)
        assert client.tasks_after(2, 7) == ([{"id": 8, "annotations": []}], is_last)
    studio.files[path] = listing([7, 8], 2)
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
    with pytest.raises(LabelStudioError, match=r"redirects to http://127\.0\.0\.1:1"):
        missing.project(5)
    missing.close()


@pytest.mark.parametrize("token", ["secret-token-123\r", "Token secret-token-123", "secret-token-密", "secret\n: x"])
def test_a_token_that_no_header_can_carry_is_never_shown(studio: Studio, token: str) -> None:
    with pytest.raises(UserError, match="token alone") as told:
        client_of(studio, token)
    assert "secret" not in str(told.value)
    offered = client_of(studio, "")
    offered.offer_token(token)
    with pytest.raises(LabelStudioError) as refused:
        offered.project(2)
    assert "secret" not in str(refused.value)
    assert all("密" not in str(header) and ":" not in str(header) for _, header in studio.requests)
    offered.close()


def test_tokens_are_hidden_once_they_are_known(studio: Studio) -> None:
    studio.token = personal_token()
    studio.files["/api/projects/2/"] = b'{"id": 2}'
    client = client_of(studio)
    client.offer_token("offered-by-label-studio")
    assert redacted(f"{studio.token} offered-by-label-studio") == "*** ***"
    client.close()


def test_a_label_studio_that_is_away_or_not_configured() -> None:
    away = LabelStudioClient(Connection(url="http://127.0.0.1:1"))
    with pytest.raises(LabelStudioError, match="start it, or correct"):
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
