"""A project whose pictures stand in its tasks, and a vision model that is right at known rates."""

import base64
import io
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from labelstudio.changes import change_of, tasks_of
from labelstudio.config import LabelConfig
from labelstudio.tasks import item_key, reference_of
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from store.projects import Project
from store.store import Store
from tagloom_base.settings import Settings
from testing.shop import LABELS, PLAIN
from testing.vision import Reply, erring
from tests.store import webhooks
from tests.worker.shop import CONFIG, KEY, SPACE
from worker.workplace import Workplace

RATES = {"LOGO": 0.95, "价格": 0.55, "赠品": 0.95, "文案": 0.95, "主体": 0.95}
"""How often the model is right about each label."""


def picture(number: int) -> str:
    written = io.BytesIO()
    Image.new("RGB", (40, 30), (number % 256, number // 256, 99)).save(written, "PNG")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def payload(number: int) -> dict[str, Any]:
    data = {"image": picture(number), "title": f"商品 {number}", "industry": "日用"}
    return {"id": number, "data": data, "updated_at": webhooks.stamp(0)}


def features_of(number: int) -> ItemFeatures:
    return replace(PLAIN.item(number)[0], title=f"商品 {number}", size=(40, 30))


def truth(title: str) -> frozenset[str]:
    return PLAIN.item(int(title.split()[1]))[1].labels


def key_of(number: int) -> str:
    return item_key(KEY.connection, reference_of(LabelConfig.parse(CONFIG), payload(number), KEY))


def fill(store: Store, settings: Settings, numbers: Iterable[int]) -> Project:
    """The project with these tasks, whose features are there already."""
    store.projects.ensure(str(KEY), CONFIG, "shop")
    cache = FeatureCache(settings.paths.features, SPACE)
    payloads = [payload(number) for number in numbers]
    store.tasks.upsert(str(KEY), tasks_of(payloads))
    for task in payloads:
        cache.put(key_of(task["id"]), features_of(task["id"]))
    project = store.projects.get(str(KEY))
    assert project
    return project


def annotate(store: Store, numbers: Iterable[int]) -> None:
    for number in numbers:
        labels = tuple(label for label in LABELS if label in PLAIN.item(number)[1].labels)
        entry = webhooks.annotation(number, number, 1, labels)
        entry["result"][0]["from_name"] = "elements"
        body = {"action": "ANNOTATION_CREATED", "annotation": entry, "task": payload(number), "project": {}}
        store.journal.record(change_of(str(KEY), body), timeout=10)


def model(rates: Mapping[str, float] = RATES, salt: str = "") -> Reply:
    return erring(truth, rates, salt)


def write(folder: Path, name: str, code: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(textwrap.dedent(code), encoding="utf-8")


def said(workplace: Workplace) -> dict[str, dict[str, Any]]:
    """What is kept of the first hundred items: key → source → said."""
    return workplace.store.source_opinions.said(str(KEY), [key_of(number) for number in range(1, 101)])
