from collections.abc import Callable

import pytest
from sqlalchemy import select

from labelstudio.changes import change_of, tasks_of
from store.answers import Answer
from store.batches import Fate, NewBatch, Picture
from store.doubts import Doubt
from store.gallery import LabelAnswer
from store.leases import LeaseLost, lease_name
from store.measures import Amount
from store.source_opinions import Saying
from store.store import Store
from store.tables import LEASES, METADATA
from store.versions import Conflict, NewVersion
from tests.store import webhooks

KEY, OTHER = "default/2.1", "further-default/2.1"
NEW = NewVersion(0, "v0.abcd", "", f"{KEY}/v0.abcd", "cold start", "s", ("a",), {}, 0, 0, 0)


def fill(store: Store, key: str) -> None:
    """Write at least one row of the project into every table that has rows of projects."""
    store.projects.ensure(key, "<View/>", "shop")
    store.tasks.upsert(key, tasks_of([webhooks.task(1, 1), webhooks.task(2, 1)]))
    body = webhooks.saved(webhooks.annotation(1, 1, 1), 1)
    store.journal.record(change_of(key, body), timeout=10)
    store.versions.install(key, NEW, generation=0)
    store.fast_answers.give(key, "v0.abcd", [2])
    store.picture_notes.add(key, {"upside down": 1})
    store.pictures.note(key, {1: "the host is not allowed"})
    store.source_opinions.keep(key, [Saying("ab", "model", "1", "l", {"labels": {"a": 0.5}})])
    store.source_opinions.make_due(key)
    store.measures.begin_job("train", key, Amount("killed"))
    store.webhooks.note(key, "missing", "add it")
    pictures = [Picture(1, Fate.WAITING, [{"id": "r"}])]
    store.batches.begin(key, NewBatch(f"form of {key}", "anna", "v0.abcd", '["a"]', 1.0, pictures))
    store.prediction_removals.ask(key, "v0.abcd", "anna")
    lease = store.leases.acquire(lease_name("train", key), "a", ttl=60)
    assert lease
    store.answers.put(key, [Answer(1, "v0.abcd", "f", 0.5, ("a",), {"a": 0.5}, (), 1, changed=False)], lease)
    store.gallery.put(key, "v0.abcd", {1: [LabelAnswer("a", given=True, source="cues")]}, lease)
    store.gallery.set_gold(key, {1: {"a": True}}, lease)
    store.doubts.replace(key, [Doubt(1, "a", given=True, probability=0.1, gold="")], lease)
    store.knowledge.say(key, [["brand names", "nova", "诺瓦", True]], is_used=False)


def rows(store: Store, key: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of a project, whichever the table."""
    found = {}
    with store._database.read() as connection:
        for table in METADATA.sorted_tables:
            column = table.c.get("project_key", table.c.key if table.name == "projects" else None)
            if column is not None:
                found[table.name] = [tuple(row) for row in connection.execute(select(table).where(column == key))]
    return found


def born(store: Store, key: str = KEY) -> float:
    project = store.projects.get(key)
    assert project
    return project.created_at


def test_every_row_goes_and_no_row_of_another_project(store: Store) -> None:
    fill(store, KEY)
    fill(store, OTHER)
    assert all(rows(store, KEY).values()), "each table has rows of it: no table may be left out here"
    assert store.removal.rows(KEY) == {name: len(found) for name, found in rows(store, KEY).items()}
    others = rows(store, OTHER)
    assert store.removal.remove(KEY, born(store))
    assert not any(rows(store, KEY).values())
    assert store.removal.rows(KEY) == {}
    assert rows(store, OTHER) == others


def test_a_project_that_was_made_anew_is_not_the_one_that_was_meant(store: Store) -> None:
    fill(store, KEY)
    assert not store.removal.remove(KEY, born(store) - 1)
    assert not store.removal.remove("default/9.9", 1.0)
    assert store.projects.get(KEY)


def test_work_that_still_runs_brings_nothing_back(store: Store) -> None:
    fill(store, KEY)
    lease = store.leases.acquire(lease_name("train", KEY), "a", ttl=60)
    assert lease
    assert store.removal.remove(KEY, born(store))
    writes: list[Callable[[], object]] = [
        lambda: store.versions.add(KEY, NEW, lease),
        lambda: store.leases.renew(lease, 60),
        lambda: store.answers.put(KEY, [Answer(1, "v0.abcd", "f", 0.5, (), {}, (), 1, changed=False)], lease),
        lambda: store.projects.finish_training(KEY, 1, lease),
        lambda: store.projects.finish_reconcile(KEY, lease),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    for make in (lambda: store.versions.install(KEY, NEW, generation=0), lambda: store.versions.reserve(KEY)):
        with pytest.raises(Conflict, match="forgotten"):
            make()
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 1)]))
    store.tasks.delete(KEY, [1])
    store.annotations.apply(KEY, change_of(KEY, webhooks.saved(webhooks.annotation(1, 1, 1), 1)).annotations)
    store.annotations.delete(KEY, [1])
    store.fast_answers.give(KEY, "v0.abcd", [2])
    store.picture_notes.add(KEY, {"upside down": 1})
    assert store.pictures.note(KEY, {1: "the host is not allowed"}) == []
    store.pictures.begin_round(KEY)
    store.projects.note_presence(KEY, is_there=False)
    store.projects.forget_attempts(KEY)
    store.versions.mark_pruned(KEY, [0])
    assert not any(rows(store, KEY).values())


def test_a_lease_of_before_is_void_also_when_the_project_has_returned(store: Store) -> None:
    fill(store, KEY)
    before = store.leases.acquire(lease_name("train", KEY), "a", ttl=60)
    assert before
    store.removal.remove(KEY, born(store))
    store.projects.ensure(KEY, "<View/>")
    assert store.leases.acquire(lease_name("train", KEY), "b", ttl=60), "nobody holds it"
    with pytest.raises(LeaseLost):
        store.leases.renew(before, 60)


def test_revoking_ends_all_work_of_one_project(store: Store) -> None:
    fill(store, KEY)
    fill(store, OTHER)
    store.removal.revoke(KEY)
    assert not store.leases.held(lease_name("train", KEY))
    assert store.leases.held(lease_name("train", OTHER))


def test_leases_go_when_no_job_can_run_any_more_and_the_project_is_not_there(store: Store) -> None:
    fill(store, KEY)
    fill(store, OTHER)

    def named() -> set[str]:
        with store._database.read() as connection:
            return set(connection.execute(select(LEASES.c.name)).scalars())

    everything = named()
    store.removal.drop_leases(KEY)
    assert named() == everything, "the project is there"
    store.removal.remove(KEY, born(store))
    assert named() == everything, "a job may still hold one"
    store.removal.drop_leases(KEY)
    assert named() == {f"train:{OTHER}"}
