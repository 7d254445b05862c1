"""Undo: what is taken back is gone as if it had never been; what a person touched since stays."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from labelstudio.changes import tasks_of as states_of
from labelstudio.config import LabelConfig
from store.batches import Batch, Fate
from store.tables import ANSWERS
from testing.label_studio.simulator import Upload
from tests.backend.pages import reviewing
from tests.backend.pages.office import form_token
from tests.backend.pages.reviewing import Table, add_version, keep_answers, tasks_of
from worker.corpus.gold import project_gold

QUICK, ALL = 6, 100  # sequences
STEPS = 9
TASKS = 7


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with reviewing.table(tmp_path, 12) as made:
        yield made


def test_taking_back_leaves_label_studio_as_it_was(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 11)])
    table.studio.store_prediction(2, "v0.0000")
    table.studio.annotate(11, [])
    table.studio.project.tasks[12].drafts = 1
    before = table.held()
    table.accept(table.screen(), 4)
    batch = table.settle()
    assert batch.count(Fate.WRITTEN) == 9
    table.take_back(batch)
    table.settle()
    assert table.held() == before
    told = table.browser.get(f"done?id={table.id}").text
    assert "9 taken back" in told
    assert "anna@shop.test" in told
    assert set(tasks_of(table.screen())) == {*range(1, 11)} - {4}, "they come up for review again"


def test_what_a_person_changed_since_stays_and_is_listed(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 6)])
    table.accept(table.screen())
    batch = table.settle()
    tasks = table.studio.project.tasks
    table.studio.update(tasks[1].annotations[0].id, [])
    tasks[2].drafts = 1
    tasks[3].annotations[0].ground_truth = True
    table.studio.delete([tasks[4].annotations[0].id])
    table.take_back(batch)
    table.settle()
    fates = {one.task_id: one.fate for one in table.store.batches.pictures(batch.id)}
    assert fates == {
        1: Fate.CHANGED,
        2: Fate.CHANGED,
        3: Fate.CHANGED,
        4: Fate.TAKEN_BACK,
        5: Fate.TAKEN_BACK,
    }
    assert [len(tasks[number].annotations) for number in range(1, 6)] == [1, 1, 1, 0, 0]
    assert table.browser.get(f"done?id={table.id}").text.count("a person has changed it since") == 3


def test_a_batch_that_stopped_can_be_taken_back_even_where_nobody_knows_what_was_written(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 11)])
    before = table.held()
    page = table.screen()
    table.studio.answers_lost = 1
    table.accept(page)
    batch = table.settle()
    assert batch.problem.startswith("away")
    assert (batch.count(Fate.WAITING), sum(len(task.annotations) for task in table.studio.project.tasks.values())) == (
        10,
        1,
    )
    table.take_back(batch)
    table.settle()
    assert table.held() == before


def test_gold_comes_with_the_webhook_and_goes_with_it(table: Table) -> None:
    _hear_webhooks(table)
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 4)])
    table.accept(table.screen())
    batch = table.settle()
    config = LabelConfig.parse(table.studio.project.label_config)

    def gold() -> dict[int, Any]:
        project = table.store.projects.get(table.key)
        assert project
        return project_gold(table.store, project, config, range(1, 13)).by_task

    assert {number: (one.labels, one.accepted) for number, one in gold().items()} == {
        number: (frozenset({"主体"}), "v0.0000") for number in range(1, 4)
    }
    assert table.store.projects.waiting_for_training() == [table.key]
    project = table.store.projects.get(table.key)
    assert project
    revision = project.gold_revision
    table.take_back(batch)
    table.settle()
    assert gold() == {}
    project = table.store.projects.get(table.key)
    assert project
    assert project.gold_revision > revision, "the next training learns without them"


def test_a_promotion_is_undone_from_the_list(table: Table) -> None:
    add_version(table.store, table.key, 1, generation=1)
    table.store.versions.override(table.key, "v1.0001", "ben@shop.test")
    page = table.browser.get(f"done?id={table.id}").text
    assert "ben@shop.test" in page
    (place,) = set(re.findall(r'href="(choose\?[^"]+version=v0\.0000)"', page))
    question = table.browser.get(place.replace("&amp;", "&"))
    fields = {"form_token": form_token(question), "id": table.id, "version": "v0.0000"}
    table.browser.post("choose", fields)
    assert table.store.versions.switches(table.key)[-1].chosen_by == "anna@shop.test"
    current = table.store.versions.current(table.key)
    assert current
    assert current.version == "v0.0000"


def test_predictions_of_a_version_are_removed_on_request_and_not_of_the_one_that_serves(table: Table) -> None:
    add_version(table.store, table.key, 1, generation=1)
    place = f"remove-predictions?id={table.id}&version="
    assert table.browser.get(place + "v1.0001").status_code == 404
    question = table.browser.get(place + "v0.0000")
    assert "Remove the predictions of v0.0000?" in question.text
    fields = {"form_token": form_token(question), "id": table.id, "version": "v0.0000"}
    assert table.browser.post("remove-predictions", {**fields, "form_token": "0"}).status_code == 403
    after = table.browser.post("remove-predictions", fields)
    assert "more to come; asked for by anna@shop.test" in after.text
    assert table.store.prediction_removals.due() == [table.key]


def test_nobody_takes_back_batches_of_projects_that_they_do_not_see(table: Table) -> None:
    keep_answers(table, [{"task": 1, "labels": ["主体"]}])
    table.accept(table.screen())
    batch = table.settle()
    page = table.browser.get(f"take-back?id={table.id}&batch={batch.id}")
    fields = reviewing.fields_of(page)
    for changed in ({"id": "9.1795326397"}, {"batch": "77"}, {"batch": "x"}, {"batch": "9" * 30}):
        assert table.browser.post("take-back", {**fields, **changed}).status_code == 404
    assert table.browser.post("take-back", {**fields, "form_token": ""}).status_code == 403
    assert table.newest().taken_back_at == 0


@dataclass
class Model:
    """What Label Studio should hold, computed apart: the annotations of each task, and which of them nobody touched.

    An annotation is (whose batch it is of or 0, whether a person touched it since).
    """

    held: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    drafts: set[int] = field(default_factory=set)
    peoples: set[int] = field(default_factory=set)  # ids of annotations that people made or changed

    def accept(self, batch: int, tasks: set[int]) -> None:
        for task in tasks:
            if not self.held[task] and task not in self.drafts:
                self.held[task].append((batch, False))

    def take_back(self, batch: int) -> None:
        for task, those in self.held.items():
            if task not in self.drafts:
                those[:] = [one for one in those if one != (batch, False)]

    def touch(self, task: int, place: int) -> None:
        self.held[task][place] = (self.held[task][place][0], True)


@pytest.mark.parametrize(
    ("seed", "count"), [(1, QUICK), pytest.param(2, ALL, marks=pytest.mark.slow)], ids=["quick", "all"]
)
def test_random_sequences_end_as_a_model_says(table: Table, seed: int, count: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    stray: list[str] = []
    for number in range(count):
        heard = _hear_webhooks(table) if number % 2 else None
        stray += _sequence(table, chance, tmp_path)
        if heard:
            table.studio.deliveries.send = heard  # type: ignore[method-assign]
    assert stray == []


def _sequence(table: Table, chance: random.Random, folder: Path) -> list[str]:
    """One sequence on new tasks; what differs from the model, step by step."""
    ids = table.studio.import_tasks([Upload(folder / "picture.png", {"title": "商品"}) for _ in range(TASKS)])
    tasks = table.studio.project.tasks
    table.store.tasks.upsert(table.key, states_of([tasks[one].in_predict() for one in ids]))
    with table.store._database.write() as connection:
        connection.execute(delete(ANSWERS))
    keep_answers(table, [{"task": one, "labels": ["主体"], "score": 0.91 + one % 7 / 100} for one in ids])
    model, batches = Model({one: [] for one in ids}), list[Batch]()
    told, steps = list[str](), list[str]()
    for _ in range(STEPS):
        steps.append(_step(table, chance, model, batches))
        is_held = {one: len(tasks[one].annotations) for one in ids}
        should = {one: len(those) for one, those in model.held.items()}
        present = {annotation.id for one in ids for annotation in tasks[one].annotations}
        if is_held != should:
            told.append(f"{steps}: {is_held}, not {should}")
            break
        if gone := model.peoples - present:
            told.append(f"{steps}: the annotations {gone} of people are gone")
    return told


def _step(table: Table, chance: random.Random, model: Model, batches: list[Batch]) -> str:
    """Do one thing at random, to Label Studio and to the model; its name."""
    tasks = table.studio.project.tasks
    ids, some = sorted(model.held), chance.choice(sorted(model.held))
    what = chance.choice(["accept", "accept", "take back", "take back", "edit", "label", "draft", "delete", "break"])
    if what in ("accept", "break"):
        page = table.screen()
        shown = set(tasks_of(page))
        if not shown:
            return "nothing to accept"
        out = {one for one in shown if chance.random() < 0.2}
        if what == "break":
            table.studio.answers_lost = 1
        table.accept(page, *out)
        batch = table.settle()
        table.studio.answers_lost = 0
        if batch.problem and chance.random() < 0.5:
            table.store.batches.note(batch.id, "")
            _post(table, "continue-batch", batch)
            batch = table.settle()
        elif batch.problem:
            table.take_back(batch)
            table.settle()
            return "break and take back"
        batches.append(batch)
        model.accept(batch.id, shown - out)
    elif what == "take back" and batches:
        batch = batches.pop(chance.randrange(len(batches)))
        table.take_back(batch)
        table.settle_of(batch)
        model.take_back(batch.id)
    elif what == "edit" and model.held[some]:
        place = chance.randrange(len(model.held[some]))
        table.studio.update(tasks[some].annotations[place].id, [])
        model.touch(some, place)
        model.peoples.add(tasks[some].annotations[place].id)
    elif what == "label" and len(model.held[some]) < 2:
        model.peoples.add(table.studio.annotate(some, [], skip=chance.random() < 0.3))
        model.held[some].append((0, True))
    elif what == "draft":
        for one in ids:
            tasks[one].drafts = 0
        model.drafts = {some}
        tasks[some].drafts = 1
    elif what == "delete" and model.held[some]:
        tasks[some].drafts = 0
        model.drafts.discard(some)
        model.peoples.discard(tasks[some].annotations[0].id)
        table.studio.delete([tasks[some].annotations[0].id])
        del model.held[some][0]
    return what


def _post(table: Table, action: str, batch: Batch) -> None:
    page = table.browser.get(f"done?id={table.id}")
    table.browser.post(action, {"form_token": form_token(page), "id": table.id, "batch": str(batch.id)})


def _hear_webhooks(table: Table) -> Any:
    """Let the backend hear what Label Studio tells; what stood there before."""
    before = table.studio.deliveries.send

    def send(body: dict[str, Any]) -> None:
        answer = table.backend.client.post("/webhook", json=body)
        assert answer.status_code == 200, answer.text

    table.studio.deliveries.send = send  # type: ignore[method-assign]
    return before
