import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from store.answers import Answer
from store.gallery import LabelAnswer, Order, Place, Verdict, Wanted
from store.leases import Lease, LeaseLost
from store.store import Store

KEY, VERSION = "default/2.1", "v1.0001"
ALL = Wanted()


@pytest.fixture
def lease(store: Store) -> Lease:
    taken = store.leases.acquire("predict:x", "a", ttl=600)
    assert taken
    return taken


def answer(task: int, score: float, *labels: str, look_alike: int = 0, changed: bool = False) -> Answer:
    return Answer(task, VERSION, f"{task:064}", score, labels, {}, (), look_alike or task, changed)


def keep(store: Store, lease: Lease, answers: Sequence[Answer], sources: dict[str, str] | None = None) -> None:
    """Answers with labels a and b; ``sources`` name what speaks most for a label."""
    store.answers.put(KEY, answers, lease)
    said = {
        one.task_id: [LabelAnswer(label, label in one.labels, (sources or {}).get(label, "")) for label in ("a", "b")]
        for one in answers
    }
    store.gallery.put(KEY, VERSION, said, lease)


def ids(store: Store, wanted: Wanted, after: Place | None = None, most: int = 100) -> list[int]:
    found = [place.task_id for place in store.gallery.page(KEY, VERSION, wanted, most, after)]
    if after is None and most == 100:
        assert store.gallery.count(KEY, VERSION, wanted) == len(found)
    return found


def test_pictures_are_found_by_label_verdict_and_source(store: Store, lease: Lease) -> None:
    keep(store, lease, [answer(1, 0.9, "a"), answer(2, 0.5, "a", "b"), answer(3, 0.1), answer(4, 0.4, "b")], {"a": "x"})
    store.gallery.set_gold(KEY, {1: {"a": True, "b": False}, 2: {"a": True, "b": False}, 3: {"a": True}}, lease)
    assert ids(store, ALL) == [3, 4, 2, 1]
    assert ids(store, Wanted(label="a")) == [2, 1]
    assert ids(store, Wanted(verdict=Verdict.RIGHT)) == [1]
    assert ids(store, Wanted(verdict=Verdict.WRONG)) == [3, 2]
    assert ids(store, Wanted(verdict=Verdict.UNLABELLED)) == [4]
    assert ids(store, Wanted(label="a", verdict=Verdict.RIGHT)) == [2, 1]
    assert ids(store, Wanted(label="a", verdict=Verdict.WRONG)) == [3], "one that was missed"
    assert ids(store, Wanted(label="b", verdict=Verdict.WRONG)) == [2]
    assert ids(store, Wanted(label="a", verdict=Verdict.UNLABELLED)) == []
    assert ids(store, Wanted(source="x")) == [2, 1]
    assert ids(store, Wanted(source="x", label="b")) == []
    assert store.gallery.sources(KEY, VERSION) == ["x"]
    assert store.gallery.labels(KEY, VERSION, [2])[2]["a"] == LabelAnswer("a", True, "x")
    assert sorted(store.gallery.with_labels(KEY, VERSION, ["a"])) == [1, 2, 3]
    assert sorted(store.gallery.with_labels(KEY, VERSION, ["b"])) == [4], "gold overrules the answer"
    assert sorted(store.gallery.with_labels(KEY, VERSION, ["a", "b"])) == [1, 2, 3, 4]
    assert store.gallery.with_labels(KEY, "v2", ["b"]) == []


def test_labels_of_unlabelled_tasks_are_counted(store: Store, lease: Lease) -> None:
    keep(store, lease, [answer(1, 0.9, "a"), answer(2, 0.5, "a", "b"), answer(3, 0.1), answer(4, 0.4, "a")])
    store.gallery.set_gold(KEY, {1: {"a": True}}, lease)
    assert store.gallery.given_unlabelled(KEY, VERSION) == {"a": 2, "b": 1}
    assert store.gallery.given_unlabelled(KEY, "v2.0000") == {}


