"""The whole loop in a real Label Studio and a real browser: pre-annotated, corrected, learned, pre-annotated better."""

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from labelstudio import entry
from labelstudio.api import LabelStudioClient
from labelstudio.config import LabelConfig
from labelstudio.connection import Connection
from labelstudio.entry import Entry
from labelstudio.opinion import SAME_ELEMENT, opinion_of
from labelstudio.project import ProjectKey
from model.items import Box, LabelledBox
from testing.waiting import until
from tests.e2e.browser import annotator
from tests.e2e.checks import check_shown, prediction_of, rectangles_of, tags_of
from tests.e2e.conftest import Running
from tests.e2e.gold import annotate, rectangle
from tools.project import label_config

pytestmark = pytest.mark.e2e

BATCH = 10
NEW_VERSION_SECONDS = 60
RETRIEVALS = 5
# What Label Studio logs when a backend or a webhook disappoints it.
_COMPLAINT = re.compile(r"\[(ERROR|CRITICAL)\]")
# It complains of itself, too: of two requests that write at the same moment its SQLite refuses one, and its page asks
# again.
_LOCKED = "django.db.utils.OperationalError: database is locked"


def test_a_label_comes_back_as_a_better_pre_annotation(running: Running) -> None:
    cold = running.served_version()
    assert cold.startswith("v0.")
    tasks = _retrieve_predictions(running, cold)
    for task in tasks:
        prediction_of(task, cold)

    with annotator(running.url, running.account.email, running.account.password) as person:
        telling = max(tasks, key=lambda task: _variety(prediction_of(task, cold)))
        shown = person.open(running.project, telling["id"])
        person.screenshot(running.screenshots / "cold-start.png")
        check_shown(shown, prediction_of(telling, cold))
        person.submit()

        others = [task for task in tasks if task["id"] != telling["id"]]
        version, labelled = _label_until_new_version(running, others, cold)

        task_id, shown = person.label_all(running.project)
        assert task_id not in {telling["id"], *labelled}
        after = running.api.call("GET", f"/api/tasks/{task_id}")
        served = running.served_version()
        newest = [one for one in after["predictions"] if one["model_version"] in {version, served}]
        assert newest, (
            f"task {task_id} has no prediction of {version}: {[p['model_version'] for p in after['predictions']]}"
        )
        check_shown(shown, prediction_of(after, newest[-1]["model_version"]))
        person.screenshot(running.screenshots / "after-gold.png")

    _check_logs(running)


def test_interactive_pre_annotation_names_a_drawn_box(running: Running) -> None:
    task = next(task for task in running.tasks() if running.sample_of(task).boxes)
    gold = running.sample_of(task).boxes[0]
    region = rectangle("drawn", gold.label, running.sample_of(task), gold)
    (backend,) = running.api.call("GET", f"/api/ml/?project={running.project}")
    body = {"task": task["id"], "context": {"result": [region]}}
    answer = running.api.call("POST", f"/api/ml/{backend['id']}/interactive-annotating", json=body)
    assert answer["data"]["result"], answer


def test_auto_annotation_adds_what_is_drawn_and_nothing_else(running: Running) -> None:
    """The stored prediction may be of another version than the one that answers."""
    task = _crowded(running.tasks(), running.served_version())
    with annotator(running.url, running.account.email, running.account.password) as person:
        # A new version may serve meanwhile, and its predictions take the place of the stored ones.
        for _ in range(5):
            stored_before = _stored(running, task["id"])
            person.open(running.project, task["id"])
            predicted = person.boxes()
            person.assist(accept=False)
            person.open(running.project, task["id"])
            if _stored(running, task["id"]) == stored_before:
                break
        assert person.boxes() == predicted, "opening adds nothing"
        label, free = predicted[0].label, _free(predicted)

        person.assist(accept=False)
        assert person.draw(label, *next(free)) == 1, "older boxes of the label are not answered"
        person.accept()
        assert _counts(person.boxes()) == _counts(predicted) + Counter([label])
        person.assist(accept=True)
        person.draw(label, *next(free))
        expected = _counts(predicted) + Counter([label, label])
        assert _counts(person.boxes()) == expected
        person.screenshot(running.screenshots / "auto-annotation.png")
        person.draw(label, *_place(predicted[0].box))
        assert _counts(person.boxes()) == expected, "its element has a box already"
        person.submit()
        assert _counts(person.boxes()) == expected, "submitting adds nothing"

    (annotation,) = running.api.call("GET", f"/api/tasks/{task['id']}")["annotations"]
    config = LabelConfig.parse(running.api.call("GET", f"/api/projects/{running.project}/")["label_config"])
    stored = opinion_of(config, annotation["result"]).boxes or ()
    assert _counts(stored) == expected
    assert not [pair for pair in combinations(stored, 2) if _are_twins(*pair)]


