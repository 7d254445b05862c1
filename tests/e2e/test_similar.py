"""The page that finds items, in a real browser with a real Label Studio: by words, by a picture file, with filters."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import chromium, signed_in
from tests.e2e.conftest import Running
from tests.e2e.reviewing import wait_until

pytestmark = pytest.mark.e2e

READ_S = 240.0
FIND = "main form button"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def shown(page: Page) -> list[int]:
    """The tasks that were found, best first."""
    page.wait_for_selector("#found")
    return [int(link.split("=")[-1]) for link in page.locator(".finds p a").evaluate_all("all => all.map(a => a.href)")]


def searched(running: Running) -> int:
    (project,) = running.status()
    asked = {"project": project["project"].partition("/")[2], "text": "包邮"}
    answer = httpx.get(f"{running.backend_url}/similar", params=asked, timeout=60)
    return int(answer.json().get("searched", 0))


@pytest.mark.parametrize("scripts", [True, False])
def test_items_are_found_by_words_picture_and_filters(running: Running, browser: Browser, scripts: bool) -> None:
    tasks = {task["id"]: task for task in running.tasks()}
    wait_until(lambda: searched(running) == len(tasks), READ_S)
    if scripts:
        page = signed_in(browser, running, viewport={"width": 1100, "height": 900})
    else:
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(running.backend_url)
        page.fill("#token", running.account.token)
        page.click(FIND)
    page.get_by_role("link", name="Tagloom samples").first.click()
    page.get_by_role("link", name="Find items").first.click()

    page.fill("#text", "电热水器")
    page.click(FIND)
    assert "电热水器" in tasks[shown(page)[0]]["data"]["title"]

    number = min(tasks)
    page.fill("#text", "")
    page.set_input_files("#file", running.sample_of(tasks[number]).image)
    page.click(FIND)
    assert shown(page)[0] == number, "the picture itself"
    page.fill("#text", "电热水器")
    page.locator("summary").click()
    page.fill("#weight", "10")
    page.click(FIND)
    assert "电热水器" in tasks[shown(page)[0]]["data"]["title"], "words weigh more"
    if scripts:
        page.wait_for_function("() => [...document.images].every(one => one.complete)")
        page.screenshot(path=running.screenshots / "similar.png")
    page.fill("#industry", "no such")
    page.click(FIND)
    assert shown(page) == []

    page.set_input_files("#file", running.home / "up.log")
    page.click(FIND)
    assert "the file is no picture that can be read" in page.inner_text("[role=alert]")


def test_who_is_not_signed_in_sees_nothing(running: Running, browser: Browser) -> None:
    page = browser.new_context().new_page()
    (project,) = running.status()
    number = project["project"].partition("/")[2]
    page.goto(f"{running.backend_url}/pages/similar?id={number}&text=电热水器")
    page.wait_for_selector("#token")
    assert page.locator(".finds").count() == 0
