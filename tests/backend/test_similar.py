"""/similar and /recommend: what they find, for whom, and what they say of bad requests."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import worker.workplace
from labelstudio.changes import tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.cache import FeatureCache
from model.items import Item
from tests.backend.parts import SPACE, Backend, features_of, running
from tools.project import label_config
from worker.search.filling import fill
from worker.watch import NeverEnds
from worker.workplace import open_workplace

CONFIG = label_config(("主体", "价格"))
TITLES = ("不锈钢保温杯", "保温饭盒", "真皮腰带", "儿童连衣裙", "蓝牙耳机", "液晶电视", "不锈钢炒锅", "真皮钱包")
OURS, OTHERS = "default/2.1795288797", "branch/2.1795288797"
BRANCH = {"url": "http://127.0.0.1:1", "url_secrets": ["branch-secret-0123456789"]}


def shown(colour: str = "red") -> str:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def open_project(backend: Backend, key: str) -> None:
    parsed, config = ProjectKey.parse(key), LabelConfig.parse(CONFIG)
    backend.store.projects.ensure(key, CONFIG)
    cache = FeatureCache(backend.settings.paths.features, SPACE)
    payloads = [{"id": number, "data": {"title": title}} for number, title in enumerate(TITLES, 1)]
    backend.store.tasks.upsert(key, tasks_of(payloads))
    for task, title in zip(payloads, TITLES, strict=True):
        cache.put(item_key(parsed.connection, reference_of(config, task, parsed)), features_of(Item(None, title)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    settings: dict[str, Any] = {"connections": {"branch": BRANCH}, "url_secrets": ["default-secret-0123456789"]}
    home: Path = tmp_path_factory.mktemp("similar")
    with running(home, **settings) as backend, pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.workplace, "open_extractor", lambda _: backend.encoders)
        for key in (OURS, OTHERS):
            open_project(backend, key)
        with open_workplace(backend.settings) as workplace:
            for project in workplace.store.projects.all():
                fill(workplace, project, NeverEnds())
        backend.store.projects.ensure("default/3.1", CONFIG)
        backend.service.engine.result(20)
        yield backend


def asked(desk: Backend, body: dict[str, Any], path: str = "similar", secret: str = "default") -> Any:
    answer = desk.client.post(f"/{secret}-secret-0123456789/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_words_and_tasks_find_the_items_of_the_own_connection_alone(desk: Backend) -> None:
    found = asked(desk, {"text": "不锈钢"})
    assert {one["task"] for one in found["results"][:2]} == {1, 7}
    assert found["searched"] == len(TITLES), "of the default connection, not of the branch"
    assert {one["project"] for one in found["results"]} == {"2.1795288797"}
    like = asked(desk, {"project": "2.1795288797", "task": 1, "fold": "nothing", "count": 3})
    assert like["results"][0]["task"] in (2, 7)
    assert (len(like["results"]), like["more"]) == (3, True)
    assert asked(desk, {"text": "不锈钢"}, secret="branch")["searched"] == len(TITLES)


def test_a_query_asks_the_same_as_a_body(desk: Backend) -> None:
    query = "project=2.1795288797&task=3&fold=nothing&count=4&page=2&labelled=false"
    answer = desk.client.get(f"/default-secret-0123456789/similar?{query}")
    body = {"project": "2.1795288797", "task": 3, "fold": "nothing", "count": 4, "page": 2, "labelled": False}
    assert answer.json() == asked(desk, body)
    assert len(answer.json()["results"]) == 3


def test_a_picture_is_read_and_compared(desk: Backend) -> None:
    found = asked(desk, {"picture": f"data:image/png;base64,{shown()}", "text": "耳机", "weight": 0.2})
    assert found["results"][0]["title"] == "蓝牙耳机"


def test_recommended_items_were_not_seen(desk: Backend) -> None:
    found = asked(desk, {"project": "2.1795288797", "seen": [1, 3], "count": 5}, "recommend")
    tasks = [one["task"] for one in found["results"]]
    assert len(tasks) == 5
    assert not {1, 3} & set(tasks)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("similar", {}, "say what to look for"),
        ("similar", {"task": 1}, "name the project"),
        ("similar", {"project": "9.9", "task": 1}, "no project 9.9 here"),
        ("similar", {"project": "2.1795288797", "task": 99}, "no task 99"),
        ("similar", {"project": "3.1", "text": "a"}, "no item of default/3.1 can be found yet"),
        ("similar", {"picture": "?"}, "no base64"),
        ("similar", {"picture": base64.b64encode(b"no picture").decode()}, "the picture cannot be read"),
        ("similar", {"text": "a", "weight": 2}, "weight"),
        ("similar", {"text": "a", "fold": "all"}, "fold"),
        ("recommend", {"project": "2.1795288797", "seen": []}, "say which tasks"),
        ("recommend", {"project": "2.1795288797", "seen": [*range(10_001)]}, "at most 10,000 looked-at"),
        ("recommend", {"project": "2.1795288797", "seen": [99]}, "none of the looked-at tasks"),
    ],
)  # fmt: skip
def test_a_bad_request_is_answered_by_what_to_do(desk: Backend, path: str, body: dict[str, Any], words: str) -> None:
    answer = desk.client.post(f"/default-secret-0123456789/{path}", json=body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_nobody_finds_anything_without_the_secret(desk: Backend) -> None:
    for path in ("similar", "recommend"):
        assert desk.client.post(f"/{path}", json={"text": "a"}).status_code == 401
    assert desk.client.get("/similar?text=a").status_code == 401