def _crowded(tasks: Sequence[Mapping[str, Any]], served: str) -> Mapping[str, Any]:
    """The task with most predicted rectangles that nobody has labelled; where there are some, of an older version."""
    untouched = [task for task in tasks if not task["annotations"] and task["predictions"]]
    older = [task for task in untouched if served not in _versions(task)]
    return max(older or untouched, key=lambda task: len(rectangles_of(task["predictions"][-1], 1, 1)))


def _stored(running: Running, task_id: int) -> list[tuple[int, str]]:
    """The ids and versions of the task's stored predictions."""
    predictions = running.api.call("GET", f"/api/tasks/{task_id}")["predictions"]
    return sorted((one["id"], one["model_version"]) for one in predictions)


def _versions(task: Mapping[str, Any]) -> set[str]:
    return {one["model_version"] for one in task["predictions"]}


def _free(boxes: Sequence[LabelledBox]) -> Iterator[tuple[float, float, float, float]]:
    """Places of 14 × 9 % where no box is, row by row."""
    places = [Box(x / 100, y / 100, (x + 14) / 100, (y + 9) / 100) for y in range(2, 90, 10) for x in range(2, 85, 15)]
    return (_place(place) for place in places if not any(place.iou(entry.box) for entry in boxes))


def _place(box: Box) -> tuple[float, float, float, float]:
    return box.left * 100, box.top * 100, box.width * 100, box.height * 100


def _counts(boxes: Sequence[LabelledBox]) -> Counter[str]:
    return Counter(box.label for box in boxes)


def _are_twins(one: LabelledBox, other: LabelledBox) -> bool:
    return one.label == other.label and one.box.iou(other.box) >= SAME_ELEMENT


def test_annotations_that_are_read_in_part_take_no_prices_away(running: Running) -> None:
    """Turned pictures, shapes of an unknown control and rectangles without a label, on all tasks that are left."""
    old = running.served_version()
    before = _prices_shown(running, old)
    left = [task for task in running.tasks() if not task["annotations"]]
    assert before
    assert len(left) >= 12
    for number, task in enumerate(left):
        sample = running.sample_of(task)
        drawn = [
            rectangle(f"r{n}", box.label, sample, box) | {"image_rotation": 90} for n, box in enumerate(sample.boxes)
        ]
        odd = drawn[0] if drawn else rectangle("r", "价格", sample, Anywhere())
        if number % 3 == 1:
            drawn = [{**odd, "from_name": "poly", "type": "polygonlabels", "value": {"polygonlabels": ["价格"]}}]
        elif number % 3 == 2:
            drawn = [{**odd, "value": {name: odd["value"][name] for name in ("x", "y", "width", "height")}}]
        running.api.call("POST", f"/api/tasks/{task['id']}/annotations/", json={"result": drawn, "lead_time": 5.0})
    (backend,) = running.api.call("GET", f"/api/ml/?project={running.project}")
    running.api.call("POST", f"/api/ml/{backend['id']}/train", json={})
    version = _wait_for_new_version(running, old)
    _retrieve_predictions(running, version)
    after = _prices_shown(running, version)
    print(
        f"tasks shown with a price: {before} under {old}, {after} under {version}, {len(left)} odd annotations between"
    )
    assert after >= before * 2 / 3
    assert _trained(running)["gold_notes"]["a region without a label"] == len(left) // 3


