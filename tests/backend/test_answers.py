"""Answers when pictures are late, missing, or spoil the model."""

import json
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from model.boxes.described import RECENT
from model.tagger import Tagger
from tests import captured
from tests.backend.parts import Backend, CheapEncoders, running
from tests.backend.questions import TAGS, assert_valid, question
from tests.labelstudio.references import ODD_REFERENCES
from tests.labelstudio.studio import Studio

JSON = {"Content-Type": "application/json"}


def ask(backend: Backend, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = backend.client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert len(results) == len(body["tasks"])
    assert_valid(results, body["label_config"])
    return results


def chosen(result: dict[str, Any]) -> list[str]:
    names: list[str] = result["result"][0]["value"]["choices"]
    return names


def test_each_task_gets_its_own_answer(backend: Backend) -> None:
    data = [{"image": "/data/upload/2/1.png"}, {"title": "帽子"}, {"title": "红色 帽子"}]
    tasks = [{"id": number, "data": entry} for number, entry in enumerate(data, 1)]
    for _ in range(2):  # read anew, then known
        price, hat, red_hat = ask(backend, {**question(0), "tasks": tasks})
        assert price["score"] != hat["score"] == red_hat["score"], "a price is read in the picture"


def test_no_answer_is_computed_after_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, predict_budget=1.0) as backend:
        version = backend.setup({**captured.body("02"), "schema": TAGS})
        predict = Tagger.predict

        def slow(self: Tagger, *asked: Any, **options: Any) -> Any:
            time.sleep(0.2)
            return predict(self, *asked, **options)

        monkeypatch.setattr(Tagger, "predict", slow)
        tasks = [{"id": number, "data": {"title": "帽子"}} for number in range(1, 321)]
        began = time.monotonic()
        results = ask(backend, {**question(0), "tasks": tasks})
        assert time.monotonic() - began < 3.0, "20 pieces of a fifth of a second each take four"
        assert results[0]["result"]
        assert results[-1]["result"] == []
        assert results[-1]["model_version"] == f"{version}+fast", "Label Studio asks for it again"


@pytest.mark.slow
def test_late_pictures_get_a_fast_answer_once_and_the_worker_is_woken(tmp_path: Path, studio: Studio) -> None:
    slow = CheapEncoders()
    slow.pause = 0.4
    with running(
        tmp_path, slow, label_studio_url=studio.url, label_studio_token=studio.token, predict_budget=1.0
    ) as backend:
        version = backend.setup({**captured.body("02"), "schema": TAGS})
        backend.settle()
        backend.asked.encode.clear()
        began = time.monotonic()
        first = ask(backend, question(60))
        assert time.monotonic() - began < 4
        names = {result["model_version"] for result in first}
        assert names == {version, f"{version}+fast"}
        fast = [result for result in first if result["model_version"].endswith("+fast")]
        assert all(chosen(result) == ["赠品"] for result in fast), "the title's cue"
        backend.settle()
        assert backend.asked.encode == [captured.PROJECT]
        late = [task for task, result in zip(question(60)["tasks"], first, strict=True) if result in fast]
        slow.pause = 5.0
        again = ask(backend, {**question(0), "tasks": late[-3:]})
        assert {result["model_version"] for result in again} == {version}, "no second fast answer"


def test_a_fast_answer_that_label_studio_already_has_is_not_given_again(tmp_path: Path, studio: Studio) -> None:
    studio.pause = 1.0
    settings: dict[str, Any] = {
        "label_studio_url": studio.url,
        "label_studio_token": studio.token,
        "predict_budget": 0.2,
    }
    with running(tmp_path, **settings) as backend:
        version = backend.setup({**captured.body("02"), "schema": TAGS})
        body = question(1)
        body["tasks"][0]["predictions"] = [{"model_version": f"{version}+fast"}]
        assert ask(backend, body)[0]["model_version"] == version


def test_what_could_not_be_fetched_now_is_asked_for_again(backend: Backend, studio: Studio) -> None:
    version = backend.setup({**captured.body("02"), "schema": TAGS})
    studio.token = "changed"
    assert ask(backend, question(1))[0]["model_version"] == f"{version}+fast"
    studio.token = backend.settings.studios.label_studio_token.get_secret_value()
    whole = ask(backend, question(1))[0]
    assert whole["model_version"] == version
    assert chosen(whole) == ["价格"], "now the price in the picture is read"


