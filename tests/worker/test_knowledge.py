from dataclasses import replace

import pytest

from model.knowledge.facts import Fact, Learned, Relation
from model.lexicon.lexicon import Lexicon
from model.problem import Problem
from store.leases import Lease
from store.store import Store
from tests.model.knowledge.pictures import CORNER, LABELS, gold, picture
from tests.worker import shop
from worker.corpus.corpus import Corpus
from worker.knowledge import grow, known, said_lines

KEY = str(shop.KEY)
LEXICON = Lexicon.load()
ALIAS = Fact(Relation.ALIAS, "nova", "诺瓦")
POOL = [picture({CORNER: 1}, reads="NOVA", title="Nova/诺瓦 水壶", seed=seed) for seed in range(3)]
CORPUS = Corpus(
    (7, 8, 9), ("a", "b", "c"), Problem(POOL, {0: gold(LOGO=CORNER), 1: gold(LOGO=CORNER)}, ["a", "b", "c"])
)


@pytest.fixture
def lease(store: Store) -> Lease:
    store.projects.ensure(KEY, shop.CONFIG, "shop")
    taken = store.leases.acquire("train:x", "a", ttl=60)
    assert taken
    return taken


def test_knowledge_grows_with_the_tasks_that_say_so_and_forgets_what_gold_says_no_more(
    store: Store, lease: Lease
) -> None:
    grow(store.knowledge, KEY, CORPUS, LABELS, LEXICON, lease)
    found = known(store.knowledge, KEY)
    assert found.learned[ALIAS] == Learned((7, 8))
    assert found.learned[Fact(Relation.ELEMENT, "家电", "LOGO")] == Learned((7, 8), of=2)
    less = replace(CORPUS, problem=replace(CORPUS.problem, gold={1: gold(LOGO=CORNER)}))
    grow(store.knowledge, KEY, less, LABELS, LEXICON, lease)
    assert known(store.knowledge, KEY).learned[ALIAS] == Learned((8,))


def test_gold_that_is_held_out_teaches_nothing(store: Store, lease: Lease) -> None:
    apart = replace(CORPUS, problem=replace(CORPUS.problem, held_out=frozenset({0})))
    grow(store.knowledge, KEY, apart, LABELS, LEXICON, lease)
    assert known(store.knowledge, KEY).learned[ALIAS] == Learned((8,))


def test_what_a_person_said_wins_and_survives_trainings(store: Store, lease: Lease) -> None:
    store.knowledge.say(KEY, said_lines({ALIAS: False}), is_used=False)
    for _ in range(2):
        grow(store.knowledge, KEY, CORPUS, LABELS, LEXICON, lease)
    found = known(store.knowledge, KEY)
    assert found.holds(ALIAS) is False
    assert [one.tasks for one in found.contradictions if "people say no" in one.words] == [(7, 8)]


def test_lines_of_a_release_with_other_relations_are_left_out(store: Store, lease: Lease) -> None:
    store.knowledge.say(KEY, [["colours", "nova", "blue", True], *said_lines({ALIAS: True})], is_used=False)
    store.knowledge.learn(KEY, [["colours", "nova", "blue", [1], 0]], [], lease)
    found = known(store.knowledge, KEY)
    assert found.said == {ALIAS: True}
    assert found.learned == {}
