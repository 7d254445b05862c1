"""Reviewing and undoing in a real browser over a real Label Studio."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from playwright.sync_api import Page

from tests.e2e.conftest import Running

ANSWERS_MS = 120_000


def open_screen(page: Page, running: Running) -> list[int]:
    """Open the review, at the part that has pictures, once answers are kept; the tasks shown."""
    (project,) = running.status()
    key = str(project["project"]).partition("/")[2]
    end = time.monotonic() + ANSWERS_MS / 1000
    while True:
        for part in ("sure", "rest"):
            page.goto(f"{running.backend_url}/pages/review?id={key}&part={part}")
            if shown := shown_tasks(page):
                page.wait_for_function("() => [...document.images].every(image => image.complete)")
                return shown
        assert time.monotonic() < end, page.inner_text("main")
        page.wait_for_timeout(1000)


def shown_tasks(page: Page) -> list[int]:
    return [int(one) for one in page.eval_on_selector_all(".glance input", "all => all.map(one => one.id.slice(1))")]


def held(running: Running, tasks: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What Label Studio holds of tasks; of predictions the ids, since their content follows the served version."""
    wanted = set(tasks)
    return {
        task["id"]: {
            "annotations": [(one["id"], one["result"], one["updated_at"]) for one in task["annotations"]],
            "predictions": [one["id"] for one in task["predictions"]],
            "drafts": task["draft_exists"],
            "is_labeled": task["is_labeled"],
        }
        for task in running.tasks()
        if task["id"] in wanted
    }


def wait_until(condition: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so after {seconds:.0f} s"
        time.sleep(0.5)


def wait_until_written(page: Page, count: int) -> None:
    """Wait until the newest batch says that so many are written, and nothing is still being written."""
    told = f"const told = document.querySelector('.strip')?.innerText ?? ''; return / {count} written/.test(' ' + told)"
    page.wait_for_function(f"() => {{ {told} && !/ of \\d+ written/.test(told); }}", timeout=60_000)
