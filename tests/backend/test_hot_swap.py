"""New versions swap in under load; bad ones never serve."""

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend import hot_swap
from backend.versions import RefusedVersionError, Served, Shelf, VersionLoader, check_answers
from model import checkpoint
from model.items import Prediction
from store.versions import Current
from testing.waiting import until
from tests import captured
from tests.backend.parts import Backend, cold, publish, running
from tests.backend.questions import TAGS, question, ready
from tests.backend.swaps import next_version, wait_for

KEY = captured.PROJECT


def under_load(backend: Backend, swaps: int) -> None:
    """Swap again and again while several clients ask; no request fails and none mixes versions."""
    ready(backend)
    stop = threading.Event()
    failed: list[Any] = []
    mixed: list[set[str]] = []
    seen: set[str] = set()

    def ask() -> None:
        body = question(5)
        while not stop.is_set():
            answer = backend.client.post("/predict", json=body)
            if answer.status_code != 200 or not all(result["result"] for result in answer.json()["results"]):
                failed.append(answer.text)
                return
            versions = {result["model_version"] for result in answer.json()["results"]}
            mixed.extend([versions] if len(versions) > 1 else [])
            seen.update(versions)

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        for seed in range(swaps):
            wait_for(next_version(backend, seed), backend)
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert failed == []
    assert mixed == []
    assert len(seen) >= min(swaps, 5)


def test_swaps_under_load(backend: Backend) -> None:
    under_load(backend, 8)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_swaps_under_load(backend: Backend) -> None:
    under_load(backend, 200)


def test_setup_and_predictions_follow_a_new_version(backend: Backend) -> None:
    old = ready(backend)
    new = next_version(backend, 5)
    wait_for(new, backend)
    assert backend.setup({**captured.body("02"), "schema": TAGS}) == new != old
    answer = backend.client.post("/predict", json=question(2)).json()
    assert {result["model_version"] for result in answer["results"]} == {new}
    assert backend.client.get("/versions").json()["versions"] == [new, old]


def broken(backend: Backend, how: str) -> str:
    """A new CURRENT whose checkpoint is spoiled before anybody can load it."""
    current = backend.store.versions.current(KEY)
    assert current is not None
    number = backend.store.versions.reserve(KEY)
    tagger = cold(current.labels, 99)
    folder = backend.settings.paths.checkpoints / f"{KEY.replace('/', '-')}" / checkpoint.version_name(number, tagger)
    checkpoint.save(tagger, folder, version=checkpoint.version_name(number, tagger))
    file = folder / "model.safetensors"
    if how == "bytes":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:50])
    elif how == "gone":
        shutil.rmtree(folder)
    elif how == "manifest":
        (folder / "manifest.json").write_text("{")
    elif how == "foreign":
        shutil.rmtree(folder)
        other = cold(("other", "labels"))
        checkpoint.save(other, folder, version=checkpoint.version_name(number, tagger))
    return publish(backend.settings, backend.store, KEY, tagger, number, current.generation).version


@pytest.mark.parametrize("how", ["bytes", "cut", "manifest", "foreign"])
def test_a_bad_checkpoint_is_refused_and_told_while_the_old_one_serves(backend: Backend, how: str) -> None:
    old = ready(backend)
    bad = broken(backend, how)
    until(lambda: backend.service.engine.result().refusals.get(KEY), seconds=10)
    status = backend.client.get("/status").json()["projects"][0]
    assert status["refused"].startswith(f"{bad}: ")
    assert (status["version"], status["serving"]) == (bad, old)
    assert {
        result["model_version"] for result in backend.client.post("/predict", json=question(2)).json()["results"]
    } == {old}
    good = next_version(backend, 7)
    wait_for(good, backend)
    assert backend.client.get("/status").json()["projects"][0]["refused"] is None


@pytest.mark.parametrize("earlier", [True, False])
def test_a_fresh_process_falls_back_until_current_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    """On the version that served before, else on cues alone; then CURRENT serves without a promotion or a restart."""
    monkeypatch.setattr(hot_swap, "RETRY_SECONDS", 0.2)
    with running(tmp_path) as first:
        old = ready(first)
        new = next_version(first, 5)
        wait_for(new, first)
    checkpoints = first.settings.paths.checkpoints
    away = [path for path in checkpoints.rglob("v*.*") if path.is_dir() and (path.name == new or not earlier)]
    for folder in away:
        folder.rename(folder.with_name(f"away.{folder.name}"))
    with running(tmp_path) as fresh:
        assert ready(fresh) == (old if earlier else f"{new}+cues")
        assert fresh.service.engine.result().refusals.get(KEY)
        answer = fresh.client.post("/predict", json=question(2)).json()
        assert all(result["result"] for result in answer["results"])
        for folder in away:
            folder.with_name(f"away.{folder.name}").rename(folder)
        wait_for(new, fresh)
        assert ready(fresh) == new


def test_a_backend_that_starts_has_loaded_what_serves_before_anybody_asks(tmp_path: Path) -> None:
    with running(tmp_path) as backend:
        ready(backend)
        new = next_version(backend, 3)
        wait_for(new, backend)
    with running(tmp_path) as backend:
        served = backend.service.engine.result(20).shelf.peek(KEY)
    assert served is not None
    assert served.version == new


