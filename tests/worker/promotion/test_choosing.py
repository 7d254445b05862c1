import logging

import pytest

from store.store import Store
from store.versions import State
from tagloom_base.errors import UserError
from tests.backend.pages.office import add_project
from worker.promotion.choosing import promote, roll_back, served_before


def serving(store: Store, key: str) -> str:
    current = store.versions.current(key)
    assert current is not None
    return current.version


def test_the_beginning_of_a_name_is_enough_and_who_chose_is_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    key = add_project(store, 1, versions=3)
    assert promote(store, key, "v3", "anna@shop.test") == "v3.0003"
    assert serving(store, key) == "v3.0003"
    assert "v3.0003 serves: chosen by anna@shop.test" in caplog.text
    with pytest.raises(UserError, match=r"may be each of v3.0003, v2.0002"):
        promote(store, key, "v")
    with pytest.raises(UserError, match="has no version 'x'"):
        promote(store, key, "x")


def test_rolling_back_goes_to_what_served_before_and_asked_again_forth(store: Store) -> None:
    key = add_project(store, 1, versions=2)
    assert roll_back(store, key) == "v1.0001"
    assert roll_back(store, key) == "v2.0002"
    other = add_project(store, 2)
    assert served_before(store.versions.list(other)) is None
    with pytest.raises(UserError, match="no earlier version"):
        roll_back(store, other)


def test_what_was_pruned_is_not_gone_back_to(store: Store) -> None:
    key = add_project(store, 1, versions=2)
    store.versions.mark_pruned(key, [1])
    before = served_before(store.versions.list(key))
    assert before is not None
    assert (before.version, before.state) == ("v0.0000", State.SUPERSEDED)
