import pytest

from store.leases import Lease, LeaseLost
from store.store import Store
from store.weak_labels import WeakLabel

KEY = "default/2.1"
WEAK = {"a": WeakLabel(0.75, 0.5, {"cues": 1.0, "neighbours": 0.6})}


@pytest.fixture
def lease(store: Store) -> Lease:
    taken = store.leases.acquire("train:x", "a", ttl=60)
    assert taken
    return taken


def test_a_new_set_takes_the_place_of_the_old_one(store: Store, lease: Lease) -> None:
    old = ((number, WEAK) for number in range(2500))
    assert store.weak_labels.replace(KEY, old, space="s", gold_revision=1, lease=lease) == 2500
    assert store.weak_labels.count(KEY) == 2500
    assert store.weak_labels.replace(KEY, [(7, WEAK), (9000, WEAK)], space="s", gold_revision=2, lease=lease) == 2
    assert store.weak_labels.of_project(KEY) == {7: WEAK, 9000: WEAK}
    assert store.weak_labels.of_tasks(KEY, [3, 7]) == {7: WEAK}
    assert store.weak_labels.of_tasks("default/3.1", [7]) == {}


def test_a_lost_lease_writes_nothing(store: Store, lease: Lease) -> None:
    store.leases.revoke(lease.name)
    with pytest.raises(LeaseLost):
        store.weak_labels.replace(KEY, [(1, WEAK)], space="s", gold_revision=1, lease=lease)
    assert store.weak_labels.count(KEY) == 0
