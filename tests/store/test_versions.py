import dataclasses

import pytest

from store.leases import Lease, LeaseLost, lease_name
from store.store import Store
from store.versions import Conflict, NewVersion, State

KEY = "default/2.1"


def version(number: int, parent: str = "") -> NewVersion:
    return NewVersion(
        number=number,
        version=f"v{number}.abcd",
        parent=parent,
        folder=f"{KEY}/v{number}.abcd",
        phase="base",
        space="s" * 16,
        labels=("a", "b"),
        metrics={"macro_f1": 0.5},
        gold_revision=1,
        gold_count=3,
        weak_count=4,
    )


@pytest.fixture
def lease(store: Store) -> Lease:
    store.projects.ensure(KEY, "<View/>")
    store.versions.install(KEY, version(0), generation=0)
    taken = store.leases.acquire(lease_name("train", KEY), "a", ttl=60)
    assert taken
    return taken


def states(store: Store) -> dict[int, State]:
    return {entry.number: entry.state for entry in store.versions.list(KEY)}


def test_the_first_cold_start_wins(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    assert store.versions.current(KEY) is None
    first = store.versions.install(KEY, version(0), generation=0)
    assert (first.version, first.generation, first.labels) == ("v0.abcd", 1, ("a", "b"))
    late = dataclasses.replace(version(0), version="v0.ffff")
    assert store.versions.install(KEY, late, generation=0) == first
    assert [entry.version for entry in store.versions.list(KEY)] == ["v0.abcd"]


def test_promotion_moves_current_and_its_generation(store: Store, lease: Lease) -> None:
    store.versions.add(KEY, version(1, "v0.abcd"), lease)
    current = store.versions.promote(KEY, 1, lease, generation=1, reason="better")
    assert (current.number, current.generation) == (1, 2)
    assert store.versions.current(KEY) == current
    assert store.versions.all_current() == {KEY: current}
    assert states(store) == {1: State.CURRENT, 0: State.SUPERSEDED}


def test_a_stale_token_cannot_promote_or_add(store: Store, lease: Lease) -> None:
    store.versions.add(KEY, version(1), lease)
    store.leases.release(lease)
    successor = store.leases.acquire(lease_name("train", KEY), "b", ttl=60)
    assert successor
    with pytest.raises(LeaseLost):
        store.versions.promote(KEY, 1, lease, generation=1)
    with pytest.raises(LeaseLost):
        store.versions.add(KEY, version(2), lease)
    with pytest.raises(LeaseLost):
        store.versions.decide(KEY, 1, lease, state=State.REFUSED, reason="x")
    assert states(store) == {1: State.CANDIDATE, 0: State.CURRENT}


def test_a_changed_current_stops_a_promotion(store: Store, lease: Lease) -> None:
    store.versions.add(KEY, version(1), lease)
    store.versions.add(KEY, version(2), lease)
    store.versions.promote(KEY, 1, lease, generation=1)
    with pytest.raises(Conflict):
        store.versions.promote(KEY, 2, lease, generation=1)
    assert states(store)[2] == State.CANDIDATE


def test_an_operators_choice_counts_and_fences_off_a_running_training(store: Store, lease: Lease) -> None:
    store.versions.add(KEY, version(1), lease)
    store.versions.promote(KEY, 1, lease, generation=1)
    assert store.versions.override(KEY, "v0.abcd").generation == 3
    assert states(store) == {0: State.CURRENT, 1: State.SUPERSEDED}
    with pytest.raises(LeaseLost):
        store.versions.promote(KEY, 1, lease, generation=3)
    with pytest.raises(ValueError, match="tagloom versions"):
        store.versions.override(KEY, "v9.none")


def test_an_operators_choice_renews_gold_that_waits_and_no_other(store: Store, lease: Lease) -> None:
    store.projects.request_training(KEY)
    waiting = store.projects.get(KEY)
    assert waiting
    store.versions.override(KEY, "v0.abcd")
    renewed = store.projects.get(KEY)
    assert renewed
    assert renewed.gold_revision > waiting.gold_revision
    successor = store.leases.acquire(lease_name("train", KEY), "b", ttl=60)
    assert successor
    store.projects.finish_training(KEY, renewed.gold_revision, successor)
    store.versions.override(KEY, "v0.abcd")
    assert store.projects.waiting_for_training() == []


def test_a_refused_version_keeps_its_reason(store: Store, lease: Lease) -> None:
    store.versions.add(KEY, version(1), lease)
    store.versions.decide(KEY, 1, lease, state=State.REFUSED, reason="macro-F1 .50 < .60")
    newest = store.versions.list(KEY)[0]
    assert (newest.state, newest.reason, newest.metrics) == (State.REFUSED, "macro-F1 .50 < .60", {"macro_f1": 0.5})


def test_numbers_are_never_used_again(store: Store, lease: Lease) -> None:
    assert [store.versions.reserve(KEY) for _ in range(3)] == [1, 2, 3]


def test_current_cannot_be_pruned_and_pruned_ones_cannot_serve(store: Store, lease: Lease) -> None:
    store.versions.add(KEY, version(1), lease)
    store.versions.mark_pruned(KEY, [0, 1])
    assert states(store) == {0: State.CURRENT, 1: State.PRUNED}
    with pytest.raises(ValueError, match="pruned"):
        store.versions.override(KEY, "v1.abcd")


def test_each_change_of_current_is_kept_with_who_chose_it(store: Store, lease: Lease) -> None:
    store.versions.add(KEY, version(1), lease)
    store.versions.promote(KEY, 1, lease, generation=1)
    store.versions.override(KEY, "v0.abcd", "anna@shop.test")
    switches = store.versions.switches(KEY)
    assert [(one.number, one.chosen_by) for one in switches] == [(0, ""), (1, ""), (0, "anna@shop.test")]
    assert switches == sorted(switches, key=lambda one: one.at)
    served = store.versions.all_served()[KEY]
    assert (served.version, served.reason) == ("v0.abcd", "chosen by anna@shop.test")
    assert store.versions.switches("default/3.1") == []
