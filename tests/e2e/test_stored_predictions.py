"""What Label Studio has stored of tasks follows the served version, by itself and for its uncertainty sampling."""

import time
from typing import Any

import pytest
from pydantic import SecretStr

from labelstudio.columns import CONFIDENCE, DOUBTFUL, ORDER
from labelstudio.project import ProjectKey
from model import checkpoint
from store.doubts import Doubt
from store.store import Store
from store.versions import Current
from tagloom_base.settings import Settings
from testing.shop import LABELS
from tests.backend.parts import publish
from tests.e2e.browser import annotator
from tests.e2e.checks import check_shown, prediction_of
from tests.e2e.conftest import Running
from tests.worker.label_studio import lease_of
from worker.predictions import columns
from worker.predictions.offer import offer
from worker.watch import NeverEnds
from worker.workplace import open_workplace

pytestmark = pytest.mark.e2e

OPENED = 20  # tasks that Label Studio has asked for
PROMOTIONS = 3
REFRESH_SECONDS = 300


def test_an_open_task_is_submitted_after_promotions_and_no_task_carries_old_tabs(running: Running) -> None:
    settings = settings_of(running)
    ids = [task["id"] for task in running.tasks()][:OPENED]
    retrieve(running, ids)
    with (
        open_workplace(settings) as workplace,
        annotator(running.url, running.account.email, running.account.password) as person,
    ):
        (project,) = workplace.store.projects.all()
        seen = max(ids, key=lambda task: len(predictions(running, task)[0]["result"]))
        before = predictions(running, seen)[0]
        shown = person.open(running.project, seen)
        check_shown(shown, before)
        removed = min(shown.tags)
        person.untick(removed)

        for _ in range(PROMOTIONS):
            publish_next(settings, workplace.store, project.key)
            wait_for_served(running, ids, workplace.store, project.key)
        person.submit()
        (annotation,) = running.api.call("GET", f"/api/tasks/{seen}/annotations/")
        assert annotation["parent_prediction"] == before["id"], "it was rewritten in place"
        assert tags_in(annotation) == shown.tags - {removed}
        assert len(annotation["result"]) == len(before["result"]), "what the person saw, not what was stored meanwhile"
        kept = predictions(running, seen)

        others = [task for task in ids if task != seen]
        publish_next(settings, workplace.store, project.key)
        version = wait_for_served(running, others, workplace.store, project.key)
        assert predictions(running, seen) == kept, "an annotation was made from it"
        quick_view = person.open(running.project, others[0])
        check_shown(quick_view, prediction_of(running.api.call("GET", f"/api/tasks/{others[0]}"), version))


def settings_of(running: Running, **options: Any) -> Settings:
    token = SecretStr(running.account.token)
    return Settings(home=running.home, label_studio_url=running.url, label_studio_token=token, **options)


def retrieve(running: Running, ids: list[int]) -> None:
    """Press "Retrieve predictions" for these tasks."""
    path = f"/api/dm/actions?id=retrieve_tasks_predictions&project={running.project}"
    running.api.call("POST", path, json={"selectedItems": {"all": False, "included": ids}})


def predictions(running: Running, task: int) -> list[dict[str, Any]]:
    found = running.api.call("GET", f"/api/tasks/{task}")["predictions"]
    return [{name: one[name] for name in ("id", "model_version", "result", "score", "updated_at")} for one in found]


def wait_for_served(running: Running, ids: list[int], store: Store, key: str) -> str:
    """Until each of these tasks has one prediction, of the version that serves; its name."""
    end = time.monotonic() + REFRESH_SECONDS
    while True:
        version = served(store, key).version  # gold that was submitted may have made another one
        stored = {task["id"]: [one["model_version"] for one in task["predictions"]] for task in running.tasks()}
        if all(stored[task] == [version] for task in ids):
            return version
        assert time.monotonic() < end, (version, {task: stored[task] for task in ids})
        time.sleep(1)


def tags_in(annotation: dict[str, Any]) -> frozenset[str]:
    chosen = [region["value"]["choices"] for region in annotation["result"] if region["type"] == "choices"]
    return frozenset(tag for tags in chosen for tag in tags)


def tab(running: Running, filters: list[dict[str, Any]]) -> int:
    """A tab of the Data Manager with these filters on columns, in Tagloom's order and without further columns."""
    found = running.api.call("GET", f"/api/dm/columns?project={running.project}")["columns"]
    names = [("data." if one.get("parent") == "data" else "") + one["id"] for one in found]
    shown_names = ("id", "data.image", "data.title", f"data.{CONFIDENCE}", f"data.{DOUBTFUL}", f"data.{ORDER}")
    hidden = [f"tasks:{name}" for name in names if name not in shown_names]
    items = [{**one, "filter": f"filter:tasks:data.{one['column']}"} for one in filters]
    data = {
        "title": "Least sure",
        "type": "list",
        "target": "tasks",
        "ordering": [f"tasks:data.{ORDER}"],
        "columnsDisplayType": {f"tasks:data.{CONFIDENCE}": "Number"},
        "hiddenColumns": {"explore": hidden, "labeling": hidden},
        "filters": {"conjunction": "and", "items": items},
    }
    made = running.api.call(
        "POST", f"/api/dm/views/?project={running.project}", json={"project": running.project, "data": data}
    )
    return int(made["id"])


