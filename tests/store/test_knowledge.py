import pytest

from store.knowledge import KnowledgeLines
from store.leases import Lease, LeaseLost
from store.store import Store

KEY = "default/2.1"
LEARNED = [["brand names", "nova", "诺瓦", [1, 2], 0]]
SAID = [["brand names", "nova", "诺娃", True]]


@pytest.fixture
def lease(store: Store) -> Lease:
    store.projects.ensure(KEY, "<View/>", "shop")
    taken = store.leases.acquire("train:x", "a", ttl=60)
    assert taken
    return taken


def revision(store: Store) -> int:
    project = store.projects.get(KEY)
    assert project
    return project.gold_revision


def test_what_people_said_survives_a_training_and_the_reverse(store: Store, lease: Lease) -> None:
    assert store.knowledge.of(KEY) == KnowledgeLines()
    assert store.knowledge.say(KEY, SAID, is_used=False)
    store.knowledge.learn(KEY, LEARNED, [["two names", [1, 2]]], lease)
    assert store.knowledge.of(KEY) == KnowledgeLines(LEARNED, [["two names", [1, 2]]], SAID)
    store.knowledge.learn(KEY, [], [], lease)
    assert store.knowledge.of(KEY) == KnowledgeLines([], [], SAID)
    assert store.knowledge.of("default/3.1") == KnowledgeLines()


def test_a_training_becomes_due_only_where_it_uses_what_was_said(store: Store, lease: Lease) -> None:
    before = revision(store)
    store.knowledge.say(KEY, SAID, is_used=False)
    assert revision(store) == before
    store.knowledge.say(KEY, SAID, is_used=True)
    assert revision(store) == before + 1


def test_nothing_is_kept_of_an_unknown_project_or_without_the_lease(store: Store, lease: Lease) -> None:
    assert not store.knowledge.say("default/9.1", SAID, is_used=True)
    assert store.knowledge.of("default/9.1") == KnowledgeLines()
    store.leases.revoke(lease.name)
    with pytest.raises(LeaseLost):
        store.knowledge.learn(KEY, LEARNED, [], lease)
    assert store.knowledge.of(KEY) == KnowledgeLines()
