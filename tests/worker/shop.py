"""A project with tasks whose features are there already, and annotators for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from labelstudio.changes import change_of, tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.boxes.worth import DRAW
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.items import Gold
from model.lexicon.names import with_names
from store.store import Store
from store.versions import Current
from tagloom_base.settings import Settings
from testing.shop import LABELS, SHOP
from tests.store import webhooks
from tools.project import label_config
from worker.cold_start import ColdStart, ensure_cold_start
from worker.lexicon import read_lexicon

KEY = ProjectKey("default", 2, 1795288797)
CONFIG = label_config(LABELS)
SPACE = "5" * 16

Make = Callable[[int], tuple[ItemFeatures, Gold]]
"""The item of a number, with its true labels."""


class StubExtractor:
    """In place of `model.features.extraction.open_extractor`; it is never asked for features: they are in the cache."""

    space = SPACE

    def __init__(self, _encoders: object = None) -> None:
        pass

    def describe(self) -> dict[str, str]:
        return {"image": "none"}

    def extract(self, wanted: Iterable[object]) -> list[Any]:
        pytest.fail(f"asked to encode {list(wanted)}")


def cold_start(
    settings: Settings,
    store: Store,
    labels: Sequence[str] = LABELS,
    *,
    key: ProjectKey | str = KEY,
    space: str = SPACE,
    names: Mapping[str, Sequence[str]] | None = None,
    instead_of: Current | None = None,
) -> Current:
    """Let a version serve that has learned from nobody."""
    lexicon = with_names(read_lexicon(settings.training.lexicon), names or {})
    training = settings.training
    wanted = ColdStart(tuple(labels), space, training.seed, lexicon, training.draw_seconds or DRAW)
    return ensure_cold_start(store, settings.paths.checkpoints, str(key), wanted, instead_of=instead_of)


def open_shop(store: Store, settings: Settings, tasks: int = 60, make: Make = SHOP.item) -> None:
    """The project with its tasks and their features."""
    store.projects.ensure(str(KEY), CONFIG, "shop")
    add_tasks(store, settings, range(1, tasks + 1), make)


def add_tasks(store: Store, settings: Settings, numbers: Iterable[int], make: Make = SHOP.item) -> None:
    """Tasks with their features."""
    config = LabelConfig.parse(CONFIG)
    cache = FeatureCache(settings.paths.features, SPACE)
    payloads = [payload(number) for number in numbers]
    store.tasks.upsert(str(KEY), tasks_of(payloads))
    for task in payloads:
        cache.put(item_key(KEY.connection, reference_of(config, task, KEY)), make(task["id"])[0])


def payload(number: int) -> dict[str, Any]:
    data = {"image": f"/{number}.png", "title": f"商品 {number // 2}", "industry": "日用"}
    return {"id": number, "data": data, "updated_at": webhooks.stamp(0)}


def annotate(
    store: Store, numbers: Iterable[int], *, second: int = 1, wrong: bool = False, make: Make = SHOP.item
) -> None:
    """Label these tasks truly, or with each label flipped."""
    for number in numbers:
        truth = make(number)[1].labels or frozenset()
        labels = tuple(label for label in LABELS if (label in truth) != wrong)
        entry = webhooks.annotation(number, number, second, labels)
        entry["result"][0]["from_name"] = "elements"
        body = {"action": "ANNOTATION_CREATED", "annotation": entry, "task": payload(number), "project": {}}
        store.journal.record(change_of(str(KEY), body), timeout=10)
