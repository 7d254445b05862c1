"""The columns of the Data Manager follow the kept answers of the served version."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labelstudio.changes import annotations_of, tasks_of
from labelstudio.columns import CHANGED, CONFIDENCE, DOUBTFUL, LOOK_ALIKES, NAMES, NO_TURN, ORDER
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from store.answers import Answer
from store.doubts import Doubt
from store.projects import Project
from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio.writable import WritableLabelStudio
from testing.shop import LABELS
from tests.worker import label_studio
from tests.worker.label_studio import publish_next
from worker.corpus.kin import Kin
from worker.predictions import columns
from worker.predictions.columns import candidates, remove, write
from worker.watch import Ends, Interrupted, NeverEnds
from worker.workplace import Workplace, open_workplace

TASKS = 40


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio) -> Settings:
    return label_studio.settings_of(tmp_path, studio)


@contextmanager
def opened(settings: Settings, studio: WritableLabelStudio) -> Iterator[tuple[Workplace, Project]]:
    with open_workplace(settings) as workplace:
        project = workplace.store.projects.get(str(studio.key))
        assert project
        yield workplace, project


def keep(workplace: Workplace, studio: WritableLabelStudio, version: str, of: Mapping[int, Mapping[str, Any]]) -> None:
    """Keep an answer to each task, with these values for some; all pictures are read."""
    store, key = workplace.store, str(studio.key)
    store.tasks.upsert(key, tasks_of([task.in_webhook() for task in studio.project.tasks.values()]))
    project = store.projects.get(key)
    assert project
    config, tasks = workplace.config_of(project), store.tasks.all(key)
    parsed = ProjectKey.parse(key)
    workplace.encoder.features(parsed, config, [task.payload() for task in tasks], 1e9)
    labels = ("赠品", "价格")
    answers = []
    for task in tasks:
        usual: dict[str, Any] = {"score": task.id / 100, "look_alike": task.id, "changed": False}
        held = usual | dict(of.get(task.id, {}))
        item = item_key(parsed.connection, reference_of(config, task.payload(), parsed))
        probabilities = dict.fromkeys(labels, max(held["score"], 0.1))
        answers.append(
            Answer(task.id, version, item, held["score"], (), probabilities, (), held["look_alike"], held["changed"])
        )
    lease = store.leases.acquire("answers", "test", 60)
    assert lease
    store.answers.begin(key, version, project.label_config, lease)
    store.answers.put(key, answers, lease)
    store.leases.release(lease)


def run(
    workplace: Workplace, project: Project, watch: Ends | None = None, doubtful: frozenset[int] = frozenset()
) -> columns.Written:
    doubts = [Doubt(number, LABELS[0], given=True, probability=0.1, gold="") for number in doubtful]
    workplace.store.doubts.replace(project.key, doubts, label_studio.lease_of(workplace))
    return write(workplace, project, watch or NeverEnds(), lambda _: None)


def data_of(studio: WritableLabelStudio, task: int) -> dict[str, Any]:
    return {name: value for name, value in studio.project.tasks[task].data.items() if name in NAMES}


def test_they_say_what_is_kept_and_only_what_differs_is_written(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    version = publish_next(settings, store, studio)
    for task in range(1, 5):
        studio.annotate(task, [])
    updated = {task.id: task.updated_at for task in studio.project.tasks.values()}
    with opened(settings, studio) as (workplace, project):
        assert run(workplace, project).values == 0, "no answer is kept yet"
        keep(workplace, studio, version, {2: {"look_alike": 1}, 3: {"changed": True, "score": 0.123}})
        done = run(workplace, project, doubtful=frozenset({4}))
        assert data_of(studio, 1) == {CONFIDENCE: 0.01, LOOK_ALIKES: "1", ORDER: data_of(studio, 1)[ORDER]}
        assert data_of(studio, 3).items() >= {CONFIDENCE: 0.12, CHANGED: "yes"}.items()
        assert DOUBTFUL in data_of(studio, 4)
        assert DOUBTFUL not in data_of(studio, 5)
        assert done.values == sum(len(data_of(studio, task)) for task in studio.project.tasks)
        assert studio.data_written[-1] == "counted"
        assert {task.id: task.updated_at for task in studio.project.tasks.values()} == updated

        studio.data_written.clear()
        assert run(workplace, project, doubtful=frozenset({4})).values == 0
        assert studio.data_written == []
        keep(workplace, studio, version, {2: {"look_alike": 1}, 3: {"score": 0.123}, 9: {"score": 0.91}})
        run(workplace, project)
        assert {line.rpartition(" ")[0] for line in studio.data_written if not line.startswith(ORDER)} == {
            f"{CONFIDENCE} 0.91", f"{CHANGED} ", f"{DOUBTFUL} ", "",
        }  # fmt: skip
        stored = {task.id: task.data for task in store.tasks.all(project.key)}
    assert not any(name in data for data in stored.values() for name in NAMES)


def test_values_of_people_stay_and_are_counted_and_all_others_can_be_removed(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    version = publish_next(settings, store, studio)
    studio.project.tasks[7].data[CONFIDENCE] = "checked by Li"
    before = {task.id: dict(task.data) for task in studio.project.tasks.values()}
    with opened(settings, studio) as (workplace, project):
        keep(workplace, studio, version, {})
        assert "1 left as people filled them" in str(run(workplace, project))
        assert studio.project.tasks[7].data[CONFIDENCE] == "checked by Li"
        done = remove(workplace, project, NeverEnds(), lambda _: None)
    assert {task.id: task.data for task in studio.project.tasks.values()} == before
    assert done.values == 2 * TASKS - 1
    assert studio.data_written[-1] == "counted"


def test_a_run_that_was_ended_is_continued_by_the_next(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Once(NeverEnds):
        def check(self) -> None:
            raise Interrupted("once")

    version = publish_next(settings, store, studio)
    monkeypatch.setattr(columns, "WINDOW", 8)
    with opened(settings, studio) as (workplace, project):
        keep(workplace, studio, version, {})
        requests = 0
        for _ in range(3):
            with pytest.raises(Interrupted):
                run(workplace, project, Once())
            requests += 1
        assert len(studio.data_written) == requests
        written = len(set(studio.data_written))
        assert written == requests, "nothing twice"
        run(workplace, project)
    assert all(CONFIDENCE in data_of(studio, task) for task in studio.project.tasks)


def test_the_order_has_one_view_of_a_product_and_of_look_alikes_first_and_none_of_labelled_ones(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "SHARED", 1)
    for task in studio.project.tasks.values():
        task.data["title"] = f"商品 {chr(65 + task.id % 20)}"
    version = publish_next(settings, store, studio)
    studio.annotate(1, [])
    with opened(settings, studio) as (workplace, project):
        # 2 and 3 are of two products that look alike.
        keep(workplace, studio, version, {3: {"look_alike": 2}})
        store.annotations.apply(str(studio.key), annotations(studio))
        run(workplace, project)
        order = sorted(
            (data_of(studio, task)[ORDER], task) for task in studio.project.tasks if ORDER in data_of(studio, task)
        )
        assert [turn for turn, _ in order] == [f"{place:03}" for place in range(1, TASKS)]
        first = [task for _, task in order[:18]]
        kin = {task: {3: 2}.get(task % 20, task % 20) for task in first}
        assert len(set(kin.values())) == 18, "19 products, of which two look alike"
        assert 21 not in first, "it shows the product of a labelled task"

        studio.annotate(first[0], [])
        store.annotations.apply(str(studio.key), annotations(studio))
        run(workplace, project)
        assert data_of(studio, first[0])[ORDER] == NO_TURN


def annotations(studio: WritableLabelStudio) -> list[Any]:
    return annotations_of([one.body() for task in studio.project.tasks.values() for one in task.annotations])


def test_candidates_are_the_least_sure_ones_one_of_each_kin_before_any_second() -> None:
    def kept(number: int, score: float) -> Answer:
        return Answer(number, "v1", "", score, (), {}, (), number, False)

    answers = {number: kept(number, score) for number, score in {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4, 5: 0.05}.items()}
    kin = Kin({1: "mug", 2: "mug", 3: "pot", 4: "lamp", 5: "pot"}, frozenset({"lamp"}))
    assert candidates(answers, {5}, kin, 9) == [1, 3, 2, 4]
    assert candidates(answers, {5}, kin, 2) == [1, 3]