@dataclass(frozen=True)
class Anywhere:
    """Some place in a picture of which no box is known."""

    x: float = 10
    y: float = 10
    width: float = 20
    height: float = 20


def _prices_shown(running: Running, version: str) -> int:
    """How many tasks' predictions of this version say that there is a price."""
    return sum("价格" in tags_of(prediction_of(task, version)) for task in running.tasks() if _has(task, version))


def _trained(running: Running) -> dict[str, Any]:
    """The project's status once no gold waits for a training."""
    end = time.monotonic() + NEW_VERSION_SECONDS * 2
    while True:
        (status,) = running.status()
        if status["behind"] == 0 or time.monotonic() > end:
            return dict(status)
        time.sleep(1)


def _has(task: Mapping[str, Any], version: str) -> bool:
    return any(one["model_version"] == version and one["result"] for one in task["predictions"])


def test_what_the_editor_shows_is_answered(running: Running) -> None:
    """A picture behind a prefix, beside a control that cannot be used; pictures of a storage that became titles."""
    sample = running.sample_of(running.tasks()[0])
    folder = running.home / "pictures of a shop"
    folder.mkdir()
    shutil.copy(sample.image, folder / f"白瓷 1{sample.image.suffix}")
    config = label_config(running.labels())

    misplaced = _connected(running, config)
    storage = {"project": misplaced, "path": str(folder), "use_blob_urls": True, "title": "shop"}
    made = running.api.call("POST", "/api/storages/localfiles", json=storage)
    running.api.call("POST", f"/api/storages/localfiles/{made['id']}/sync", json={})
    there, found = _predicted(running, misplaced)
    address = there["data"]["title"]

    behind = config.replace('"$image"', '"/data/local-files/?d=pictures of a shop/$image"')
    prefixed = _connected(
        running, behind.replace("</View>", '<Choices name="cat" toName="image" value="$candidates"/></View>')
    )
    data = {"image": Path(address).name, "title": "", "level2": "", "candidates": [{"value": "a"}, {"value": "b"}]}
    running.api.call("POST", f"/api/projects/{prefixed}/import", json=[{"data": data}])
    task, prediction = _predicted(running, prefixed)
    assert rectangles_of(prediction, 1, 1)
    assert tags_of(found) == tags_of(prediction)
    with annotator(running.url, running.account.email, running.account.password) as person:
        check_shown(person.open(prefixed, task["id"]), prediction)
        assert person.errors() == []

    (left_out,) = _told(running, prefixed)["left_out"]
    assert '<Choices name="cat">' in left_out
    # Written by the worker, once it has been through all tasks.
    until(lambda: bool(_told(running, misplaced)["pictures"]), NEW_VERSION_SECONDS)
    (line,) = _told(running, misplaced)["pictures"]
    assert "stands under 'title'" in line


def _told(running: Running, project: int) -> dict[str, Any]:
    """Return what /status says of a project."""
    (found,) = [one for one in running.status() if ProjectKey.parse(one["project"]).id == project]
    return found


def _connected(running: Running, config: str) -> int:
    """Make a project and connect the backend to it; return the project's id."""
    body = {"title": "Addresses", "label_config": config}
    project = int(running.api.call("POST", "/api/projects/", json=body)["id"])
    connection = Connection(url=running.url, token=SecretStr(running.account.token))
    with closing(LabelStudioClient(connection, timeout=60)) as client:
        entry.ensure(client, project, Entry(running.backend_url))
    return project


def _predicted(running: Running, project: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the project's only task once it has a prediction that says something, and this prediction."""
    query = f"/api/tasks?project={project}&fields=all&page_size=10"
    end = time.monotonic() + NEW_VERSION_SECONDS
    while True:
        (task,) = running.api.call("GET", query)["tasks"]
        if said := [one for one in task["predictions"] if one["result"]]:
            return dict(task), dict(said[0])
        assert time.monotonic() < end, task
        running.api.call(
            "POST",
            f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}",
            json={"selectedItems": {"all": True, "excluded": []}},
        )
        time.sleep(1)


