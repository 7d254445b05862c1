"""What the measuring project stands on: Label Studio's list page by page, and costs that add up."""

import time
from pathlib import Path

from bench.speed.shop import KEY, LISTED, Listing, Locks, Spent
from labelstudio.project import ProjectKey
from store.store import Store


def test_the_list_gives_each_task_once_in_the_order_of_ids() -> None:
    listing = Listing([{"id": number, "data": {}} for number in range(1, 2 * LISTED + 11)])
    seen: list[int] = []
    is_last = False
    while not is_last:
        page, is_last = listing.tasks_after(KEY.id, seen[-1] if seen else 0)
        seen += [task["id"] for task in page]
        assert all(task["annotations"] == [] for task in page)
    assert seen == list(range(1, 2 * LISTED + 11))


def test_the_listed_project_is_the_one_that_is_measured() -> None:
    assert ProjectKey.of_webhook(Listing([]).project(KEY.id), KEY.connection) == KEY


def test_the_processor_s_time_is_counted_and_waiting_is_not() -> None:
    spent = Spent()
    spent.on("work", lambda: [sum(range(20_000)) for _ in range(200)])
    spent.timed("wait", time.sleep)(0.3)
    assert spent.ms["work"] > 5
    assert spent.ms["wait"] < 150
    before = spent.ms["work"]
    spent.each(10)
    assert spent.ms["work"] == before / 10


def test_the_write_lock_is_timed_while_it_is_held(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/tagloom.db")
    try:
        with Locks() as locks:
            store.projects.get(str(KEY))
            assert locks.ms == 0
            store.projects.ensure(str(KEY), "<View/>")
            assert locks.ms > 0
        held = locks.ms
        store.projects.ensure(str(KEY), "<View></View>")
        assert locks.ms == held
    finally:
        store.close()
