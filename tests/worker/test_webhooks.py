from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from rq import Queue

import worker.reconcile
from labelstudio.changes import change_of
from labelstudio.sites import Sites
from labelstudio.webhooks import NEEDED_ACTIONS
from store.leases import lease_name
from store.store import Store
from store.webhooks import WebhookState
from tagloom_base.settings import Settings
from testing.label_studio import payloads
from testing.label_studio.writable import WritableLabelStudio
from tests.worker import shop
from tests.worker.label_studio import opened, publish_next, settings_of
from worker import webhooks
from worker.measures import MISSED, SWITCHED_ON, one
from worker.reconcile import reconcile
from worker.watch import NeverEnds
from worker.webhooks import INCOMPLETE, LEAVE_S, LEFT_OFF, MISSING, OFF, SILENT, WebhookWatch

SECRET = "0123456789abcdef"


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[WritableLabelStudio]:
    with opened(tmp_path, tasks=3) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio, valkey: str) -> Settings:
    return settings_of(tmp_path / "home", studio, redis_url=valkey, queue=tmp_path.name)


@pytest.fixture
def watch(settings: Settings, store: Store, studio: WritableLabelStudio, redis: Redis) -> Iterator[WebhookWatch]:
    """Of a project that Label Studio has a version of; its thread does not run, so tests look by hand."""
    studio.backend["model_version"] = publish_next(settings, store, studio)
    sites = Sites(settings.studios, settings.pictures)
    made = WebhookWatch(settings, store, sites)
    made._started = store.now()
    yield made
    sites.close()


def found(watch: WebhookWatch, studio: WritableLabelStudio) -> str:
    """What a look says of the project: the name of its trouble."""
    watch.look()
    trouble = watch.troubles.get(str(studio.key))
    return trouble.name if trouble else ""


def compared(watch: WebhookWatch, studio: WritableLabelStudio) -> None:
    """As after a reconcile."""
    key = str(studio.key)
    project = watch.store.projects.get(key)
    lease = watch.store.leases.acquire(lease_name("reconcile", key), "test", ttl=60)
    assert project
    assert lease
    reconcile(watch.store, watch.sites.client("default"), project, lease, NeverEnds(), lambda _: None)
    watch.store.leases.release(lease)


def kept(store: Store, family: Any) -> float:
    (amount,) = one(family)
    return store.measures.all().get(amount, 0.0)


def test_one_that_is_off_is_switched_on_and_what_was_missed_is_fetched(
    watch: WebhookWatch, studio: WritableLabelStudio, store: Store, settings: Settings, redis: Redis
) -> None:
    (hook,) = studio.webhooks
    assert found(watch, studio) == ""
    hook |= {"is_active": False, "send_for_all_actions": False, "actions": sorted(NEEDED_ACTIONS)}
    actions = list(hook["actions"])
    assert found(watch, studio) == webhooks.COMPARING
    assert hook["is_active"]
    assert hook["actions"] == actions, "as they were"
    jobs = Queue(settings.work.queue, connection=redis, serializer="json").jobs
    assert [job.func_name for job in jobs if job] == ["worker.jobs.reconcile"]
    assert store.projects.may_reconcile(str(studio.key))
    assert kept(store, SWITCHED_ON) == 1
    compared(watch, studio)
    assert found(watch, studio) == ""


def test_off_again_within_an_hour_it_is_left_off_and_later_it_is_not(
    watch: WebhookWatch, studio: WritableLabelStudio, store: Store, moved: Callable[[float], None]
) -> None:
    (hook,) = studio.webhooks
    for _ in range(2):
        hook["is_active"] = False
        watch.look()
        assert hook["is_active"]
        moved(LEAVE_S + 1)  # a second outage, another day
    hook["is_active"] = False
    watch.look()
    hook["is_active"] = False
    assert found(watch, studio) == LEFT_OFF
    moved(2 * LEAVE_S)
    assert found(watch, studio) == LEFT_OFF
    assert not hook["is_active"]
    assert "switch it on in its Settings → Webhooks" in watch.troubles[str(studio.key)].words
    hook["is_active"] = True
    compared(watch, studio)
    assert found(watch, studio) == ""


def test_others_webhooks_are_left_alone(watch: WebhookWatch, studio: WritableLabelStudio) -> None:
    studio.webhooks.append({**studio.webhooks[0], "id": 8, "url": "http://other.test/webhook", "is_active": False})
    studio.webhooks.append({**studio.webhooks[0], "id": 9, "project": 77, "is_active": False})
    assert found(watch, studio) == ""
    assert [hook["is_active"] for hook in studio.webhooks] == [True, False, False]


def test_without_its_version_a_backend_is_not_this_one(watch: WebhookWatch, studio: WritableLabelStudio) -> None:
    studio.backend["model_version"] = "v9.of-another"
    studio.webhooks[0]["is_active"] = False
    assert found(watch, studio) == ""
    assert not studio.webhooks[0]["is_active"]


def test_with_url_secrets_the_secret_tells(
    watch: WebhookWatch, studio: WritableLabelStudio, settings: Settings, moved: Callable[[float], None]
) -> None:
    watch.settings = settings.changed(url_secrets=(SecretStr(SECRET),))
    studio.webhooks[0]["is_active"] = False
    assert found(watch, studio) == "", "its URL holds no secret of ours"
    studio.backend["url"] = f"http://backend.test/{SECRET}/"
    studio.webhooks[0]["url"] = f"http://backend.test/{SECRET}/webhook"
    moved(webhooks.AGAIN_S)
    assert found(watch, studio) == webhooks.COMPARING
    assert studio.webhooks[0]["is_active"]