def test_requests_in_flight_end_on_their_version() -> None:
    shelf = Shelf(4)
    old = Served(cold(("a",)), "v1", 1, ("a",))
    shelf.put(KEY, old)
    taken = shelf.get(KEY, lambda: pytest.fail("it is there"))
    shelf.put(KEY, Served(cold(("a",)), "v2", 2, ("a",)))
    assert taken is old
    newest = shelf.peek(KEY)
    assert newest is not None
    assert newest.version == "v2"


def test_an_older_generation_never_replaces_a_newer_one() -> None:
    shelf = Shelf(4)
    shelf.put(KEY, Served(cold(("a",)), "v2", 2, ("a",)))
    shelf.put(KEY, Served(cold(("a",)), "v1", 1, ("a",)))
    served = shelf.peek(KEY)
    assert served is not None
    assert served.version == "v2"


def test_the_least_recently_used_model_leaves() -> None:
    shelf = Shelf(2)
    for name in ("a", "b"):
        shelf.put(name, Served(cold(("x",)), name, 1, ("x",)))
    shelf.peek("a")
    shelf.put("c", Served(cold(("x",)), "c", 1, ("x",)))
    assert set(shelf.all()) == {"a", "c"}


def test_a_model_is_loaded_once_however_many_ask() -> None:
    shelf = Shelf(2)
    loads = []

    def load() -> Served:
        loads.append(1)
        time.sleep(0.05)
        return Served(cold(("x",)), "v1", 1, ("x",))

    threads = [threading.Thread(target=shelf.get, args=(KEY, load)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


class Odd:
    """Answers with what it was given."""

    def __init__(self, *answers: Prediction) -> None:
        self.answers = list(answers)

    def predict(self, features: object, *, boxes: bool = True) -> list[Prediction]:
        return self.answers


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (Prediction({"b": 0.5}, (), (), 0.5),),
        (Prediction({"a": float("nan")}, (), (), 0.5),),
        (Prediction({"a": 0.5}, (), (), 1.5),),
    ],
)
def test_a_version_that_fails_the_canary_is_refused(answers: tuple[Prediction, ...]) -> None:
    from model.items import Item
    from tests.backend.parts import features_of

    with pytest.raises(RefusedVersionError):
        check_answers(Odd(*answers), ("a",), [features_of(Item(None, "x"))])


def test_a_whole_checkpoint_that_answers_nonsense_never_serves(backend: Backend) -> None:
    """Hash, labels and space are right; only the canary can tell."""
    old = ready(backend)
    assert backend.client.post("/predict", json=question(2)).status_code == 200
    current = backend.store.versions.current(KEY)
    assert current is not None
    tagger = cold(current.labels, 5)
    nonsense = replace(tagger.label_model, bias_K=tagger.label_model.bias_K * float("nan"))
    tagger, number = replace(tagger, label_model=nonsense), backend.store.versions.reserve(KEY)
    bad = publish(backend.settings, backend.store, KEY, tagger, number, current.generation)
    canary = backend.service.engine.result()._canaries.of(KEY)
    assert canary
    with pytest.raises(RefusedVersionError, match=r"canary|outside"):
        VersionLoader(backend.settings.paths.checkpoints, tagger.space).load(bad, canary)
    until(lambda: backend.service.engine.result().refusals.get(KEY), seconds=20)
    refusal = backend.service.engine.result().refusals.get(KEY)
    assert refusal
    assert refusal.version == bad.version
    answers = backend.client.post("/predict", json=question(2)).json()["results"]
    assert {answer["model_version"] for answer in answers} == {old}


def test_other_encoders_make_a_new_cold_start(backend: Backend, tmp_path: Path) -> None:
    ready(backend)
    current = backend.store.versions.current(KEY)
    assert current is not None
    with pytest.raises(RefusedVersionError, match="space"):
        VersionLoader(backend.settings.paths.checkpoints, "0123456789abcdef").load(current, [])


def test_a_project_that_was_forgotten_and_returns_begins_anew(backend: Backend) -> None:
    ready(backend)
    for seed in range(3):
        wait_for(next_version(backend, seed), backend)
    project = backend.store.projects.get(KEY)
    assert project
    assert backend.store.removal.remove(KEY, project.created_at)
    shelf = backend.service.engine.result(1).shelf
    until(lambda: KEY not in shelf.all(), seconds=10)
    answer = backend.client.post("/predict", json=question(5)).json()
    assert answer["model_version"].startswith("v0.")
    current = backend.store.versions.current(KEY)
    assert current
    assert (current.version, current.generation) == (answer["model_version"], 1)
    wait_for(next_version(backend, 7), backend)


def test_a_version_that_is_put_there_during_a_look_stays(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = backend.service.engine.result(20)
    engine._follower.close()
    original = backend.store.versions.all_current

    def meanwhile() -> dict[str, Current]:
        found = original()
        ready(backend)
        return dict(found)

    monkeypatch.setattr(backend.store.versions, "all_current", meanwhile)
    engine._follower.look()
    assert KEY in engine.shelf.all()
