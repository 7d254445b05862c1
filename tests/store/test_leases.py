import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from store.leases import Lease, LeaseLost
from store.store import Store


def test_one_holder_at_a_time(store: Store) -> None:
    first = store.leases.acquire("train:p", "a", ttl=10)
    assert first
    assert store.leases.acquire("train:p", "b", ttl=10) is None
    store.leases.release(first)
    second = store.leases.acquire("train:p", "b", ttl=10)
    assert second
    assert second.token > first.token


def test_of_many_takers_one_wins(store: Store) -> None:
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda number: store.leases.acquire("x", str(number), ttl=10), range(16)))
    assert sum(lease is not None for lease in taken) == 1


def test_an_expired_lease_goes_to_another_and_its_token_is_stale(store: Store) -> None:
    first = store.leases.acquire("x", "a", ttl=0.05)
    assert first
    time.sleep(0.06)
    assert not store.leases.held("x")
    with pytest.raises(LeaseLost):
        store.leases.renew(first, ttl=10)
    second = store.leases.acquire("x", "b", ttl=10)
    assert second
    store.leases.renew(second, ttl=10)
    with pytest.raises(LeaseLost):
        store.leases.renew(first, ttl=10)
    store.leases.release(first)
    assert store.leases.held("x")


def test_renewing_keeps_it(store: Store) -> None:
    lease = store.leases.acquire("x", "a", ttl=1.0)
    assert lease
    for _ in range(3):
        time.sleep(0.4)
        store.leases.renew(lease, ttl=1.0)
    assert store.leases.acquire("x", "b", ttl=1) is None


def test_revoking_fences_the_holder_off(store: Store) -> None:
    lease = store.leases.acquire("x", "a", ttl=10)
    assert lease
    store.leases.revoke("x")
    with pytest.raises(LeaseLost):
        store.leases.renew(lease, ttl=10)
    assert store.leases.acquire("x", "b", ttl=10)


def test_an_invented_lease_does_not_hold(store: Store) -> None:
    with pytest.raises(LeaseLost):
        store.leases.renew(Lease("x", "a", 1), ttl=10)
