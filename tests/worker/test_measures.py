from collections.abc import Callable
from itertools import count
from types import SimpleNamespace

import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from model.items import Item
from store.leases import lease_name
from store.store import Store
from store.tables import RUNNING_JOBS
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.backend.parts import CheapEncoders
from tests.worker import shop
from tests.worker.crew import crew
from worker import measures, queue
from worker.measures import (
    ENCODER_SECONDS,
    ITEMS,
    JOB_FAILURES,
    JOB_SECONDS,
    JOBS_KILLED,
    STAGE_SECONDS,
    SUM,
    Tally,
    TimedExtractor,
    one,
)
from worker.outcome import Done, Unfinished

KEY = str(shop.KEY)


@pytest.fixture
def known(store: Store) -> Store:
    store.projects.ensure(KEY, shop.CONFIG)
    return store


@pytest.fixture
def _ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a hundredth of a second after the last one, however slow the machine is."""
    monkeypatch.setattr(measures, "time", SimpleNamespace(monotonic=count(step=0.01).__next__))


def kept(store: Store, family: measures.Family, *labels: str) -> float:
    found = {amount.labels: value for amount, value in store.measures.all().items() if amount.name == family.name}
    return found.get(labels, 0.0)


@pytest.mark.usefixtures("_ticks")
def test_jobs_are_counted_by_kind_and_outcome(known: Store) -> None:
    tally = Tally()
    for outcome in (Done("all"), Done("all"), Unfinished("gave way")):
        with tally.job(known, "train", KEY) as running:
            running.end(outcome)
    assert kept(known, JOB_SECONDS, "train", "done", "0.1") == 2
    assert kept(known, JOB_SECONDS, "train", "unfinished", "0.1") == 1
    assert 0 < kept(known, JOB_SECONDS, "train", "done", SUM) < 1
    with pytest.raises(ZeroDivisionError), tally.job(known, "encode", KEY):
        raise ZeroDivisionError
    assert kept(known, JOB_SECONDS, "encode", "failed", "0.1") == 1
    assert kept(known, JOB_FAILURES, "encode", "ZeroDivisionError") == 1
    assert kept(known, JOBS_KILLED, "encode") == 0


@pytest.mark.usefixtures("_ticks")
def test_stages_are_timed_and_a_killed_job_loses_no_more_than_its_last_seconds(
    known: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    horse = Tally()
    running = horse.job(known, "train", KEY)
    running.__enter__()
    horse.reach(known, "judging")
    horse.encoded([Item(None, "a")], 0.5)
    horse.reach(known, "judging")
    # Here its process is killed: nothing is written any more.
    assert kept(known, STAGE_SECONDS, "train", "beginning") > 0
    assert kept(known, STAGE_SECONDS, "train", "judging") > 0
    assert kept(known, ENCODER_SECONDS) == 0.5
    assert kept(known, JOBS_KILLED, "train") == 0

    with Tally().job(known, "reconcile", KEY) as other:
        other.end(Done("another kind"))
    assert kept(known, JOBS_KILLED, "train") == 0
    with Tally().job(known, "train", KEY) as later:
        later.end(Done("went on"))
    assert kept(known, JOBS_KILLED, "train") == 1
    assert kept(known, JOB_SECONDS, "train", "done", "0.1") == 1
    with Tally().job(known, "train", KEY) as later:
        later.end(Done("once more"))
    assert kept(known, JOBS_KILLED, "train") == 1


def test_encoders_are_timed_by_what_they_read() -> None:
    tally = Tally()
    timed = TimedExtractor(CheapEncoders(), tally)  # type: ignore[arg-type]
    timed.extract([Item(Image.new("RGB", (8, 8)), "a"), Item(None, "b")])
    amounts = dict(tally._amounts)
    assert amounts[next(iter(one(ITEMS, "picture")))] == 1
    assert amounts[next(iter(one(ITEMS, "texts")))] == 1
    assert amounts[next(iter(one(ENCODER_SECONDS)))] > 0


def test_no_work_depends_on_a_number(known: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    for name in ("add", "begin_job", "end_job"):
        monkeypatch.setattr(known.measures, name, _away)
    tally = Tally()
    with tally.job(known, "train", KEY) as running:
        tally.reach(known, "judging")
        assert str(running.end(Done("trained"))) == "trained"
    measures.count(known, measures.VERSIONS, "promoted")


def _away(*_: object) -> None:
    raise OperationalError("", {}, Exception("away"))


def test_labels_must_be_those_of_the_family() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        one(JOB_FAILURES, "train")


def test_what_two_workers_measure_is_added_up(known: Store, settings: Settings) -> None:
    second = Store.open(settings.paths.database)
    for store in (known, second, known):
        measures.count(store, measures.VERSIONS, "promoted")
    second.close()
    assert kept(known, measures.VERSIONS, "promoted") == 3


def test_the_queue_is_told_as_it_is(settings: Settings, redis: object, moved: Callable[[float], None]) -> None:
    assert queue.figures(settings.changed(redis_url="redis://127.0.0.1:1/0")) is None
    empty = queue.figures(settings)
    assert empty
    assert (empty.oldest_s, empty.workers, empty.failed, sum(empty.waiting.values())) == (0.0, 0, 0, 0)
    queue.wake_encoding(settings, KEY)
    queue.wake_training(settings, KEY)
    moved(100)
    told = queue.figures(settings)
    assert told
    assert {kind: count for kind, count in told.waiting.items() if count} == {"train": 1, "encode": 1}
    assert 99 < told.oldest_s < 110


@pytest.mark.slow
def test_a_training_whose_process_is_killed_is_counted_with_what_it_had_done(
    settings: Settings, store: Store, redis: object
) -> None:
    shop.open_shop(store, settings, tasks=20)
    shop.annotate(store, range(1, 11))
    queue.wake_training(settings, KEY)
    with crew(settings) as worker:
        until(lambda: _runs(store), seconds=60)
        horse = worker.horse()
        assert horse
        horse.kill()
        until(lambda: not store.leases.held(lease_name("train", KEY)), seconds=60)
        queue.wake_training(settings, KEY)
        until(lambda: kept(store, JOBS_KILLED, "train") == 1, seconds=60)
        until(lambda: not _runs(store), seconds=110)
    told = store.measures.all()
    assert (
        sum(value for amount, value in told.items() if amount.name == JOB_SECONDS.name and SUM not in amount.labels)
        == 1
    )
    assert kept(store, STAGE_SECONDS, "train", "judging") > 0
    assert kept(store, measures.VERSIONS, "promoted") + kept(store, measures.VERSIONS, "refused") >= 1


def _runs(store: Store) -> bool:
    with store._database.read() as connection:
        return connection.execute(select(RUNNING_JOBS)).first() is not None
