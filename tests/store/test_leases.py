import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from store.leases import USUAL_S, Lease, LeaseLost, verify
from store.store import Store
from store.tables import LEASES


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


def test_an_expired_lease_goes_to_another_and_its_token_is_stale(store: Store, moved: Callable[[float], None]) -> None:
    first = store.leases.acquire("x", "a", ttl=5)
    assert first
    moved(6)
    assert not store.leases.held("x")
    second = store.leases.acquire("x", "b", ttl=10)
    assert second
    store.leases.renew(second, ttl=10)
    with pytest.raises(LeaseLost):
        store.leases.renew(first, ttl=10)
    store.leases.release(first)
    assert store.leases.held("x")


def test_renewing_keeps_it(store: Store, moved: Callable[[float], None]) -> None:
    lease = store.leases.acquire("x", "a", ttl=10)
    assert lease
    for _ in range(3):
        moved(8)
        store.leases.renew(lease, ttl=10)
    assert store.leases.acquire("x", "b", ttl=10) is None


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


def test_a_lease_that_expired_and_that_nobody_took_is_still_its_holders(
    store: Store, moved: Callable[[float], None]
) -> None:
    lease = store.leases.acquire("x", "a", ttl=5)
    assert lease
    moved(6)
    with store._database.write() as connection:
        verify(connection, lease)
    store.leases.renew(lease, ttl=10)
    assert store.leases.held("x")


def test_what_was_given_back_is_no_right_to_write(store: Store) -> None:
    lease = store.leases.acquire("x", "a", ttl=10)
    assert lease
    store.leases.release(lease)
    with store._database.write() as connection, pytest.raises(LeaseLost, match="given back"):
        verify(connection, lease)


def test_a_clock_that_is_set_back_makes_no_lease_longer(store: Store) -> None:
    killed = store.leases.acquire("x", "killed", ttl=8)
    assert killed
    with store._database.write() as connection:
        connection.execute(update(LEASES).values(expires_at=store.now() + 3600))
    assert not store.leases.held("x")
    assert store.leases.acquire("x", "successor", ttl=8)
    with pytest.raises(LeaseLost):
        store.leases.renew(killed, ttl=8)


def test_a_long_lease_is_held_for_who_knows_how_long_it_is(store: Store) -> None:
    assert store.leases.acquire("x", "a", ttl=10 * USUAL_S)
    assert store.leases.held("x", 10 * USUAL_S)
    assert store.leases.acquire("x", "b", ttl=10 * USUAL_S) is None


def test_a_holder_outlasts_a_database_that_is_locked_longer_than_its_lease(store: Store) -> None:
    lease = store.leases.acquire("x", "a", ttl=0.2)
    assert lease
    with store._database.write() as connection:
        verify(connection, lease)
        renewing = threading.Thread(target=store.leases.renew, args=(lease, 10))
        renewing.start()
        time.sleep(0.4)
    renewing.join(10)
    assert store.leases.held("x")
