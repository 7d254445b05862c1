"""The conditions that must be true while Tagloom is damaged, and at the end."""

import json
import shutil
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

from bench.faults.crew import Crew, wait
from bench.faults.office import Office
from bench.faults.record import Record
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model import checkpoint
from model.weak_supervision.label_model import CONFIDENT, WeakLabel
from store.leases import lease_name
from store.store import Store
from store.versions import State
from tagloom_base.settings import Settings
from worker import queue
from worker.reconcile import reconcile
from worker.training.run import train
from worker.watch import NeverEnds, Watch
from worker.workplace import Workplace, open_workplace

TOLERANCE = 1e-4


def watch(crew: Crew, office: Office, record: Record, over: threading.Event) -> None:
    """CURRENT must never go back to a version that knew less gold."""
    with crew.store() as store:
        while not over.wait(0.2):
            with suppress(OperationalError):  # the disk is full: not even reading has room then
                _never_back(store, office.key, record)


def _never_back(store: Store, key: str, record: Record) -> None:
    """No version that served may know more gold than the one that serves, unless its checkpoint can't be read.

    The suite knows which ones can't: those that it spoilt itself, whatever Tagloom says of them, and pruned ones.
    """
    versions = store.versions.list(key)  # in one read: what serves, and all that ever did
    serving = next((entry for entry in versions if entry.state is State.CURRENT), None)
    for other in versions:
        is_there = other.number not in record.spoilt and other.state is not State.PRUNED
        if serving and other.promoted_at and is_there and other.gold_revision > serving.gold_revision:
            record.complain(
                f"CURRENT went from {other.version} with gold revision {other.gold_revision} back to "
                f"{serving.version} with {serving.gold_revision}, though nobody had spoilt the former"
            )


def check(crew: Crew, office: Office, record: Record, folder: Path) -> None:
    """Compare everything with Label Studio and with a run that nobody disturbed; complaints go to the record."""
    with crew.store() as store:
        _acknowledged(office, _held(store, office.key), record)
        office.reopen(store)
        _in_order(store, office.key, record)
        try:
            for _ in range(2):  # the second time with what the first one found to be unread
                wait(lambda: office.studio.start_training() is not None, 60, "a training is asked for")
                wait(
                    lambda: _held(store, office.key) == _truth(office), 180, "the gold equals Label Studio's", every=0.5
                )
                wait(lambda: _idle(store, office.key), 240, "all gold is trained on", every=0.5)
            _in_order(store, office.key, record)
            wait(lambda: not _left(crew, store, office.key), 30, "what was written by half is deleted")
            _one_current(crew, store, office.key, record)
            _same_as_fresh(crew, store, office, record, folder)
        except TimeoutError as late:
            record.complain(str(late))


def _acknowledged(office: Office, held: dict[int, Any], record: Record) -> None:
    alive = {entry.id: entry for task in office.studio.project.tasks.values() for entry in task.annotations}
    # One that was deleted or changed later is left out: that event may be one of the lost ones.
    last = {
        number: told[1]
        for number, told in record.told.items()
        if number in alive and alive[number].updated_at == told[0]
    }
    missing = [
        number for number, content in last.items()
        if json.dumps(held.get(number, (None, None))[0], sort_keys=True) != content
    ]  # fmt: skip
    if missing:
        record.complain(f"{len(missing)} annotations were acknowledged and are not in the store: {missing[:5]}")
    if kept := sorted(record.gone & held.keys()):
        record.complain(f"{len(kept)} deletions were acknowledged and are not in the store: {kept[:5]}")


def _in_order(store: Store, key: str, record: Record) -> None:
    """Who trained on older gold must not publish behind who trained on newer gold: that is what fencing is for."""
    trained = [entry for entry in store.versions.list(key) if entry.phase != "cold start"]
    trained.sort(key=lambda entry: entry.created_at)
    for before, after in pairwise(trained):
        if after.gold_revision < before.gold_revision:
            record.complain(
                f"{after.version} was published with gold revision {after.gold_revision} after {before.version} "
                f"with {before.gold_revision}"
            )


def _left(crew: Crew, store: Store, key: str) -> list[Path]:
    """Folders of checkpoints that no version has."""
    folder = crew.settings.paths.checkpoints
    known = {folder / entry.folder for entry in store.versions.list(key)}
    return [path for path in (folder / key).glob("*v*.*") if path not in known]


