"""A home's encoders are chosen once, all of its processes use them, and none uses others in silence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from model.encoders.kept import PLACES
from store.processes import WORKER, Process
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from tests.worker import shop
from tests.worker.crew import ROOT, Worker, environment
from worker import jobs, queue
from worker.encoders import foreseen, require_encoders, settled
from worker.shared_settings import differences, shared
from worker.workplace import open_workplace

KEY = str(shop.KEY)


def names(settings: Settings) -> tuple[str, str]:
    return settings.encoders.image_encoder, settings.encoders.text_encoder


def test_the_default_is_settled_once_and_stays(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names(settings) == ("auto", "auto")
    assert names(foreseen(settings, store.encoders)) == ("efficientnet-lite0", "shipped")
    assert store.encoders.kept() == {}, "to foresee keeps nothing"
    assert names(settled(settings, store.encoders)) == ("efficientnet-lite0", "shipped")
    monkeypatch.setattr("worker.encoders.best", lambda _: pytest.fail("chosen again"))
    assert names(settled(settings, store.encoders)) == ("efficientnet-lite0", "shipped")
    assert names(foreseen(settings, store.encoders)) == ("efficientnet-lite0", "shipped")
    with open_workplace(settings) as workplace:
        assert names(workplace.settings) == ("efficientnet-lite0", "shipped")


def test_encoders_keep_their_ways_in_the_home_of_the_workplace(store: Store, settings: Settings) -> None:
    with open_workplace(settings):
        assert PLACES.ways is not None
        assert PLACES.ways.model_file("abc").parent == settings.paths.ways
    assert PLACES.ways is None


def test_a_name_in_the_environment_wins_and_keeps_nothing(store: Store, settings: Settings) -> None:
    store.encoders.replace({"image": "efficientnet-lite0"})
    named = settings.changed(image_encoder="shipped", text_encoder="ngrams")
    assert names(settled(named, store.encoders)) == ("shipped", "ngrams")
    assert store.encoders.kept() == {"image": "efficientnet-lite0"}
    half = settings.changed(text_encoder="ngrams")
    assert names(settled(half, store.encoders)) == ("efficientnet-lite0", "ngrams")


def test_auto_and_the_name_that_it_stands_for_are_no_difference(store: Store, settings: Settings) -> None:
    backend = shared(settled(settings, store.encoders))
    assert backend["TAGLOOM_IMAGE_ENCODER"] == "efficientnet-lite0"
    same = settings.changed(image_encoder="efficientnet-lite0")
    assert differences(backend, Process("w", WORKER, shared(settled(same, store.encoders)), 0.0)) == []
    other = settings.changed(image_encoder="shipped")
    (line,) = differences(backend, Process("w", WORKER, shared(settled(other, store.encoders)), 0.0))
    assert "TAGLOOM_IMAGE_ENCODER differs between the backend and worker w (efficientnet-lite0, shipped)" in line


CHOOSE = """
import sys
from store.processes import WORKER, Process
from store.store import Store
from tagloom_base.settings import Settings
import worker.encoders
worker.encoders.best = lambda part: f"{part} of {sys.argv[1]}"
settings = Settings()
store = Store.open(settings.paths.database)
sys.stdin.readline()
print(worker.encoders.settled(settings, store.encoders).encoders.model_dump_json())
store.close()
"""


@pytest.mark.slow
def test_two_processes_that_start_at_once_agree(settings: Settings) -> None:
    """Each finds other encoders on its machine."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CHOOSE, name],
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    said = [json.loads(process.communicate(timeout=60)[0]) for process in started]
    assert said[0] == said[1]
    assert said[0]["image_encoder"] in ("image of one", "image of other")
    assert said[0]["text_encoder"].split()[-1] == said[0]["image_encoder"].split()[-1]


@pytest.mark.parametrize(
    ("image", "text", "words"),
    [
        (
            "torchvision:resnet50",
            "shipped",
            "the image encoder .*`tagloom encoders fetch torchvision:resnet50`",
        ),
        ("shipped", "nobody/model", "the text encoder .*`tagloom encoders fetch nobody/model` gets it"),
    ],
)
def test_an_encoder_that_is_not_on_this_machine_is_told_with_the_fix(
    image: str, text: str, words: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    require_encoders(settings.changed(image_encoder="efficientnet-lite0", text_encoder="ngrams"))
    with pytest.raises(UserError, match=f"{words}.*or change it for the whole home by `tagloom encoders use`"):
        require_encoders(settings.changed(image_encoder=image, text_encoder=text))


@pytest.mark.slow
def test_a_joint_encoder_that_is_not_here_is_told_with_the_fix(store: Store, settings: Settings) -> None:
    named = settled(settings.changed(joint_encoder="no/such"), store.encoders)
    with pytest.raises(UserError, match=r"TAGLOOM_JOINT_ENCODER names what is not .* or take the variable"):
        require_encoders(named)
    assert differences(shared(named), Process("w", WORKER, shared(settled(settings, store.encoders)), 0.0))


@pytest.mark.slow
def test_a_worker_that_lacks_the_homes_encoder_does_not_start(store: Store, settings: Settings, redis: Redis) -> None:
    store.encoders.replace({"image": "shipped", "text": "nobody/model"})
    lacking = Worker(settings, "--burst")
    assert lacking.wait() != 0
    assert "the text encoder of this home is not on this machine: the text encoder 'nobody/" in lacking.log.read_text()
    assert not redis.keys("rq:worker:*")
    store.encoders.replace({"text": "shipped"})
    assert Worker(settings, "--burst").wait() == 0


@pytest.mark.usefixtures("here")
def test_after_a_change_a_running_worker_leaves_jobs_that_it_cannot_do_to_others(
    store: Store, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=2)
    monkeypatch.setattr(SimpleWorker, "_install_signal_handlers", lambda _: None)  # they are pytest's here
    monkeypatch.setattr(jobs, "ELSEWHERE_S", 0.0)
    store.encoders.replace({"image": "transformers:nobody/model"})
    store.projects.request_training(KEY)
    queue.wake_training(settings, KEY)
    lacking = SimpleWorker([settings.work.queue], connection=redis, serializer=JSONSerializer)
    lacking.work(burst=True, max_jobs=1)
    project = store.projects.get(KEY)
    assert project
    assert (project.has_new_gold, project.failure) == (True, ""), "still due, and no attempt counts as failed"
