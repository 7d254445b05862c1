import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import worker.corpus.corpus
import worker.workplace
from labelstudio.changes import annotation_state, tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from model.features.cache import taken_apart
from model.features.folder import to_bytes
from store.tasks import Task
from tagloom_base.settings import Settings
from testing.label_studio.writable import LATE
from tests.store import webhooks
from tests.worker import label_studio
from tests.worker.label_studio import Encoders
from worker.corpus.corpus import assemble
from worker.corpus.draw_seconds import DrawSeconds
from worker.watch import NeverEnds
from worker.workplace import Workplace, open_workplace

TASKS = 3


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Workplace, str]]:
    """A project whose tasks, all but the last, were read; nobody has labelled any."""
    monkeypatch.setattr(worker.workplace, "open_extractor", Encoders)
    with label_studio.opened(tmp_path, TASKS) as studio:
        settings, key = label_studio.settings_of(tmp_path, studio), str(studio.key)
        with open_workplace(settings) as workplace:
            config = workplace.store.projects.ensure(key, studio.project.label_config).label_config
            tasks = [task.in_webhook() for task in studio.project.tasks.values()]
            workplace.store.tasks.upsert(key, tasks_of(tasks))
            workplace.encoder.features(ProjectKey.parse(key), LabelConfig.parse(config), tasks[:-1])
            yield workplace, key


def test_features_that_cannot_be_read_are_made_again_so_that_the_pool_stays_the_same(
    shop: tuple[Workplace, str],
) -> None:
    workplace, key = shop
    project = workplace.store.projects.get(key)
    assert project
    config = LabelConfig.parse(project.label_config)
    before = assemble(workplace, project, config, NeverEnds())
    assert len(before.task_ids) == TASKS - 1
    for file in list(workplace.settings.paths.features.rglob("*.safetensors")):
        cut = file.read_bytes()[: file.stat().st_size // 2]
        file.unlink()  # what `before` holds is mapped from it
        file.write_bytes(cut)
    after = assemble(workplace, project, config, NeverEnds())
    assert after.task_ids == before.task_ids
    for one, other in zip(before.problem.pool, after.problem.pool, strict=True):
        assert to_bytes(*taken_apart(one)) == to_bytes(*taken_apart(other))


def test_it_is_told_that_more_tasks_have_no_gold_than_are_used(
    shop: tuple[Workplace, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace, key = shop
    project = workplace.store.projects.get(key)
    assert project
    config, given = LabelConfig.parse(project.label_config), workplace.settings.values_set()
    caplog.set_level("INFO")
    assemble(workplace, project, config, NeverEnds())
    assert "tasks without gold" not in caplog.text
    limited = replace(workplace, settings=Settings(**{**given, "training_pool": 1}))
    asked: list[int] = []
    some = workplace.store.tasks.some

    def noting(project_key: str, ids: Collection[int]) -> dict[int, Task]:
        asked.extend(ids)
        return some(project_key, ids)

    monkeypatch.setattr(workplace.store.tasks, "some", noting)
    assert len(assemble(limited, project, config, NeverEnds()).task_ids) <= 1
    assert len(asked) == 1, "the other tasks are not read"
    assert "this training uses 1 of 3 tasks without gold" in caplog.text


def test_gold_whose_pictures_never_come_holds_a_training_for_a_while_only(
    shop: tuple[Workplace, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workplace, key = shop
    monkeypatch.setattr(worker.corpus.corpus, "PART_S", 0.5)
    monkeypatch.setattr(worker.corpus.corpus, "PATIENCE_S", 0.8)
    tasks = [{"id": 100 + number, "data": {"image": f"{LATE}/9/{number}.png", "title": "t"}} for number in range(80)]
    workplace.store.tasks.upsert(key, tasks_of(tasks))
    gold = [webhooks.annotation(number, number, 1, ("LOGO",)) for number in (1, *range(100, 180))]
    for entry in gold:
        entry["result"][0]["from_name"] = "elements"
    workplace.store.annotations.apply(key, [annotation_state(entry) for entry in gold])
    project = workplace.store.projects.get(key)
    assert project
    began = time.monotonic()
    corpus = assemble(workplace, project, LabelConfig.parse(project.label_config), NeverEnds())
    assert time.monotonic() - began < 3.0, "two of five parts"
    assert corpus.unread == 80
    assert len(corpus.problem.gold) == 1
    assert "training without the 48 left" in caplog.text


def test_lead_times_tell_how_long_a_box_takes_unless_the_operator_says_it(shop: tuple[Workplace, str]) -> None:
    workplace, key = shop
    project = workplace.store.projects.get(key)
    assert project
    config = LabelConfig.parse(project.label_config)
    assert assemble(workplace, project, config, NeverEnds()).draw == DrawSeconds(16.0, 0)
    region = {"from_name": config.rectangles[0].name, "type": "rectanglelabels", "origin": "manual"}
    entries = []
    for number in range(1, 41):
        drawn = number % 4
        timed = {"result": [region] * drawn, "lead_time": 5 + 7.0 * drawn}
        entries.append({**webhooks.annotation(number, 1, number), **timed})
    workplace.store.annotations.apply(key, [annotation_state(entry) for entry in entries])
    assert assemble(workplace, project, config, NeverEnds()).draw == DrawSeconds(7.0, 40)
    assert DrawSeconds.of(workplace.store.annotations, key, config, 20.0) == DrawSeconds(20.0, 0)
