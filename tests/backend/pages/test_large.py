"""Each page of a project with 10,000 tasks answers within a second: gallery, task, doubts, history, search.

TAGLOOMTEST_LARGE_TASKS sets another number (docs/benchmarks.md has 100,000).

`test_review.py` has the review.
"""

import os
import re
import time
from collections.abc import Iterator

import pytest

import worker.workplace
from labelstudio.changes import tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.cache import FeatureCache
from model.items import Item
from store.answers import Answer
from store.changes import AnnotationState
from store.doubts import Doubt
from store.gallery import LabelAnswer
from store.leases import Lease
from tests.backend.pages import office
from tests.backend.pages.office import ANNA, CREATED, CREATED_S, LABELS, Browser, Desk, add_project
from tests.backend.parts import SPACE, features_of
from worker.search.filling import fill
from worker.watch import NeverEnds
from worker.workplace import open_workplace

pytestmark = pytest.mark.slow

TASKS = int(os.environ.get("TAGLOOMTEST_LARGE_TASKS", "10000"))
GOLD = min(TASKS // 5, 10_000)
SECONDS = 1.0  # for a page
ID = f"1.{CREATED_S}"
VERSIONS = ("v1.0001", "v2.0002")
PLACES = (
    "./",
    f"project?id={ID}",
    f"version?id={ID}&version=v2.0002",
    f"gallery?id={ID}",
    f"gallery?id={ID}&verdict=wrong&order=-score",
    f"gallery?id={ID}&verdict=right",
    f"gallery?id={ID}&verdict=unlabelled&label=LOGO&from=20&to=90",
    f"gallery?id={ID}&source=cue&changed=1&after=0.5:6000",
    f"task?id={ID}&task=77",
    f"doubts?id={ID}",
    f"done?id={ID}",
    f"similar?id={ID}&task=77",
    f"similar?id={ID}&text=%E4%BF%9D%E6%B8%A9%E6%9D%AF&fold=products",
    f"similar?id={ID}&text=LOGO&page=40",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with office.desk(tmp_path_factory.mktemp("home")) as desk, pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.workplace, "open_extractor", lambda _: desk.backend.encoders)
        key = add_project(desk.store, 1, versions=2)
        add_tasks(desk, key)
        lease = desk.store.leases.acquire(f"predict:{key}", "test", ttl=600)
        assert lease
        add_answers(desk, key, lease)
        add_gold(desk, key, lease)
        made = desk.browser()
        assert made.sign_in(ANNA).status_code == 200
        yield made


def add_tasks(desk: Desk, key: str) -> None:
    """Tasks whose items are read, and found by words."""
    payloads = [
        {"id": number, "data": {"title": f"保温杯{number}"}, "updated_at": CREATED} for number in range(1, TASKS + 1)
    ]
    desk.store.tasks.upsert(key, tasks_of(payloads))
    project = desk.store.projects.get(key)
    assert project
    config, parsed = LabelConfig.parse(project.label_config), ProjectKey.parse(key)
    cache = FeatureCache(desk.backend.settings.paths.features, SPACE)
    for task in payloads:
        item = Item(None, str(task["data"]["title"]))  # type: ignore[index]
        cache.put(item_key(parsed.connection, reference_of(config, task, parsed)), features_of(item))
    with open_workplace(desk.backend.settings) as workplace:
        fill(workplace, project, NeverEnds())


def add_answers(desk: Desk, key: str, lease: Lease) -> None:
    for version in VERSIONS:
        desk.store.answers.begin(key, version, "<View/>", lease)
        answers = [
            Answer(
                task_id=task,
                version=version,
                item_key=f"{task:064}",
                score=0.4 + task % 60 / 100,
                labels=LABELS[: task % 4],
                probabilities=dict.fromkeys(LABELS, 0.75),
                boxes=tuple((label, 0.1, 0.2, 0.6, 0.9, 0.8) for label in LABELS[: task % 4]),
                look_alike=task // 40 * 40 or task,
                changed=version == VERSIONS[1] and task % 3 == 0,
            )
            for task in range(1, TASKS + 1)
        ]
        desk.store.answers.put(key, answers, lease)
        said = {one.task_id: [LabelAnswer(label, label in one.labels, "cue") for label in LABELS] for one in answers}
        desk.store.gallery.put(key, version, said, lease)


def add_gold(desk: Desk, key: str, lease: Lease) -> None:
    """Gold of which a third is otherwise than answered, and doubts about some of it."""
    states = []
    for task in range(1, GOLD + 1):
        tags = {"from_name": "elements", "to_name": "image", "type": "choices"}
        tags |= {"value": {"choices": list(LABELS[: (task + task % 3) % 4])}}  # type: ignore[dict-item]
        states.append(AnnotationState(task, task, [tags], was_cancelled=False, ground_truth=False, updated_us=1))
    desk.store.annotations.apply(key, states)
    gold = {task: {label: label in LABELS[: (task + task % 3) % 4] for label in LABELS} for task in range(1, GOLD + 1)}
    desk.store.gallery.set_gold(key, gold, lease)
    doubts = [
        Doubt(task, LABELS[1], given=True, probability=task / GOLD, gold="g", sources=(("cue", -1.5),),
              nearest=tuple((other, 0.9, False) for other in range(task + 1, task + 5)))
        for task in range(1, 500)
    ]  # fmt: skip
    desk.store.doubts.replace(key, doubts, lease)


@pytest.mark.parametrize("place", PLACES)
def test_a_page_of_ten_thousand_tasks_takes_less_than_a_second(browser: Browser, place: str) -> None:
    browser.get(place)  # the first look makes templates
    began, processor = time.monotonic(), time.process_time()
    answer = browser.get(place)
    spent, seconds = time.process_time() - processor, time.monotonic() - began
    print(f"{place}: {spent:.3f} s of the processor, {seconds:.3f} s, {len(answer.content)} bytes")
    assert answer.status_code == 200
    assert spent < SECONDS
    shown = len(re.findall("<img ", answer.text))
    assert shown >= 8 or not place.startswith(("gallery", "doubts", "similar")), answer.text
