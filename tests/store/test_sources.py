"""Sources of others in the store: what they said, what went wrong, what they cost, and when they are asked next."""

from collections.abc import Callable

import pytest

from store.source_opinions import FIRST_PAUSE_S, Saying
from store.sources import Spent
from store.store import Store
from tests.store.upgrades import make_old

KEY = "default/2.1"
ABOUT = {"from": "a.py"}
SAID = {"labels": {"LOGO": 0.9}, "boxes": [["LOGO", 0.1, 0.2, 0.3, 0.4]]}


def known(store: Store, **versions: str) -> None:
    store.sources.note_all({name: (version, ABOUT) for name, version in versions.items()})


def test_what_is_said_counts_while_the_source_has_this_version(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>", "shop")
    known(store, a="1", b="1")
    sayings = [Saying("k1", "a", "1", "l", SAID), Saying("k1", "b", "1", "l", {}), Saying("k2", "a", "1", "l", {})]
    store.source_opinions.keep(KEY, sayings)
    assert store.source_opinions.said(KEY, ["k1", "k2", "k3"]) == {"k1": {"a": SAID}}
    assert store.source_opinions.said("default/3.1", ["k1"]) == {}
    assert store.source_opinions.asked(KEY, "a", "1", "l") == {"k1", "k2"}
    assert store.source_opinions.asked(KEY, "a", "1", "other") == set()
    assert store.source_opinions.counts(KEY) == {"a": 1, "b": 0}
    known(store, a="2", b="1")
    assert store.source_opinions.said(KEY, ["k1"]) == {}
    assert store.source_opinions.asked(KEY, "a", "2", "l") == set()
    store.source_opinions.keep(KEY, [Saying("k1", "a", "2", "l", SAID)])
    assert store.source_opinions.said(KEY, ["k1"]) == {"k1": {"a": SAID}}
    known(store, b="1")
    assert store.source_opinions.said(KEY, ["k1"]) == {}
    assert store.sources.versions() == {"b": "1"}


def test_nothing_is_kept_of_a_project_that_is_not_there(store: Store) -> None:
    known(store, a="1")
    store.source_opinions.keep(KEY, [Saying("k1", "a", "1", "l", SAID)])
    store.source_opinions.make_due(KEY)
    assert store.source_opinions.said(KEY, ["k1"]) == {}
    assert store.source_opinions.due() == []


def test_a_trouble_is_new_once_until_it_is_over_or_the_version_changes(store: Store) -> None:
    known(store, a="1")
    assert store.sources.trouble("a", "raises", "first")
    assert not store.sources.trouble("a", "raises", "second")
    assert store.sources.trouble("broken.py", "cannot be loaded", "why")
    broken, own = sorted(store.sources.all(), key=lambda one: one.name != "broken.py")
    assert (broken.version, broken.troubles) == ("", {"cannot be loaded": "why"})
    assert (own.troubles, own.times, own.about) == ({"raises": "second"}, {"raises": 2}, ABOUT)
    store.sources.note_all({"a": ("1", ABOUT)}, ["broken.py"])
    assert len(store.sources.all()) == 2
    known(store, a="1")
    assert [one.name for one in store.sources.all()] == ["a"]
    known(store, a="2")
    assert store.sources.all()[0].troubles == {}
    assert store.sources.trouble("a", "raises", "third")
    assert store.sources.is_well("a", "raises")
    assert not store.sources.is_well("a", "raises")


def test_costs_stay_when_a_source_goes_and_returns(store: Store) -> None:
    known(store, a="1")
    assert store.sources.reserve("a", 0.0, 30.0) == 0.0
    store.sources.spend("a", 1100, 0.25)
    store.sources.spend("a", 100, 0.5)
    known(store)
    known(store, a="1")
    assert store.sources.spent("a") == Spent(1, 1200, 0.75)
    assert store.sources.spent("b") == Spent()


def test_requests_of_all_workers_keep_their_distance(store: Store, moved: Callable[[float], None]) -> None:
    known(store, a="1")
    waits = [store.sources.reserve("a", 10.0, 30.0) for _ in range(4)]
    assert waits == [pytest.approx(10.0 * number, abs=1.0) for number in range(4)]
    assert store.sources.reserve("a", 10.0, 30.0) > 30.0
    assert store.sources.spent("a").requests == 4, "the last one was not counted"
    moved(41)
    assert store.sources.reserve("a", 10.0, 30.0) == 0.0
    store.sources.rest("a", 300.0)
    assert store.sources.reserve("a", 10.0, 30.0) == pytest.approx(300.0, abs=1.0)


def test_a_round_is_due_until_it_is_finished_and_pauses_grow_without_answers(
    store: Store, moved: Callable[[float], None]
) -> None:
    store.projects.ensure(KEY, "<View/>", "shop")
    opinions = store.source_opinions
    assert opinions.due() == []
    opinions.make_due()
    assert opinions.due() == [KEY]
    opinions.finish_round(KEY, again=True, has_answered=False)
    assert opinions.due() == []
    moved(FIRST_PAUSE_S + 1)
    assert opinions.due() == [KEY]
    opinions.finish_round(KEY, again=True, has_answered=False)
    moved(FIRST_PAUSE_S + 1)
    assert opinions.due() == [], "the pause has doubled"
    moved(FIRST_PAUSE_S)
    assert opinions.due() == [KEY]
    opinions.finish_round(KEY, again=False)
    moved(10_000)
    assert opinions.due() == []


def test_a_database_of_an_earlier_release_gets_the_tables(empty_url: str) -> None:
    make_old(empty_url, "0011")
    store = Store.open(empty_url)
    known(store, a="1")
    assert store.sources.versions() == {"a": "1"}
    store.close()