def listed(running: Running, view: int) -> set[int]:
    """The tasks that a tab lists."""
    found = running.api.call("GET", f"/api/tasks?project={running.project}&view={view}&page_size=1000")
    return {task["id"] for task in found["tasks"]}


def test_the_least_certain_task_comes_next_and_the_backend_is_still_asked(running: Running) -> None:
    settings = settings_of(running, uncertainty_sampling=True)
    with open_workplace(settings) as workplace:
        (project,) = workplace.store.projects.all()
        offer(workplace, project, lease_of(workplace), NeverEnds(), lambda _: None)
        version = served(workplace.store, project.key).version
        assert shown(running)["model_version"] == version
        next_task = running.api.call("GET", f"/api/projects/{running.project}/next")
        assert scores(running, version)[next_task["id"]] == min(scores(running, version).values())

        newer = publish_next(settings, workplace.store, project.key)
        end = time.monotonic() + 60
        while running.served_version() != newer:
            assert time.monotonic() < end, f"the backend does not serve {newer}"
            time.sleep(0.5)
        asked = running.api.call("GET", f"/api/projects/{running.project}/next")
        versions = {
            entry["model_version"] for entry in running.api.call("GET", f"/api/tasks/{asked['id']}")["predictions"]
        }
        assert newer in versions  # the backend was asked for it while /next was answered
        after = workplace.store.projects.get(project.key)
        assert after
        assert after.gold_revision == project.gold_revision
    assert ProjectKey.parse(project.key).id == running.project


def served(store: Store, key: str) -> Current:
    current = store.versions.current(key)
    assert current
    return current


def shown(running: Running) -> dict[str, Any]:
    """The project as Label Studio shows it."""
    return dict(running.api.call("GET", f"/api/projects/{running.project}/"))


def scores(running: Running, version: str) -> dict[int, float]:
    """Task → score of the version, of tasks that nobody has labelled."""
    return {
        task["id"]: prediction["score"]
        for task in running.tasks()
        for prediction in task["predictions"]
        if prediction["model_version"] == version and not task["annotations"]
    }


def publish_next(settings: Settings, store: Store, key: str) -> str:
    """The served version once more under the next number; its name."""
    current = served(store, key)
    tagger = checkpoint.load(settings.paths.checkpoints / current.folder)
    number = store.versions.reserve(key)
    return publish(settings, store, key, tagger, number, current.generation).version


def test_columns_are_filters_and_orders_and_cause_no_work(running: Running) -> None:
    # The last test: the task that is opened here stays locked, and Label Studio would offer it first.
    with (
        open_workplace(settings_of(running)) as workplace,
        annotator(running.url, running.account.email, running.account.password) as person,
    ):
        (project,) = workplace.store.projects.all()
        # First the predictions of the served version, whose writing moves the tasks' dates.
        offer(workplace, project, lease_of(workplace), NeverEnds(), lambda _: None)
        before = {task["id"]: task for task in running.tasks()}
        kept = {one.task_id: one for one in workplace.store.answers.of_version(project.key, running.served_version())}
        doubted = min(kept)
        doubt = Doubt(doubted, LABELS[0], given=True, probability=0.1, gold="")
        workplace.store.doubts.replace(project.key, [doubt], lease_of(workplace))
        columns.write(workplace, project, NeverEnds(), lambda _: None)
        tasks = {task["id"]: task for task in running.tasks()}
        assert {number: task["updated_at"] for number, task in tasks.items()} == {
            number: task["updated_at"] for number, task in before.items()
        }
        assert {task["data"][CONFIDENCE] for task in tasks.values() if task["id"] in kept} == {
            round(answer.score, 2) for answer in kept.values()
        }
        middle = sorted(answer.score for answer in kept.values())[len(kept) // 2]
        unsure = {number for number, answer in kept.items() if round(answer.score, 2) < round(middle, 2)}
        view = tab(running, [{"column": CONFIDENCE, "operator": "less", "type": "Number", "value": round(middle, 2)}])
        assert listed(running, view) == unsure
        assert listed(
            running, tab(running, [{"column": DOUBTFUL, "operator": "equal", "type": "String", "value": "yes"}])
        ) == {doubted}

        shown_rows = person.rows(running.project, view, most=5)
        turns = {number: tasks[number]["data"].get(ORDER, "") for number in unsure if not tasks[number]["annotations"]}
        assert [turns[number] for number in shown_rows] == sorted(turns.values())[: len(shown_rows)]
        person.screenshot(running.screenshots / "columns.png")
        assert person.label_as_displayed() == shown_rows[0]
        after = workplace.store.projects.get(project.key)
        assert after
        assert after.gold_revision == project.gold_revision
        assert not any(CONFIDENCE in task.data for task in workplace.store.tasks.all(project.key))
