from dataclasses import replace

import pytest

from store.doubts import Doubt, Kept
from store.leases import Lease, LeaseLost
from store.store import Store

KEY = "default/2.1"
WEAK = Doubt(7, "a", given=True, probability=0.4, gold="g1", sources=(("cues", -2.0),), nearest=((3, 0.9, False),))
STRONG = Doubt(8, "b", given=False, probability=0.9, gold="g2")


@pytest.fixture
def lease(store: Store) -> Lease:
    store.projects.ensure(KEY, "<View/>")
    taken = store.leases.acquire("train:x", "a", ttl=60)
    assert taken
    return taken


def test_doubts_are_those_of_the_last_training_the_strongest_first(store: Store, lease: Lease) -> None:
    store.doubts.replace(KEY, [WEAK, STRONG], lease)
    assert store.doubts.of(KEY) == [Kept(STRONG), Kept(WEAK)]
    store.doubts.replace(KEY, [WEAK], lease)
    assert store.doubts.of(KEY) == [Kept(WEAK)]
    assert store.doubts.count(KEY) == 1
    store.leases.revoke(lease.name)
    with pytest.raises(LeaseLost):
        store.doubts.replace(KEY, [], lease)


def test_a_dismissed_doubt_comes_back_only_with_other_gold(store: Store, lease: Lease) -> None:
    store.doubts.replace(KEY, [WEAK], lease)
    assert store.doubts.dismiss(KEY, 7, "a", "anna@shop.test")
    (kept,) = store.doubts.of(KEY)
    assert kept.dismissed_by == "anna@shop.test"
    assert abs(kept.dismissed_at - store.now()) < 30
    assert store.doubts.count(KEY) == 0
    store.doubts.replace(KEY, [replace(WEAK, probability=0.1)], lease)
    assert store.doubts.count(KEY) == 0
    store.doubts.replace(KEY, [], lease)
    assert store.doubts.of(KEY) == []
    store.doubts.replace(KEY, [WEAK], lease)
    assert store.doubts.count(KEY) == 0, "it was found before, and nobody has changed the gold"
    store.doubts.replace(KEY, [replace(WEAK, gold="g3")], lease)
    assert store.doubts.of(KEY) == [Kept(replace(WEAK, gold="g3"))]


def test_dismissing_can_be_undone(store: Store, lease: Lease) -> None:
    store.doubts.replace(KEY, [WEAK], lease)
    store.doubts.dismiss(KEY, 7, "a", "anna@shop.test")
    assert store.doubts.dismiss(KEY, 7, "a", "")
    assert store.doubts.of(KEY) == [Kept(WEAK)]


def test_what_is_not_there_cannot_be_dismissed(store: Store, lease: Lease) -> None:
    store.doubts.replace(KEY, [WEAK], lease)
    assert not store.doubts.dismiss(KEY, 7, "b", "anna@shop.test")
    assert not store.doubts.dismiss("default/9.9", 7, "a", "anna@shop.test")
