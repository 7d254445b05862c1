"""The whole story against a stub backend: one that learns, and each way of not being any good."""

import threading
from collections.abc import Iterator

import pytest
from PIL import Image
from starlette.responses import JSONResponse, Response

from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox
from testing.label_studio import delivery
from testing.label_studio.payloads import Json
from testing.label_studio.simulator import SimulatedLabelStudio
from tests.tools.demo.stub import Result, StubBackend, serving, tags
from tools.demo.data import Cast, Subject
from tools.demo.story import Outcome, Pace, Story
from tools.demo.watch import Outside, Progress
from tools.project import label_config

LABELS = ("主体", "LOGO", "价格")
PACE = Pace(batches=(5, 10, 15), patience=2.0, settle=0.2, poll=0.02)


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (64, 48), "orange").save(folder / "a.png")

    def subject(number: int) -> Subject:
        labels = frozenset(LABELS[: 1 + number % 3])
        boxes = GoldPicture((LabelledBox("主体", Box(0.1, 0.1, 0.5, 0.5)),))
        return Subject(folder / "a.png", (64, 48), "|".join(labels), ("食品", "坚果"), labels, boxes, str(number))

    return Cast(LABELS, [subject(i) for i in range(15)], [subject(i) for i in range(60)], [subject(0)])


def learning(task: Json, version: int) -> Result:
    """Knows nothing but 主体 at first; the later the version, the more tasks it gets right (titles tell the truth)."""
    return tags(*task["data"]["title"].split("|")) if task["id"] % 4 < version else tags("主体")


def run(backend: StubBackend, cast: Cast, pace: Pace = PACE) -> Outcome:
    with SimulatedLabelStudio(label_config(LABELS), backend.server.url) as studio:
        return Story(studio, cast, Outside(), pace, check=lambda: None, say=lambda line: None).tell()


@pytest.fixture
def backend() -> Iterator[StubBackend]:
    stub = StubBackend(learning, every=5)
    with serving(stub):
        yield stub


@pytest.fixture(scope="module")
def good(cast: Cast) -> tuple[Outcome, StubBackend]:
    """What a backend that learns made of it, and what it was asked."""
    stub = StubBackend(learning, every=5)
    with serving(stub), pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "_TIMEOUT", 20.0)  # a busy test machine may need longer than Label Studio would wait
        return run(stub, cast), stub


def test_a_backend_that_learns_passes(good: tuple[Outcome, StubBackend]) -> None:
    outcome, _ = good
    assert outcome.verdict.passed, outcome.verdict.lines()
    assert [row.gold for row in outcome.rows] == [0, 5, 10, 15]
    assert [row.version for row in outcome.rows] == [f"v{i}.abcd" for i in range(4)]
    assert all(row.seconds is not None for row in outcome.rows[1:])
    assert outcome.tally.sent > 8
    assert (outcome.webhooks, outcome.lost_webhooks) == (18, 0)


def test_gold_of_test_tasks_is_never_sent(good: tuple[Outcome, StubBackend]) -> None:
    annotated = {body["annotation"]["task"] for body in good[1].bodies("webhook") if "annotation" in body}
    assert annotated == set(range(1, 16))


def test_an_annotation_holds_tags_and_rectangles_as_the_data_have_them(good: tuple[Outcome, StubBackend]) -> None:
    first = next(body["annotation"] for body in good[1].bodies("webhook") if "annotation" in body)
    kinds = {region["type"]: region for region in first["result"]}
    assert kinds["choices"]["value"]["choices"] == ["主体"]
    assert kinds["rectanglelabels"]["original_width"] == 64
    assert kinds["rectanglelabels"]["value"]["width"] == pytest.approx(40)


def test_the_second_client_runs_during_all_of_it(good: tuple[Outcome, StubBackend]) -> None:
    calls = [call if call != "predict" else len(body["tasks"]) for call, body, _ in good[1].requests]
    between = calls[calls.index("webhook") : len(calls) - calls[::-1].index("webhook")]
    assert 4 in between


def test_empty_answers_fail(backend: StubBackend, cast: Cast) -> None:
    backend.answer = lambda task, version: []
    verdict = run(backend, cast).verdict
    assert not verdict.passed
    assert any("nothing at all" in condition.text for condition in verdict.conditions)


@pytest.mark.parametrize("answer", [JSONResponse({"results": [None]}), JSONResponse({}, status_code=500)])
def test_bad_answers_fail(backend: StubBackend, cast: Cast, answer: Response) -> None:
    backend.predict = lambda body: answer
    outcome = run(backend, cast)
    assert not outcome.verdict.passed
    assert outcome.tally.failures


def test_one_failed_request_of_the_second_client_fails_the_demo(backend: StubBackend, cast: Cast) -> None:
    once = threading.Event()

    def answer(body: Json) -> Response:
        if len(body["tasks"]) == 4 and backend.gold and not once.is_set():
            once.set()
            return JSONResponse({"detail": "restarting"}, status_code=503)
        return backend.usual(body)

    backend.predict = answer
    outcome = run(backend, cast)
    assert len(outcome.tally.failures) == 1
    assert not outcome.verdict.passed


def test_without_training_it_ends_soon_and_says_so(backend: StubBackend, cast: Cast) -> None:
    backend.every = 1000
    outcome = run(backend, cast)
    assert not outcome.verdict.passed
    assert len(outcome.rows) == 1
    assert "does one run?" in outcome.verdict.conditions[0].text
    assert outcome.seconds < 10


def test_a_backend_that_gets_worse_fails(backend: StubBackend, cast: Cast) -> None:
    backend.answer = lambda task, version: learning(task, 3 - version)
    outcome = run(backend, cast)
    assert outcome.rows[-1].scores.macro_f1 < outcome.rows[0].scores.macro_f1
    broken = [condition.text for condition in outcome.verdict.conditions if not condition.holds]
    assert any("beats the cold start" in text for text in broken)


def test_nobody_there_fails_at_once(cast: Cast) -> None:
    with SimulatedLabelStudio(label_config(LABELS), "http://127.0.0.1:9") as studio:
        outcome = Story(studio, cast, Outside(), PACE, check=lambda: None, say=lambda line: None).tell()
    assert not outcome.verdict.passed
    assert "can be connected" in outcome.verdict.conditions[0].text


class Refusing:
    """A watch that sees each training end without a promotion."""

    def revision(self) -> int:
        return 1

    def progress(self, revision: int) -> Progress:
        return Progress(ended=True, serving="v0.abcd", fresh=frozenset(), note="worse on held-out gold")


def test_a_refused_training_is_told_and_the_story_goes_on(backend: StubBackend, cast: Cast) -> None:
    backend.every = 1000
    with SimulatedLabelStudio(label_config(LABELS), backend.server.url) as studio:
        outcome = Story(studio, cast, Refusing(), PACE, check=lambda: None, say=lambda line: None).tell()
    assert [row.note for row in outcome.rows] == ["", *["kept: worse on held-out gold"] * 3]
    assert not outcome.verdict.passed


def test_a_dead_service_ends_it(backend: StubBackend, cast: Cast) -> None:
    def check() -> None:
        raise RuntimeError("the worker ended")

    with (
        SimulatedLabelStudio(label_config(LABELS), backend.server.url) as studio,
        pytest.raises(RuntimeError, match="the worker ended"),
    ):
        Story(studio, cast, Outside(), PACE, check=check, say=lambda line: None).tell()
    assert not any(thread.name == "second-client" for thread in threading.enumerate())
