"""A home with a project in it that has gold and versions, for tests of commands."""

from store.leases import lease_name
from store.store import Store
from store.versions import NewVersion, State
from tagloom_base.settings import Settings
from testing.shop import LABELS
from tests.worker import shop

KEY = str(shop.KEY)


def filled(settings: Settings, tasks: int = 6, gold: int = 2) -> Store:
    """A new store with the shop: gold on its first tasks, a cold start that serves, and a version that was refused."""
    store = Store.open(settings.paths.database)
    shop.open_shop(store, settings, tasks=tasks)
    shop.annotate(store, range(1, gold + 1))
    shop.cold_start(settings, store)
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    number = store.versions.reserve(KEY)
    metrics = {"basis": "held-out", "items": 40, "macro_f1": 0.61, "difference": -0.02, "lower_bound": -0.05}
    refused = NewVersion(
        number, f"v{number}.abcd", "v0", "folder", "refine", shop.SPACE, LABELS, metrics, 1, gold, tasks - gold
    )
    store.versions.add(KEY, refused, lease)
    store.versions.decide(KEY, number, lease, state=State.REFUSED, reason="macro-F1 is lower")
    store.leases.release(lease)
    return store
