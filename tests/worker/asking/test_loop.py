"""The whole loop with real workers, a real Valkey, and a server that speaks like a vision model."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from model.weak_supervision.label_model import LabelModel
from store.store import Store
from store.versions import Version
from tagloom_base.settings import Settings
from testing.shop import LABELS
from testing.vision import Raw, VisionServer
from testing.waiting import until
from tests.backend.parts import Backend, CheapEncoders, running
from tests.worker import shop
from tests.worker.asking.office import annotate, fill, key_of, model, payload, write
from tests.worker.crew import crew, environment
from tests.worker.progress import is_trained, log_of, queued, tagger_of
from worker import jobs, queue, timer

KEY, VISION = str(shop.KEY), "vision m"
SECRET = "sk-of-a-hosted-model-0001"
GOLD, TASKS = 120, 150


class Encoders(CheapEncoders):
    space = shop.SPACE


@pytest.fixture
def server() -> Iterator[VisionServer]:
    with VisionServer(model()) as made:
        yield made


def asking(settings: Settings, server: VisionServer, **more: Any) -> Settings:
    return settings.changed(
        vision_url=server.url,
        vision_model="m",
        vision_key=SecretStr(SECRET),
        vision_requests_per_minute=60_000.0,
        **more,
    )


def kept(store: Store, source: str = VISION) -> int:
    return store.source_opinions.counts(KEY).get(source, 0)


def ticking(store: Store, settings: Settings, condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait as beside a backend, whose timer wakes what is due."""

    def is_met() -> bool:
        timer.tick(settings, store, "test")
        return bool(condition())

    until(is_met, seconds, 0.5)


def served(store: Store, settings: Settings) -> tuple[Version, LabelModel]:
    current = store.versions.current(KEY)
    assert current
    (version,) = (one for one in store.versions.list(KEY) if one.number == current.number)
    return version, tagger_of(store, settings).label_model


def probabilities(backend: Backend, number: int) -> Any:
    """The backend's answer to one task."""
    body = {"tasks": [payload(number)], "project": "2.1795288797", "label_config": shop.CONFIG}
    answer = backend.client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][0]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("redis")
def test_opinions_are_asked_for_weighed_by_gold_and_served(
    store: Store, settings: Settings, server: VisionServer, tmp_path: Path
) -> None:
    write(
        tmp_path / "own",
        "rules.py",
        """
        import os
        from sources import source

        @source("contrary", version="1")
        def contrary(item):
            assert "TAGLOOM_VISION_KEY" not in os.environ
            return {"LOGO": 0.1 if item.blocks and "NOVA" in [block.text for block in item.blocks] else 0.9}
        """,
    )
    settings = asking(settings, server, sources=tmp_path / "own")
    fill(store, settings, range(1, TASKS + 1))
    shop.cold_start(settings, store)
    annotate(store, range(1, GOLD + 1))
    with crew(settings):
        # Gold comes first: the first training hears no source, and the one after the round hears both.
        queue.wake_training(settings, KEY)
        queue.wake_encoding(settings, KEY)
        ticking(store, settings, lambda: {kept(store), kept(store, "contrary")} == {TASKS})
        ticking(store, settings, lambda: is_trained(store) and VISION in served(store, settings)[1].names)
        version, label_model = served(store, settings)
    assert len(server.asked) == TASKS
    assert {one.authorization for one in server.asked} == {f"Bearer {SECRET}"}
    # The workers' log says what leaves the house, and never the key.
    assert f"are sent to {server.url}" in log_of(settings)
    assert SECRET not in log_of(settings)
    assert "Traceback" not in log_of(settings)

    trust = dict(zip(LABELS, label_model.trust_SK[label_model.names.index(VISION)].tolist(), strict=True))
    accuracy = version.metrics["source_accuracy"][VISION]
    assert trust["LOGO"] > 0.5
    assert abs(trust["价格"]) < 0.2
    assert accuracy["LOGO"] > 0.9
    assert accuracy["价格"] < 0.7
    contrary = label_model.trust_SK[label_model.names.index("contrary"), LABELS.index("LOGO")]
    assert contrary < 0.3

    with running(settings.paths.home, Encoders()) as backend:
        backend.service.engine.result(20)
        heard = probabilities(backend, TASKS)
        assert heard["model_version"] == version.version
        (status,) = backend.client.get("/status").json()["projects"]
        assert status["source_accuracy"][VISION] == accuracy
        assert status["said"] == {VISION: TASKS, "contrary": TASKS}
        sources = {one["name"]: one for one in backend.client.get("/status").json()["sources"]}
        assert sources[VISION]["spent"] == {"requests": TASKS, "tokens": 1100 * TASKS, "money": 0.0}
        assert sources[VISION]["about"]["requests"] == "10000"
        assert sources["contrary"]["troubles"] == {}
        # What is not known yet, or has gone, is silence: the answer comes all the same, and is another.
        store.sources.note_all({})
        silent = probabilities(backend, TASKS)
        assert silent["model_version"] == version.version
        assert silent["score"] != heard["score"]
    assert len(server.asked) == TASKS, "no answer asks the model"


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("redis")
def test_a_killed_round_goes_on_and_a_broken_endpoint_keeps_no_training_from_its_gold(
    store: Store, settings: Settings, server: VisionServer
) -> None:
    settings = asking(settings, server)
    fill(store, settings, range(1, TASKS + 1))
    shop.cold_start(settings, store)
    server.pause = 0.1
    with crew(settings):
        queue.wake_encoding(settings, KEY)
        until(lambda: kept(store) > 10, 60)
        # The worker and its work horse are killed here.
    done = kept(store)
    assert done < TASKS
    server.reply = lambda _: Raw(500)
    annotate(store, range(1, GOLD + 1))
    with crew(settings):
        queue.wake_training(settings, KEY)
        ticking(store, settings, lambda: is_trained(store))
        assert VISION in served(store, settings)[1].names
        assert kept(store) == done
        ticking(store, settings, lambda: "does not answer" in _troubles(store))
        server.reply, server.pause = model(), 0.0
        store.source_opinions.make_due(KEY)
        ticking(store, settings, lambda: kept(store) == TASKS)
    answered = [one.title for one in server.asked]
    # Only what was answered in the last seconds before the kill was asked for twice.
    assert len(answered) - len(set(answered)) < 60
    assert _troubles(store) == {}


def _troubles(store: Store) -> dict[str, str]:
    return {kind: text for one in store.sources.all() for kind, text in one.troubles.items()}


@pytest.mark.usefixtures("here", "redis")
def test_the_timer_wakes_a_round_that_is_due(
    store: Store, settings: Settings, redis: Redis, server: VisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(asking(settings, server)).items():
        monkeypatch.setenv(name, value)
    fill(store, settings, range(1, 4))
    store.source_opinions.make_due(KEY)
    timer.tick(settings, store, "test")
    assert [job.func_name for job in queued(settings, redis) if "ask" in str(job.func_name)] == ["worker.jobs.ask"]
    assert jobs.ask(KEY) == "3 answers of 1 sources, 0 to be asked again"
    assert store.source_opinions.due() == []
    assert set(store.source_opinions.said(KEY, [key_of(1)])[key_of(1)]) == {VISION}
