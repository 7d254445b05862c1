"""`tagloom status`: the backend's own answer where it is this home's, and in words what somebody should look at."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from store.store import Store
from tagloom.cli import main
from tagloom.status import Backend, Told, lines
from tagloom_base.running import settings_in
from tagloom_base.settings import Settings
from tests.web import served
from tools.services.ports import free_port

KEY = "default/2.1795288797"
TYPE = {"Content-Type": "application/json"}
PROJECT: dict[str, Any] = {
    "project": KEY, "title": "Shoes", "version": "v2.abcd", "serving": "v1.abcd", "tasks": 12, "behind": 3,
    "failure": "OSError: no space left", "refused": "v2.abcd: its file is damaged", "gold_notes": {"unknown label": 2},
    "picture_notes": {"a long page": 1}, "warning": "learned from 2 annotations that were misread then", "gone": False,
    "labels": {"LOGO": "taken for logo by its name"}, "left_out": ["each: it asks about single regions"],
    "unread_gold": 1, "pictures": ["1 task without picture: not there"], "source_accuracy": {"boxes": {"LOGO": 0.9}},
    "said": {"brand": 7},
}  # fmt: skip
REST: dict[str, Any] = {
    "ready": True, "encoders": {"image": "ResNet50"}, "better_encoders": [], "settings": ["TAGLOOM_X differs"],
    "sources": [{"name": "brand", "troubles": {"raises": "KeyError"}}],
}  # fmt: skip


@pytest.fixture
def store(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name in [name for name in os.environ if settings_in({name: ""})]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path))
    monkeypatch.setenv("TAGLOOM_PORT", str(free_port()))
    monkeypatch.setenv("TAGLOOM_IMAGE_ENCODER", "shipped")
    monkeypatch.setenv("TAGLOOM_TEXT_ENCODER", "shipped")
    opened = Store.open(Settings().paths.database)
    opened.projects.ensure(KEY, "<View/>", "Shoes")
    yield opened
    opened.close()


def answered(status: int, answer: dict[str, Any]) -> Result:
    with served(status, TYPE, json.dumps(answer).encode(), port=Settings().access.port):
        return CliRunner().invoke(main, ["status", "Shoes", "--json"])


def test_the_backend_of_this_home_is_asked(store: Store) -> None:
    other = {**PROJECT, "project": "default/3.1795288798"}
    done = answered(200, {**REST, "database": store.identity(), "projects": [PROJECT, other]})
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["backend"]["answers"]
    assert told["projects"] == [PROJECT], "the one that was asked for"
    assert told["encoders"] == REST["encoders"]


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (401, {"detail": "no"}, "give this command its TAGLOOM_URL_SECRETS"),
        (200, {"status": "UP"}, "is no Tagloom of this release"),
        (200, {**REST, "database": "another", "projects": []}, "works on another database"),
    ],
)
def test_of_any_other_the_database_is_read_instead(store: Store, status: int, answer: dict[str, Any], why: str) -> None:
    done = answered(status, answer)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert why in told["backend"]["away"]
    assert [one["project"] for one in told["projects"]] == [KEY]


def test_what_somebody_should_look_at_is_told_in_words() -> None:
    told = Told(Backend("http://b"), REST, [PROJECT])
    brief, whole = list(lines(told, is_one=False)), list(lines(told, is_one=True))
    assert brief[0] == "http://b says"
    row = next(line for line in brief if line.startswith(f"{KEY}  Shoes  v2"))
    assert "v2.abcd, in memory v1.abcd" in row
    assert row.endswith("the last training failed")
    for part in (
        "training failed: OSError: no space left",
        "cannot be loaded: v2.abcd: its file is damaged",
        "warning: learned from 2",
        "picture: 1 task without picture: not there",
        "left to the annotator: each",
    ):
        assert any(part in line for line in brief), part
    assert "TAGLOOM_X differs" in brief
    assert "source brand raises: KeyError" in brief
    further = [line.strip() for line in whole if line not in brief]
    assert further == [
        "label LOGO: taken for logo by its name",
        "gold, in 2 tasks: unknown label",
        "reading, in 1 pictures: a long page",
        "source brand has said something of 7 items",
        "source boxes is right on gold: LOGO 0.90",
    ]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"gone": True}, "gone from Label Studio"),
        ({"failure": ""}, "a version cannot be loaded"),
        ({"failure": "", "refused": None}, "gold waits for training"),
        ({"failure": "", "refused": None, "behind": 0}, "up to date"),
        ({"failure": "", "refused": None, "version": None, "serving": None}, "no version yet"),
    ],
)
def test_the_state_is_the_worst_that_is_known(change: dict[str, Any], state: str) -> None:
    table = lines(Told(Backend("http://b"), REST, [{**PROJECT, **change}]), is_one=False)
    assert any(line.endswith(state) for line in table)