def test_unknown_gold_judges_nothing(store: Store, lease: Lease) -> None:
    keep(store, lease, [answer(1, 0.9, "a")])
    store.gallery.set_gold(KEY, {1: {"b": False}}, lease)
    assert ids(store, Wanted(verdict=Verdict.RIGHT)) == [1]
    assert ids(store, Wanted(label="a", verdict=Verdict.RIGHT)) == []


def test_pictures_are_found_by_score_change_and_look_alikes(store: Store, lease: Lease) -> None:
    keep(store, lease, [answer(1, 0.2), answer(2, 0.5, look_alike=1), answer(3, 0.8, changed=True)])
    assert ids(store, Wanted(low=0.2, high=0.5)) == [1, 2]
    assert ids(store, Wanted(changed=True)) == [3]
    assert ids(store, Wanted(look_alike=1)) == [1, 2]
    assert store.gallery.look_alikes(KEY, VERSION, [1, 3]) == {1: 2, 3: 1}


@pytest.mark.parametrize("order", list(Order))
def test_pages_follow_each_other_also_where_scores_are_equal(store: Store, lease: Lease, order: Order) -> None:
    keep(store, lease, [answer(number, 0.1 * (number % 3)) for number in range(1, 20)])
    wanted, seen, after = replace(ALL, order=order), list[int](), None
    while page := store.gallery.page(KEY, VERSION, wanted, 4, after):
        seen += [place.task_id for place in page]
        after = page[-1]
    assert seen == ids(store, wanted)
    assert sorted(seen) == list(range(1, 20))


def test_gold_that_changed_or_went_is_written_and_only_that(store: Store, lease: Lease) -> None:
    keep(store, lease, [answer(number, 0.5, "a") for number in (1, 2)])
    store.gallery.set_gold(KEY, {1: {"a": True, "b": False}, 2: {"a": False}}, lease)
    store.gallery.set_gold(KEY, {1: {"a": False}}, lease)
    assert ids(store, Wanted(verdict=Verdict.WRONG)) == [1]
    assert ids(store, Wanted(verdict=Verdict.UNLABELLED)) == [2]
    store.leases.revoke(lease.name)
    store.gallery.set_gold(KEY, {1: {"a": False}}, lease)  # nothing to write
    with pytest.raises(LeaseLost):
        store.gallery.set_gold(KEY, {1: {"a": True}}, lease)


def test_other_versions_and_projects_are_left_alone(store: Store, lease: Lease) -> None:
    keep(store, lease, [answer(1, 0.5, "a")])
    store.gallery.put("default/3.1", VERSION, {1: [LabelAnswer("a", True, "y")]}, lease)
    store.gallery.keep_versions(KEY, [VERSION], lease)
    assert ids(store, Wanted(label="a")) == [1]
    store.gallery.keep_versions(KEY, ["v2"], lease)
    assert ids(store, Wanted(label="a")) == []
    assert store.gallery.sources("default/3.1", VERSION) == ["y"]


@pytest.mark.slow
def test_ten_thousand_tasks_within_a_second(store: Store, lease: Lease) -> None:
    answers = [
        answer(number, (number * 7919 % 10007) / 10007, *("ab"[: number % 3]), look_alike=number // 4 * 4 or 1)
        for number in range(1, 10_001)
    ]
    keep(store, lease, answers, {"a": "x", "b": "y"})
    gold = {number: {"a": number % 5 == 0, "b": number % 2 == 0} for number in range(1, 10_001, 2)}
    store.gallery.set_gold(KEY, gold, lease)
    store.gallery.count_rows()
    for verdict in (None, *Verdict):
        for wanted in (Wanted(verdict=verdict), Wanted(label="a", verdict=verdict, source="x", order=Order.SUREST)):
            began = time.monotonic()
            store.gallery.count(KEY, VERSION, wanted)
            store.gallery.page(KEY, VERSION, wanted, 25, Place(0.4, 400))
            seconds = time.monotonic() - began
            print(f"{wanted.verdict} {wanted.label}: {seconds:.3f} s")
            assert seconds < 1