def test_a_picture_that_is_gone_for_good_is_answered_from_its_texts(backend: Backend, studio: Studio) -> None:
    version = backend.setup({**captured.body("02"), "schema": TAGS})
    studio.default = None
    with_title, without = ask(backend, question(1))[0], ask(backend, question(1, title=""))[0]
    assert with_title["model_version"] == without["model_version"] == version
    assert chosen(with_title) == ["赠品"]
    assert (without["result"], without["score"]) == ([], 0.0)
    assert 'tagloom_task_problems_total{reason="picture"} 2.0' in backend.client.get("/metrics").text


def test_one_bad_task_spoils_no_other(backend: Backend, studio: Studio) -> None:
    backend.setup({**captured.body("02"), "schema": TAGS})
    studio.files["/data/upload/2/2.png"] = b"broken"
    body = question(3)
    body["tasks"][2]["data"] = None
    good, broken, empty = ask(backend, body)
    assert chosen(good) == ["价格"], "from the picture"
    assert chosen(broken) == ["赠品"], "from the title"
    assert empty["result"] == []


def test_an_item_on_which_boxes_fail_keeps_its_tags(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.setup(captured.body("02"))
    whole = Tagger.predict

    def failing(self: Tagger, features: Any, *, boxes: bool = True) -> Any:
        if boxes:
            raise ValueError("no boxes today")
        return whole(self, features, boxes=False)

    monkeypatch.setattr(Tagger, "predict", failing)
    results = ask(backend, captured.body("04"))
    assert all(region["type"] == "choices" for result in results for region in result["result"])
    assert all(result["result"] for result in results)


def test_a_model_that_fails_altogether_leaves_nobody_blocked(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    version = backend.setup(captured.body("02"))

    def failing(*_: Any, **__: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(Tagger, "predict", failing)
    results = ask(backend, captured.body("04"))
    assert [result["result"] for result in results] == [[], []]
    assert {result["model_version"] for result in results} == {version}


def test_features_are_computed_once(backend: Backend) -> None:
    backend.setup({**captured.body("02"), "schema": TAGS})
    ask(backend, question(3))
    counted = backend.encoders.extracted
    ask(backend, question(3))
    assert backend.encoders.extracted == counted


def test_pictures_are_described_for_other_processes_too(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RECENT, "_kept", OrderedDict())  # other tests may have described the same
    backend.setup(captured.body("02"))
    ask(backend, captured.body("04"))
    assert list(backend.settings.paths.descriptions.rglob("*.safetensors"))


def test_tasks_of_a_question_are_learned_behind_the_answer(backend: Backend) -> None:
    backend.setup({**captured.body("02"), "schema": TAGS})
    ask(backend, question(3))
    backend.settle()
    assert [task.id for task in backend.store.tasks.all(captured.PROJECT)] == [1, 2, 3]


def test_a_second_backend_gives_no_second_fast_answer(tmp_path: Path, studio: Studio) -> None:
    studio.pause = 1.0
    where: dict[str, Any] = {"label_studio_url": studio.url, "label_studio_token": studio.token, "predict_budget": 0.2}
    with running(tmp_path, **where) as one, running(tmp_path, **where) as two:
        version = one.setup({**captured.body("02"), "schema": TAGS})
        two.setup({**captured.body("02"), "schema": TAGS})
        assert ask(one, question(1))[0]["model_version"] == f"{version}+fast"
        assert ask(two, question(1))[0]["model_version"] == version


def test_interactive_mode_has_no_fast_answers(tmp_path: Path, studio: Studio) -> None:
    studio.pause = 1.0
    body = captured.body("07")
    with running(tmp_path, label_studio_url=studio.url, label_studio_token=studio.token, predict_budget=0.2) as backend:
        version = backend.setup(captured.body("02"))
        assert ask(backend, body)[0]["model_version"] == version
        body["params"]["context"] = None
        assert ask(backend, body)[0]["model_version"] == f"{version}+fast", "it still has its one"


def test_tasks_with_odd_pictures_leave_the_other_tasks_their_answers(tmp_path: Path, studio: Studio) -> None:
    with running(
        tmp_path, label_studio_url=studio.url, label_studio_token=studio.token, image_hosts=("*.example.com",)
    ) as backend:
        backend.setup({**captured.body("02"), "schema": TAGS})
        studio.redirects["/odd.png"] = "http://["
        body = question(1)
        body["tasks"] += [{"id": n, "data": {"image": p}} for n, p in enumerate(["/odd.png", *ODD_REFERENCES], 2)]
        answer = backend.client.post("/predict", content=json.dumps(body), headers=JSON)
    assert answer.status_code == 200, answer.text
    first, *others = answer.json()["results"]
    assert chosen(first)
    assert [result["result"] for result in others] == [[]] * len(others)
