"""The answers of two versions are kept, and projects whose answers are due are found."""

import time
from dataclasses import replace

import pytest

from store.answers import Answer, Round
from store.leases import Lease, LeaseLost
from store.store import Store

KEY = "default/2.1"
ANSWER = Answer(
    task_id=1,
    version="v1.a",
    item_key="f" * 64,
    score=0.75,
    labels=("LOGO", "价格"),
    probabilities={"LOGO": 0.9, "价格": 0.8},
    boxes=(("LOGO", 0.1, 0.2, 0.3, 0.4, 0.5),),
    look_alike=1,
    changed=False,
    size=(640, 480),
)


@pytest.fixture
def lease(store: Store) -> Lease:
    store.projects.ensure(KEY, "<View/>")
    taken = store.leases.acquire("predict:x", "a", ttl=60)
    assert taken
    return taken


def answers(version: str, *task_ids: int) -> list[Answer]:
    return [replace(ANSWER, version=version, task_id=number) for number in task_ids]


def test_answers_come_back_as_they_were(store: Store, lease: Lease) -> None:
    store.answers.put(KEY, answers("v1.a", 3, 1), lease)
    assert store.answers.of_tasks(KEY, "v1.a", [1, 2]) == {1: ANSWER}
    assert list(store.answers.of_version(KEY, "v1.a")) == answers("v1.a", 1, 3)
    assert store.answers.keys(KEY, "v1.a", []) == {}
    better = replace(ANSWER, score=0.9, boxes=(), changed=True)
    store.answers.put(KEY, [better], lease)
    assert store.answers.of_tasks(KEY, "v1.a", [1]) == {1: better}


def test_of_older_versions_nothing_is_left(store: Store, lease: Lease) -> None:
    assert store.answers.begin(KEY, "v1.a", "<View/>", lease) == ""
    store.answers.put(KEY, answers("v1.a", *range(1, 1203)), lease)
    assert store.answers.begin(KEY, "v2.b", "<View/>", lease) == "v1.a"
    store.answers.put(KEY, answers("v2.b", 1), lease)
    assert store.answers.versions(KEY) == ["v2.b", "v1.a"]
    # Back to the former one: nothing is asked anew.
    assert store.answers.begin(KEY, "v1.a", "<View/>", lease) == "v2.b"
    assert len(list(store.answers.of_version(KEY, "v1.a"))) == 1202
    assert store.answers.begin(KEY, "v3.c", "<View/>", lease) == "v1.a"
    assert list(store.answers.of_version(KEY, "v2.b")) == []
    assert store.answers.begin(KEY, "v4.d", "<View/>", lease) == "v3.c"
    assert list(store.answers.of_version(KEY, "v1.a")) == []


def test_a_job_goes_on_where_the_last_one_ended_unless_the_version_is_another(store: Store, lease: Lease) -> None:
    store.projects.ensure(KEY, "<View/>")
    assert store.answers.round(KEY) == store.answers.round("default/99.1") == Round()
    store.answers.begin(KEY, "v1.a", "<View/>", lease)
    store.answers.reach(KEY, 0, 512)
    store.answers.begin(KEY, "v1.a", "<View/>", lease)
    assert store.answers.round(KEY).upto == 512
    for end in (
        lambda: store.answers.begin(KEY, "v2.b", "<View/>", lease),
        lambda: store.answers.begin(KEY, "v2.b", "<View><Header/></View>", lease),
        lambda: store.answers.finish(KEY, 0, 3),
        lambda: store.answers.make_due(KEY),
    ):
        store.answers.reach(KEY, 0, 512)
        end()
        assert store.answers.round(KEY).upto == -1


def test_pictures_that_are_read_during_a_look_at_all_tasks_let_another_one_begin(store: Store, lease: Lease) -> None:
    store.projects.ensure(KEY, "<View/>")
    round_ = store.answers.round(KEY)
    store.answers.make_due(KEY)
    store.answers.reach(KEY, round_.number, 512)
    store.answers.finish(KEY, round_.number, 9)
    store.answers.set_refreshed(KEY, round_.number, "9")
    assert store.answers.round(KEY) == Round(number=1)
    store.answers.set_refreshed(KEY, 1, "9")
    store.answers.reach(KEY, 1, 512)
    assert store.answers.round(KEY) == Round(1, 512, "9")
    store.answers.finish(KEY, 1, 9)
    assert store.answers.round(KEY) == Round(1, -1, "9")


def test_second_predictions_are_due_once_their_time_is_over(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.answers.set_refreshed(KEY, 0, "9")
    # A time that lies too far ahead is one of a clock that went wrong.
    for for_s, crowded in ((None, []), (3600.0, []), (None, []), (0.0001, [KEY]), (86400.0, [KEY]), (3600.0, [])):
        store.answers.set_crowded(KEY, for_s)
        time.sleep(0.001)
        assert store.answers.crowded() == crowded, for_s
        assert store.answers.round(KEY).refreshed == ("" if crowded else "9")
    store.answers.set_crowded(KEY, None)
    store.answers.set_crowded(KEY, 0.2)
    store.answers.set_crowded(KEY, 3600.0)
    time.sleep(0.2)
    assert store.answers.crowded() == [KEY], "the first one counts"


def test_answers_to_another_labelling_config_are_none(store: Store, lease: Lease) -> None:
    store.answers.begin(KEY, "v1.a", "<View/>", lease)
    store.answers.put(KEY, answers("v1.a", 1), lease)
    store.answers.begin(KEY, "v1.a", "<View/>", lease)
    assert list(store.answers.of_version(KEY, "v1.a"))
    assert store.answers.begin(KEY, "v1.a", "<View><Header/></View>", lease) == ""
    assert list(store.answers.of_version(KEY, "v1.a")) == []


def test_answers_of_tasks_that_are_gone_are_dropped(store: Store, lease: Lease) -> None:
    store.answers.put(KEY, [*answers("v1.a", 1, 2, 9), *answers("v2.b", 2)], lease)
    assert store.answers.task_ids(KEY, 0, 8) == {1, 2}
    store.answers.drop(KEY, [2], lease)
    assert store.answers.task_ids(KEY, -1, 99) == {1, 9}


def test_a_lost_lease_writes_nothing(store: Store, lease: Lease) -> None:
    store.leases.revoke(lease.name)
    for write in (
        lambda: store.answers.put(KEY, [ANSWER], lease),
        lambda: store.answers.begin(KEY, "v1.a", "<View/>", lease),
        lambda: store.answers.drop(KEY, [1], lease),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert (store.answers.task_ids(KEY, -1, 9), store.answers.versions(KEY)) == (set(), [])
