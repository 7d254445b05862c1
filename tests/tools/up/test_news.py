"""Each promotion, refusal and failure is one line, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.leases import Lease, lease_name
from store.store import Store
from store.versions import NewVersion, State
from tools.up.news import News

KEY = "default/2.1795288797"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'tagloom.db'}")
    opened.projects.ensure(KEY, "<View/>", "Shoes")
    yield opened
    opened.close()


@pytest.fixture
def lease(store: Store) -> Lease:
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    return lease


def version(number: int) -> NewVersion:
    return NewVersion(number, f"v{number}.abcd", "", f"folder{number}", "refine", "space", ("LOGO",), {}, 1, 1, 1)


def test_what_becomes_of_each_version_is_told_once(store: Store, lease: Lease) -> None:
    news = News(store)
    assert news.lines() == []
    current = store.versions.install(KEY, version(0), generation=0)
    assert news.lines() == ["Shoes: v0.abcd serves: cold start"]
    for number in (1, 2, 3):
        store.versions.reserve(KEY)
        store.versions.add(KEY, version(number), lease)
    assert news.lines() == [], "none is judged yet"
    store.versions.decide(KEY, 1, lease, state=State.REFUSED, reason="may be worse:\n12 items")
    # Two promotions between two looks: both are told.
    for number in (2, 3):
        current = store.versions.promote(KEY, number, lease, generation=current.generation, reason="better")
    assert news.lines() == [
        "Shoes: v1.abcd is refused: may be worse: 12 items",
        "Shoes: v2.abcd serves: better",
        "Shoes: v3.abcd serves: better",
    ]
    store.versions.override(KEY, "v1.abcd")
    assert news.lines() == ["Shoes: v1.abcd serves: chosen by the operator"]
    assert news.lines() == []


def test_a_failure_is_told_until_another_training_ends_well(store: Store, lease: Lease) -> None:
    news = News(store)
    for _ in range(2):
        store.projects.fail_attempt(KEY, "OSError: no space left")
        assert news.lines() == ["Shoes: a training failed: OSError: no space left"]
        assert news.lines() == []
        store.projects.finish_training(KEY, 1, lease)
        assert news.lines() == []


def test_what_happened_before_is_no_news(store: Store) -> None:
    store.versions.install(KEY, version(0), generation=0)
    store.projects.fail_attempt(KEY, "OSError")
    assert News(store).lines() == []