def test_an_empty_answer_does_not_pass(running: Running) -> None:
    """The checks above fail on a backend that answers nothing."""
    task = running.tasks()[0]
    empty = {**task, "predictions": [{"model_version": "v0.0000", "result": [], "score": 0.0}]}
    with pytest.raises(AssertionError, match="is empty"):
        prediction_of(empty, "v0.0000")


def test_label_studio_may_complain_of_its_own_locked_database_alone() -> None:
    own = f"[2026-11-30 1] [ERROR] next_task\nTraceback\n{_LOCKED}"
    log = f"{own}\n[2026-11-30 2] [ERROR] webhook: database is locked"
    assert _complaints(log) == ["[2026-11-30 2] [ERROR] webhook: database is locked"]


def test_predictions_that_differ_or_pile_up_do_not_pass() -> None:
    tag = {"type": "choices", "value": {"choices": ["LOGO"]}}
    place = {"y": 10, "width": 20, "height": 20}
    box, moved = ({"type": "rectanglelabels", "value": {**place, "x": left}} for left in (10.0, 10.1))
    one, other, untagged = ({"model_version": "v1.a", "result": result} for result in ([tag, box], [tag, moved], [box]))
    assert prediction_of({"id": 1, "predictions": [one, one]}, "v1.a") == one
    for wrong in (other, untagged):
        with pytest.raises(AssertionError, match="differ"):
            prediction_of({"id": 1, "predictions": [one, wrong]}, "v1.a")
    with pytest.raises(AssertionError, match="expected one or two"):
        prediction_of({"id": 1, "predictions": [one] * 3}, "v1.a")


def _variety(prediction: Mapping[str, Any]) -> tuple[int, int]:
    """How many kinds are tagged, and next how close the rectangles come to one a kind: what a picture of it shows."""
    tags = tags_of(prediction)
    rectangles = rectangles_of(prediction, 1, 1)
    return len(tags), -abs(len(rectangles) - len(tags))


def _retrieve_predictions(running: Running, version: str) -> list[dict[str, Any]]:
    """Press "Retrieve predictions" until every task has one; pictures not read in time are answered fast at first."""
    path = f"/api/dm/actions?id=retrieve_tasks_predictions&project={running.project}"
    for _ in range(RETRIEVALS):
        running.api.call("POST", path, json={"selectedItems": {"all": True, "excluded": []}})
        tasks = running.tasks()
        if all(version in {one["model_version"] for one in task["predictions"]} for task in tasks):
            break
    return tasks


def _label_until_new_version(running: Running, tasks: list[dict[str, Any]], old: str) -> tuple[str, set[int]]:
    """Submit gold in batches until a version other than ``old`` is served: it, and the ids of the labelled tasks.

    The gate may refuse what little gold has taught, so one batch need not do; two thirds of the tasks must.
    """
    labelled: set[int] = set()
    for start in range(0, len(tasks) * 2 // 3, BATCH):
        for task in tasks[start : start + BATCH]:
            annotate(running, task)
            labelled.add(task["id"])
        version = _wait_for_new_version(running, old)
        if version != old:
            return version, labelled
    raise AssertionError(f"still {old} after {len(labelled)} gold labels; see {running.home}/logs/worker.log")


def _wait_for_new_version(running: Running, old: str) -> str:
    """The served version once it is another one, or after a while the old one."""
    end = time.monotonic() + NEW_VERSION_SECONDS
    while (version := running.served_version()) == old and time.monotonic() < end:
        time.sleep(1)
    return version


def _check_logs(running: Running) -> None:
    complaints = _complaints((running.home / "logs" / "label-studio.log").read_text("utf-8", "replace"))
    assert not complaints, "Label Studio complains:\n" + "\n".join(complaints[:10])


def _complaints(log: str) -> list[str]:
    """The first line of each complaint of a log, whose entries may have several lines."""
    entries = re.split(r"\n(?=\[\d{4}-)", log)
    return [entry.splitlines()[0] for entry in entries if _COMPLAINT.search(entry) and _LOCKED not in entry]