def test_a_webhook_that_is_missing_or_sends_too_little_is_told(
    watch: WebhookWatch, studio: WritableLabelStudio, moved: Callable[[float], None]
) -> None:
    studio.webhooks[0]["send_payload"] = False
    assert found(watch, studio) == INCOMPLETE
    (hook,) = studio.webhooks
    studio.webhooks.clear()
    assert found(watch, studio) == MISSING
    studio.webhooks.append({**hook, "url": "http://old.test/webhook", "send_payload": True})
    assert found(watch, studio) == MISSING
    studio.webhooks[0]["url"] = hook["url"]
    assert found(watch, studio) == ""
    studio.webhooks.clear()
    studio.backends.clear()
    moved(webhooks.AGAIN_S)
    assert found(watch, studio) == "", "a project that was disconnected needs none"


def test_one_that_may_not_be_switched_on_is_told(watch: WebhookWatch, studio: WritableLabelStudio) -> None:
    studio.webhooks[0]["is_active"] = False
    studio.refuses_webhooks = True
    assert found(watch, studio) == OFF
    studio.refuses_webhooks = False
    assert found(watch, studio) == webhooks.COMPARING


def test_a_look_is_one_request_for_all_projects_and_a_dead_label_studio_is_left_for_a_while(
    watch: WebhookWatch, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch, moved: Callable[[float], None]
) -> None:
    client = watch.sites.client("default")
    paths: list[str] = []
    call = client._call

    def noted(method: str, path: str, **rest: Any) -> Any:
        paths.append(path)
        return call(method, path, **rest)

    monkeypatch.setattr(client, "_call", noted)
    for number in range(50):
        watch.store.projects.ensure(f"default/{100 + number}.1", shop.CONFIG)
    looks = 1 + 51 // webhooks.ASKED
    for _ in range(looks):
        watch.look()
    assert paths.count("/api/webhooks/") == looks
    paths.clear()
    watch.look()
    assert paths == ["/api/webhooks/"]
    studio._server.stop()
    watch.look()
    watch.look()
    assert paths == ["/api/webhooks/"] * 2, "not asked while it is away"
    moved(webhooks.AWAY_S)
    watch.look()
    assert paths == ["/api/webhooks/"] * 3


def test_labels_that_no_webhook_told_are_noticed_until_an_event_comes(
    watch: WebhookWatch, studio: WritableLabelStudio, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.reconcile, "GRACE_S", -1.0)
    key = str(studio.key)
    studio.annotate(1, [])
    compared(watch, studio)
    assert kept(store, MISSED) == 0, "at first all labels are new"
    studio.annotate(1, [])
    compared(watch, studio)
    assert kept(store, MISSED) == 0, "a task and its labels may be imported together"
    monkeypatch.setattr(worker.reconcile, "IMPORTED_S", -1.0)
    studio.annotate(2, [])
    studio.annotate(3, [])
    compared(watch, studio)
    assert kept(store, MISSED) == 2
    assert found(watch, studio) == SILENT
    assert watch.troubles[key].words.startswith("2 labels came that no webhook told")
    compared(watch, studio)
    assert kept(store, MISSED) == 2, "each is told once"

    store.journal.record(change_of(key, payloads.project_event("START_TRAINING", studio.project)), timeout=10)
    assert found(watch, studio) == SILENT, "the button comes another way"
    store.journal.record(change_of(key, payloads.project_event("PROJECT_UPDATED", studio.project)), timeout=10)
    assert found(watch, studio) == ""
    watch._started = store.now() + 60
    monkeypatch.setattr(store.webhooks, "all", lambda: {key: WebhookState(missed=1, missed_until=store.now())})
    assert found(watch, studio) == "", "made while no backend ran"


def test_labels_missed_until_the_webhook_was_put_right_are_no_news(
    watch: WebhookWatch, studio: WritableLabelStudio, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.reconcile, "GRACE_S", -1.0)
    monkeypatch.setattr(worker.reconcile, "IMPORTED_S", -1.0)
    compared(watch, studio)
    (hook,) = studio.webhooks
    studio.webhooks.clear()
    assert found(watch, studio) == MISSING
    studio.annotate(1, [])
    studio.webhooks.append(hook)
    assert found(watch, studio) == ""
    compared(watch, studio)
    assert kept(store, MISSED) == 1
    assert found(watch, studio) == ""
    hook["is_active"] = False
    studio.annotate(2, [])
    watch.look()
    compared(watch, studio)
    assert found(watch, studio) == ""
    studio.annotate(3, [])
    compared(watch, studio)
    assert found(watch, studio) == SILENT


def test_of_many_backends_one_acts_and_all_know(watch: WebhookWatch, studio: WritableLabelStudio, store: Store) -> None:
    assert store.leases.acquire("webhooks", "another backend", ttl=60)
    studio.webhooks[0]["is_active"] = False
    store.webhooks.note(str(studio.key), MISSING, "add it")
    assert found(watch, studio) == MISSING
    assert not studio.webhooks[0]["is_active"]
