"""The page that finds items: for whom, what it shows, and what it says where it finds nothing."""

import html
from collections.abc import Iterator
from pathlib import Path

import pytest

import worker.workplace
from labelstudio.changes import tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.cache import FeatureCache
from model.items import Item
from tests.backend.pages import office
from tests.backend.pages.office import ANNA, CREATED_S, Browser, Desk, add_project
from tests.backend.parts import SPACE, features_of
from worker.search.filling import fill
from worker.watch import NeverEnds
from worker.workplace import open_workplace

ODD = '"><img src=x onerror=alert(1)>'
TITLES = ["不锈钢保温杯", "保温饭盒", ODD, *(f"商品{number}" for number in range(4, 40))]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home: Path = tmp_path_factory.mktemp("home")
    with office.desk(home) as desk, pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.workplace, "open_extractor", lambda _: desk.backend.encoders)
        for number in (1, 2, 3):
            add_project(desk.store, number)
        fill_project(desk, 1)
        made = desk.browser()
        assert made.sign_in(ANNA).status_code == 200
        yield made


def fill_project(desk: Desk, number: int) -> None:
    key = ProjectKey("default", number, CREATED_S)
    project = desk.store.projects.get(str(key))
    assert project
    config = LabelConfig.parse(project.label_config)
    cache = FeatureCache(desk.backend.settings.paths.features, SPACE)
    payloads = [{"id": place, "data": {"title": title}} for place, title in enumerate(TITLES, 1)]
    desk.store.tasks.upsert(str(key), tasks_of(payloads))
    for task, title in zip(payloads, TITLES, strict=True):
        cache.put(item_key(key.connection, reference_of(config, task, key)), features_of(Item(None, title)))
    with open_workplace(desk.backend.settings) as workplace:
        fill(workplace, project, NeverEnds())


def at(**query: str) -> str:
    return f"similar?id=1.{CREATED_S}" + "".join(f"&{name}={value}" for name, value in query.items())


def test_nothing_is_looked_for_at_first(browser: Browser) -> None:
    assert "similar?id=" in browser.get(f"project?id=1.{CREATED_S}").text
    page = browser.get(at()).text
    assert "Find items" in page
    assert "Found among" not in page


def test_items_are_found_by_words_and_by_task(browser: Browser) -> None:
    page = browser.get(at(text="保温杯")).text
    assert f"Found among {len(TITLES)} items" in page
    assert page.index("不锈钢保温杯") < page.index("保温饭盒")
    assert f"picture?id=1.{CREATED_S}&amp;task=1" in page
    assert "/projects/1/data?task=1" in page
    like = browser.get(at(task="1")).text
    assert "保温饭盒" in like
    assert 'task=1"' not in like, "not the task itself"


def test_pages_lead_to_each_other(browser: Browser) -> None:
    first = browser.get(at(task="1", fold="nothing"))
    assert "page=2" in first.text
    second = browser.get(at(task="1", fold="nothing", page="2"))
    assert "page=1" in second.text
    assert "page=3" not in second.text
    assert browser.get(at(task="1", page="0x")).status_code == 200


def test_what_cannot_be_found_is_told(browser: Browser) -> None:
    for query, words in (
        ({"task": "99"}, "has no task 99 that was read"),
        ({"task": "x"}, "digits only"),
        ({"task": "9" * 18}, "has no task"),
    ):
        answer = browser.get(at(**query))
        assert answer.status_code == 422
        assert words in html.unescape(answer.text)
    empty = browser.get(f"similar?id=2.{CREATED_S}&text=a")
    assert "can be found yet" in empty.text


def test_titles_are_escaped_and_others_projects_are_not_there(browser: Browser) -> None:
    page = browser.get(at(text=ODD)).text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert browser.get(f"similar?id=3.{CREATED_S}&text=a").status_code == 404
    browser.cookies.clear()
    assert "Your Label Studio token" in browser.get(at(text="a")).text