def _one_current(crew: Crew, store: Store, key: str, record: Record) -> None:
    count = sum(entry.state is State.CURRENT for entry in store.versions.list(key))
    if count != 1:
        record.complain(f"{count} versions are CURRENT")
    current = store.versions.current(key)
    assert current
    try:
        checkpoint.load(crew.settings.paths.checkpoints / current.folder, space=current.space)
    except ValueError as spoilt:
        record.complain(f"the served checkpoint cannot be read at the end: {spoilt}")


def _same_as_fresh(crew: Crew, store: Store, office: Office, record: Record, folder: Path) -> None:
    """Weak labels must equal those of one training in an empty home, on the same features and Label Studio's gold."""
    home = folder / "fresh"
    shutil.copytree(crew.settings.paths.features, home / "features")
    connected = {"label_studio_url": office.studio.url, "label_studio_token": office.studio.token}
    settings = Settings(home=home, database_url="", settle_seconds=0.0, training_threads=1, **connected)
    with open_workplace(settings) as workplace:
        _train(workplace, office)
        fresh = _weak_labels(workplace, office.key, frozenset())
    with open_workplace(crew.settings) as workplace:
        found = _weak_labels(workplace, office.key, record.spoilt)
    if found.keys() != fresh.keys():
        differing = sorted(found.keys() ^ fresh.keys())
        record.complain(f"weak labels of {len(differing)} tasks are there once and not the other time: {differing[:5]}")
    far = [number for number in found.keys() & fresh.keys() if _distance(found[number], fresh[number]) > TOLERANCE]
    if far:
        worst = max(_distance(found[number], fresh[number]) for number in far)
        record.complain(f"weak labels of {len(far)} tasks differ from a fresh run's by up to {worst:.5f}")
    record.harm["tasks with weak labels compared"] = len(found)


def _train(workplace: Workplace, office: Office) -> None:
    store, key = workplace.store, office.key
    project = store.projects.ensure(key, office.studio.project.label_config)
    lease = store.leases.acquire(lease_name("train", key), "fresh", 600)
    assert lease
    reconcile(store, workplace.client_of(project), project, lease, NeverEnds(), lambda _: None)
    store.projects.request_training(key)
    watch = Watch(store, lease, queue.redis_of(workplace.settings.work.redis_url), lambda: None)
    train(workplace, key, lease, watch, lambda _: None)


def _weak_labels(workplace: Workplace, key: str, spoilt: Collection[int]) -> dict[int, dict[str, WeakLabel]]:
    """Those of the newest sound version, whether it serves or was refused: they depend on gold and pool alone."""
    store, folder = workplace.store, workplace.settings.paths.checkpoints
    sound = [entry for entry in store.versions.list(key) if entry.number not in spoilt]
    tagger = checkpoint.load(folder / max(sound, key=lambda entry: entry.number).folder)
    project = store.projects.get(key)
    assert project
    config, parsed, labelled = workplace.config_of(project), ProjectKey.parse(key), store.annotations.of_project(key)
    found = {}
    for task in store.tasks.all(key):
        item = workplace.cache.get(item_key(parsed.connection, reference_of(config, task.payload(), parsed)))
        if item is not None and task.id not in labelled:
            found[task.id] = tagger.weak_labels([item]).of(0, tagger.labels)
    return found


def _distance(one: Mapping[str, WeakLabel], other: Mapping[str, WeakLabel]) -> float:
    """Of probabilities; of a label that one side leaves out, how much more confident than what is left out it is."""
    both = [abs(one[label].probability - other[label].probability) for label in one.keys() & other.keys()]
    alone = [(one.get(label) or other[label]).confidence - CONFIDENT for label in one.keys() ^ other.keys()]
    return max([*both, *alone], default=0.0)


def _held(store: Store, key: str) -> dict[int, Any]:
    entries = (entry for found in store.annotations.of_project(key).values() for entry in found)
    return {entry["id"]: (entry["result"], entry["was_cancelled"]) for entry in entries}


def _truth(office: Office) -> dict[int, Any]:
    tasks = office.studio.project.tasks.values()
    return {entry.id: (entry.result, entry.was_cancelled) for task in tasks for entry in task.annotations}


def _idle(store: Store, key: str) -> bool:
    project = store.projects.get(key)
    return project is not None and not project.has_new_gold and not store.leases.held(lease_name("train", key))
