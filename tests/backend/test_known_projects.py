"""The database restarts: what is loaded goes on answering."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine

from backend import known_projects
from backend.known_projects import KnownProjects
from store.store import Store
from tests import captured
from tests.backend.parts import Backend
from tests.backend.questions import TAGS, question

KEY = captured.PROJECT
SETUP = {**captured.body("02"), "schema": TAGS, "extra_params": {"industry_keys": ["大类"]}}
NOBODY_LISTENS = "postgresql+psycopg://tagloom@127.0.0.1:1/tagloom"


@contextmanager
def database_away(store: Store) -> Iterator[None]:
    """Every connection to the database is refused, as by a PostgreSQL server that restarts."""
    database = store._database
    there, database.engine = database.engine, create_engine(NOBODY_LISTENS)
    try:
        yield
    finally:
        database.engine = there


def test_setup_and_predict_answer_from_memory_while_the_database_is_away(backend: Backend) -> None:
    version = backend.setup(SETUP)
    body = question(2)
    for task in body["tasks"]:
        task["data"]["大类"] = "食品"
    with database_away(backend.store):
        assert backend.setup(SETUP) == version
        answer = backend.client.post("/predict", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model_version"] == version
        assert all(result["result"] for result in answer.json()["results"])
        seen = backend.service.engine.result()._canaries.of(KEY)
        assert [entry.industry for entry in seen] == [("食品",)] * 2, "industry keys are those that were known last"


def test_a_config_that_changes_meanwhile_is_answered_and_learned_afterwards(backend: Backend) -> None:
    version = backend.setup(SETUP)
    backend.settle()
    changed = TAGS.replace('name="elements"', 'name="renamed"')
    backend.asked.train.clear()
    with database_away(backend.store):
        assert backend.setup({**SETUP, "schema": changed}) == version
        answer = backend.client.post("/predict", json=question(1) | {"label_config": changed}).json()
        assert {region["from_name"] for region in answer["results"][0]["result"]} == {"renamed"}
    assert backend.setup({**SETUP, "schema": changed}) == version
    backend.settle()
    known = backend.store.projects.get(KEY)
    assert known
    assert known.label_config == changed
    assert backend.asked.train == [KEY]


def test_the_log_says_it_once(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.setup(SETUP)
    known = KnownProjects(backend.store.projects)
    with caplog.at_level(logging.ERROR), database_away(backend.store):
        assert [known.get(KEY), known.get(KEY)] == [None, None]
    assert caplog.text.count("answering by what was known last") == 1
    found = known.get(KEY)
    with database_away(backend.store):
        assert known.get(KEY) == found is not None


def test_what_another_process_writes_counts_soon_and_nobody_waits_for_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.setup(SETUP)
    backend.client.post("/predict", json=question(1))
    backend.settle()
    backend.store.projects.set_industry_keys(KEY, ("other",))
    monkeypatch.setattr(known_projects, "RECENT_S", -1.0)
    known = backend.service._known
    before = known.recent(KEY)
    assert before is not None
    assert before.industry_keys != ("other",), "nobody has read it again yet"
    backend.client.post("/predict", json=question(1))
    backend.settle()
    after = known.recent(KEY)
    assert after is not None
    assert after.industry_keys == ("other",)
