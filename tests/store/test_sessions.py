import time

from store.sessions import SessionRow
from store.store import Store

ROW = SessionRow("ab", "default", "anna@shop.test", "secret")


def test_a_session_lasts_until_it_ends(store: Store) -> None:
    store.sessions.begin(ROW, seconds=60)
    assert store.sessions.get("ab") == ROW
    assert store.sessions.get("a") is None
    store.sessions.end("ab")
    assert store.sessions.get("ab") is None


def test_a_session_that_is_over_counts_for_nothing_and_goes(store: Store) -> None:
    store.sessions.begin(ROW, seconds=0.05)
    time.sleep(0.1)
    assert store.sessions.get("ab") is None
    store.sessions.begin(SessionRow("cd", "default", "ben@shop.test", "other"), seconds=60)
    store.sessions.begin(ROW, seconds=60)  # its row has gone, so the hash is free
    assert store.sessions.get("cd") is not None
