import dataclasses
from pathlib import Path

from store.leases import lease_name
from store.store import Store
from store.versions import NewVersion, State
from tagloom_base.settings import Settings
from tests.worker import shop
from worker.promotion.pruning import prune

KEY = str(shop.KEY)


def publish(store: Store, settings: Settings, number: int, *, promoted: bool) -> Path:
    current = store.versions.current(KEY)
    lease = store.leases.acquire(lease_name("train", KEY), "training", ttl=60)
    assert current
    assert lease
    version = f"v{number}.abcd"
    new = NewVersion(
        number=number, version=version, parent=current.version, folder=f"{KEY}/{version}", phase="refine",
        space=current.space, labels=current.labels, metrics={}, gold_revision=1, gold_count=1, weak_count=0,
    )  # fmt: skip
    folder = settings.paths.checkpoints / new.folder
    folder.mkdir(parents=True)
    evidence_of(folder).parent.mkdir(exist_ok=True)
    evidence_of(folder).write_text("{}")
    store.versions.add(KEY, dataclasses.replace(new), lease)
    if promoted:
        store.versions.promote(KEY, number, lease, generation=current.generation)
    else:
        store.versions.decide(KEY, number, lease, state=State.REFUSED, reason="worse")
    store.leases.release(lease)
    return folder


def evidence_of(folder: Path) -> Path:
    """Where a training keeps what the successors of this checkpoint are judged by (`Referee.keep`)."""
    return folder.parent / "evidence" / f"{folder.name}.json"


def test_the_newest_served_and_refused_ones_stay(store: Store, settings: Settings) -> None:
    few = 2
    store.projects.ensure(KEY, shop.CONFIG)
    cold = shop.cold_start(settings, store)
    folders = {number: publish(store, settings, number, promoted=number % 2 == 1) for number in range(1, 10)}
    assert prune(store, KEY, settings.paths.checkpoints, few) == ["v3.abcd", "v1.abcd", "v4.abcd", "v2.abcd"]
    assert {number for number, folder in folders.items() if folder.exists()} == {9, 7, 5, 8, 6}
    assert {number for number, folder in folders.items() if evidence_of(folder).exists()} == {9, 7, 5, 8, 6}
    assert (settings.paths.checkpoints / cold.folder).exists()
    assert prune(store, KEY, settings.paths.checkpoints, few) == []


def test_a_version_that_an_operator_went_back_to_stays(store: Store, settings: Settings) -> None:
    none = 0
    store.projects.ensure(KEY, shop.CONFIG)
    shop.cold_start(settings, store)
    folders = {number: publish(store, settings, number, promoted=True) for number in range(1, 4)}
    store.versions.override(KEY, "v2.abcd")
    prune(store, KEY, settings.paths.checkpoints, none)
    assert {number for number, folder in folders.items() if folder.exists()} == {2}


def test_what_killed_trainings_left_goes(store: Store, settings: Settings) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    cold = shop.cold_start(settings, store)
    lease = store.leases.acquire(lease_name("train", KEY), "training", ttl=60)
    assert lease
    home = (settings.paths.checkpoints / cold.folder).parent
    for number in (1, 4):
        new = NewVersion(
            number=number, version=f"v{number}.abcd", parent="", folder=f"{KEY}/v{number}.abcd", phase="refine",
            space=cold.space, labels=cold.labels, metrics={}, gold_revision=1, gold_count=1, weak_count=0,
        )  # fmt: skip
        store.versions.add(KEY, new, lease)
    for name in ("v1.abcd", "v2.abcd", ".v3.abcd.x1y2", "v4.abcd", ".v5.abcd.x1y2", "evidence"):
        (home / name).mkdir()
    for name in ("v1.abcd.json", "v2.abcd.json", "v3.abcd.77.part", "v4.abcd.json", "v5.abcd.78.part"):
        (home / "evidence" / name).touch()
    none = 0
    assert prune(store, KEY, settings.paths.checkpoints, none) == ["v1.abcd"]
    assert {file.name for file in (home / "evidence").iterdir()} == {"v4.abcd.json", "v5.abcd.78.part"}
    assert {folder.name for folder in home.iterdir()} == {cold.version, "v4.abcd", ".v5.abcd.x1y2", "evidence"}
