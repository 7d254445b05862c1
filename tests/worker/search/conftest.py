"""A shop whose items are in its index."""

from collections.abc import Iterator

import pytest

import worker.workplace
from labelstudio.config import LabelConfig
from store.store import Store
from tagloom_base.settings import Settings
from tests.worker import shop
from worker.search.filling import Filled, fill
from worker.search.finding import Finder, Searched
from worker.watch import NeverEnds
from worker.workplace import Workplace, open_workplace

KEY = str(shop.KEY)
TASKS = 24


@pytest.fixture
def workplace(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    shop.open_shop(store, settings, tasks=TASKS)
    with open_workplace(settings) as opened:
        yield opened


def filled(workplace: Workplace) -> Filled:
    project = workplace.store.projects.get(KEY)
    assert project
    return fill(workplace, project, NeverEnds())


def searched(workplace: Workplace) -> Searched:
    project = workplace.store.projects.get(KEY)
    assert project
    return Searched(project, LabelConfig.parse(project.label_config))


def finder_of(workplace: Workplace) -> Finder:
    return Finder(workplace.store, workplace.settings.paths.search, shop.SPACE)
