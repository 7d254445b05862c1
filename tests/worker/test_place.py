"""A job is done where it was asked for, or fails and waits on; a worker of another home never calls it done."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

import worker.workplace
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from tests.worker import shop
from tests.worker.crew import Worker, environment
from tools.services.child import program
from worker import jobs, queue
from worker.place import FILE, Place

KEY = str(shop.KEY)


@pytest.fixture
def other(settings: Settings, tmp_path: Path) -> Settings:
    """The same queue, another home."""
    home = tmp_path / "other"
    home.mkdir()
    return Settings(home=home, redis_url=settings.work.redis_url, queue=settings.work.queue, training_threads=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ELSEWHERE_S", 0.0)
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    monkeypatch.setattr(SimpleWorker, "_install_signal_handlers", lambda _: None)  # they are pytest's here


def waiting(settings: Settings, redis: Redis) -> list[Job]:
    return [job for job in Queue(settings.work.queue, connection=redis, serializer="json").jobs if job]


def work(settings: Settings, redis: Redis, patch: pytest.MonkeyPatch) -> Job:
    """Let a worker with these settings do the next job, in this process."""
    for name, value in environment(settings).items():
        patch.setenv(name, value)
    job = waiting(settings, redis)[0]
    SimpleWorker([settings.work.queue], connection=redis, serializer=JSONSerializer).work(burst=True, max_jobs=1)
    job.refresh()  # type: ignore[no-untyped-call]
    return job


@pytest.mark.slow
def test_a_worker_with_wrong_settings_does_nothing_and_gold_stays_due(
    store: Store, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=12)
    shop.annotate(store, range(1, 9))
    queue.wake_training(settings, KEY)
    monkeypatch.setenv("TAGLOOM_IMAGE_HOST", "img.example.com")
    failed = work(settings, redis, monkeypatch)
    assert failed.get_status() == JobStatus.FAILED
    result = failed.latest_result()
    assert result
    assert "TAGLOOM_IMAGE_HOST is no setting: rename it to TAGLOOM_IMAGE_HOSTS" in str(result.exc_string)
    assert 0 < redis.ttl(failed.key) <= jobs.ELSEWHERE_TTL_S
    assert store.projects.waiting_for_training() == [KEY]
    monkeypatch.delenv("TAGLOOM_IMAGE_HOST")
    queue.wake_training(settings, KEY)
    assert work(settings, redis, monkeypatch).get_status() == JobStatus.FINISHED
    assert store.projects.waiting_for_training() == []


@pytest.mark.slow
@pytest.mark.parametrize(("variable", "value"), [("TAGLOOM_IMAGE_HOST", "img.example.com"), ("TAGLOOM_DEVICE", "cuda")])
def test_a_worker_with_wrong_settings_does_not_start(settings: Settings, variable: str, value: str) -> None:
    chosen = {**os.environ, **environment(settings), "RQ_CONFIG": "worker.rq_settings", "CUDA_VISIBLE_DEVICES": ""}
    words = [program("rq"), "worker", "-S", "json", settings.work.queue]
    done = subprocess.run(words, env={**chosen, variable: value}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"tagloom: {variable}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_worker_of_another_home_fails_loudly_and_a_right_one_does_the_work(
    store: Store, settings: Settings, other: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=12)
    shop.annotate(store, range(1, 9))
    queue.wake_training(settings, KEY)
    failed = work(other, redis, monkeypatch)
    assert failed.get_status() == JobStatus.FAILED
    result = failed.latest_result()
    assert result
    said = str(result.exc_string).strip().splitlines()[-1]
    for word in (
        str(settings.paths.home),
        str(other.paths.home),
        "TAGLOOM_HOME",
        "TAGLOOM_DATABASE_URL",
        "TAGLOOM_QUEUE",
        KEY,
    ):
        assert word in said
    assert 0 < redis.ttl(failed.key) <= jobs.ELSEWHERE_TTL_S
    assert [job.func_name for job in waiting(settings, redis)] == ["worker.jobs.train"], "it is offered again"
    project = store.projects.get(KEY)
    assert project
    assert project.has_new_gold
    done = work(settings, redis, monkeypatch)
    assert done.get_status() == JobStatus.FINISHED
    project = store.projects.get(KEY)
    assert project
    assert not project.has_new_gold


def test_a_job_from_before_jobs_told_their_place_still_runs(
    store: Store, settings: Settings, other: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=4)
    old = Queue(settings.work.queue, connection=redis, serializer="json")
    old.enqueue("worker.jobs.train", KEY)
    assert work(settings, redis, monkeypatch).return_value() == "nothing new"
    old.enqueue("worker.jobs.train", KEY)
    assert work(other, redis, monkeypatch).get_status() == JobStatus.FAILED, "it does not know the project"


@pytest.mark.slow
def test_a_worker_of_another_home_does_not_start(settings: Settings, other: Settings, redis: Redis) -> None:
    queue.announce(settings)
    assert 0 < redis.ttl(f"tagloom:place:{settings.work.queue}") <= 60
    wrong = Worker(other)
    try:
        assert wrong.wait() == 1
    finally:
        wrong.end()
    (said,) = wrong.log.read_text().splitlines()
    assert said.startswith("tagloom: the queue ")
    assert str(settings.paths.home) in said
    assert str(other.paths.home) in said
    assert "TAGLOOM_HOME" in said
    queue.require_place(settings)


@pytest.mark.slow
def test_a_worker_with_a_wrong_setting_says_so_in_one_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_DEVICE", "gpu")
    wrong = Worker(settings)
    assert wrong.wait() == 1
    (said,) = wrong.log.read_text().splitlines()
    assert said.startswith("tagloom: TAGLOOM_DEVICE can't be used: 'gpu'")


def test_one_database_with_two_homes_is_two_places(settings: Settings, other: Settings, tmp_path: Path) -> None:
    shared = f"sqlite:///{tmp_path / 'shared.db'}"
    homes = (one.changed(database_url=shared, home=one.paths.home / "new") for one in (settings, other))
    here, there = (Place.of(one.paths) for one in homes)
    assert here.store == there.store
    with pytest.raises(UserError, match="TAGLOOM_HOME"):
        there.require(here, "train")


def test_a_home_that_is_mounted_elsewhere_is_the_same_place(settings: Settings, tmp_path: Path) -> None:
    here = Place.of(settings.paths)
    Place("x", "y", "").require(None, "what an earlier release asked for")
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    there = Place.of(settings.changed(home=moved).paths)
    moved.rename(tmp_path)
    assert there.shown != here.shown
    there.require(here, "train")


def test_processes_that_start_together_agree_on_a_name(tmp_path: Path) -> None:
    from worker.place import _name_of

    with ThreadPoolExecutor(16) as pool:
        names = set(pool.map(lambda _: _name_of(tmp_path / "new"), range(64)))
    assert names == {(tmp_path / "new" / FILE).read_text()}
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE]


def test_a_home_that_cannot_keep_a_name_works_on(settings: Settings) -> None:
    nameless, named = Place("store", "", "a"), Place("store", "name", "b")
    nameless.require(named, "train")
    named.require(nameless, "train")
    (settings.paths.home / "file").touch()
    from worker.place import _name_of

    assert _name_of(settings.paths.home / "file") == ""


def test_two_homes_that_share_a_queue_do_not_swallow_each_others_jobs(
    settings: Settings, other: Settings, redis: Redis
) -> None:
    for one in (settings, other):
        queue.wake_training(one, KEY)
        queue.wake_training(one, KEY)
    assert len(waiting(settings, redis)) == 2
    queue.set_running(redis, Place.of(other.paths), queue.Kind.ENCODE, KEY, 60)
    queue.wake_encoding(settings, KEY)
    assert len(waiting(settings, redis)) == 3


def test_no_password_is_noted_or_shown(settings: Settings) -> None:
    place = Place("s", "h", "shown")
    assert Place.read(place.note()) == place
    for odd in (None, 5, {}, {"store": 1, "home": "", "shown": ""}):
        assert Place.read(odd) is None
    assert "***" not in Place.of(settings.paths).shown
