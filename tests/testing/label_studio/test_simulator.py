"""The simulated Label Studio sends what the real one was seen to send."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.responses import JSONResponse, PlainTextResponse, Response

from testing.label_studio.delivery import Faults
from testing.label_studio.payloads import Json, choices_region, controls_of, rectangle_region
from testing.label_studio.simulator import BackendFailed, SimulatedLabelStudio, Upload
from tests.tools.demo.stub import StubBackend, serving, tags

FIXTURES = Path(__file__).parents[2] / "fixtures" / "label_studio"


def captured(number: str) -> Json:
    (path,) = FIXTURES.glob(f"{number}_*.json")
    request: Json = json.loads(path.read_text("utf-8"))
    return request


CONFIG = captured("02")["body"]["schema"]


def shape(value: Any) -> Any:
    """Keys and kinds of values; a list has the shape of its first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value).__name__
    return "number"


@pytest.fixture
def backend() -> Iterator[StubBackend]:
    stub = StubBackend(lambda task, version: tags("主体"))
    with serving(stub):
        yield stub


@pytest.fixture
def studio(backend: StubBackend) -> Iterator[SimulatedLabelStudio]:
    with SimulatedLabelStudio(CONFIG, backend.server.url) as studio:
        yield studio


def upload(folder: Path, name: str = "a.png") -> Upload:
    Image.new("RGB", (320, 240)).save(folder / name)
    return Upload(folder / name, {"title": "夏季新品", "industry": "美妆"})


def regions(studio: SimulatedLabelStudio) -> list[Json]:
    """The result of fixture 10: a rectangle, then tags."""
    choices, rectangles = controls_of(studio.project.label_config)
    box = {"x": 1, "y": 2, "width": 30, "height": 40}
    return [rectangle_region(rectangles, "主体", box, (320, 240)), choices_region(choices, ["主体", "价格"])]


def test_setup_is_as_captured(studio: SimulatedLabelStudio, backend: StubBackend) -> None:
    assert studio.setup() == "v0.abcd"
    (sent,) = backend.bodies("setup")
    real = {**captured("02")["body"], "extra_params": None}
    assert shape(sent) == shape(real)
    assert sent["hostname"] == studio.url
    assert sent["project"] == studio.project.key


def test_health_is_a_get_by_heartex(studio: SimulatedLabelStudio, backend: StubBackend) -> None:
    studio.health()
    ((_, _, headers),) = backend.requests
    assert headers["user-agent"].split("/")[0] == captured("01")["headers"]["User-Agent"].split("/")[0]


def test_a_fresh_task_in_predict_is_as_captured(
    studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path
) -> None:
    studio.predict(studio.import_tasks([upload(tmp_path)]))
    assert shape(backend.bodies("predict")[0]) == shape(captured("03")["body"])


def test_a_predicted_task_carries_its_predictions_as_captured(
    studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path
) -> None:
    ids = studio.import_tasks([upload(tmp_path)])
    studio.predict(ids)
    studio.predict(ids)
    sent, real = backend.bodies("predict")[1], captured("04")["body"]
    prediction = shape(sent)["tasks"][0]["predictions"][0]
    assert {**prediction, "result": []} == {**shape(real)["tasks"][0]["predictions"][0], "result": []}
    assert sent["tasks"][0]["total_predictions"] == 1


@pytest.mark.parametrize("fixture", ["10", "13"])
def test_submit_and_skip_are_as_captured(
    studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path, fixture: str
) -> None:
    (task,) = studio.import_tasks([upload(tmp_path)])
    studio.annotate(task, regions(studio), skip=fixture == "13")
    sent = backend.bodies("webhook")[-1]
    assert shape(sent) == shape(captured(fixture)["body"])
    assert sent["annotation"]["was_cancelled"] is (fixture == "13")


def test_update_is_as_captured(studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path) -> None:
    (task,) = studio.import_tasks([upload(tmp_path)])
    studio.update(studio.annotate(task, regions(studio)), regions(studio)[:1])
    sent = backend.bodies("webhook")[-1]
    assert shape(sent) == shape({**captured("11")["body"], "project": captured("10")["body"]["project"]})


def test_deletions_carry_ids_only(studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path) -> None:
    (task,) = studio.import_tasks([upload(tmp_path)])
    studio.delete([studio.annotate(task, regions(studio))])
    studio.delete_tasks([task])
    annotation, gone = backend.bodies("webhook")[-2:]
    assert shape(annotation) == shape(captured("14")["body"])
    assert shape(gone) == shape({**captured("21")["body"], "project": annotation["project"]})


def test_import_and_start_training_are_as_captured(
    studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path
) -> None:
    studio.import_tasks([upload(tmp_path)])
    studio.start_training()
    created, training = backend.bodies("webhook")
    project = shape(captured("10")["body"]["project"])
    assert shape(created) == {**shape(captured("20")["body"]), "project": project}
    assert shape(training) == {**shape(captured("17")["body"]), "project": project}


def test_webhooks_look_like_requests(studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path) -> None:
    studio.import_tasks([upload(tmp_path)])
    assert backend.requests[-1][2]["user-agent"].startswith("python-requests/")


def test_while_it_is_away_no_page_is_answered(studio: SimulatedLabelStudio) -> None:
    with httpx.Client(base_url=studio.url, headers={"Authorization": f"Token {studio.token}"}) as client:
        studio.is_away = True
        assert client.get("/api/projects/2").status_code == 503
        studio.is_away = False
        assert client.get("/api/projects/2").status_code == 200


def test_pictures_and_pages_want_the_token(studio: SimulatedLabelStudio, tmp_path: Path) -> None:
    (task,) = studio.import_tasks([upload(tmp_path)])
    picture = studio.url + studio.project.tasks[task].data["image"]
    access = {"Authorization": f"Token {studio.token}"}
    assert httpx.get(picture).status_code == 401
    answer = httpx.get(picture, headers=access)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == (tmp_path / "a.png").read_bytes()
    assert httpx.get(f"{studio.url}/api/projects/2", headers=access).json()["id"] == 2
    assert httpx.get(f"{studio.url}/api/tasks?project=2").status_code == 401


def test_task_pages_hold_all_tasks_with_their_annotations(studio: SimulatedLabelStudio, tmp_path: Path) -> None:
    ids = studio.import_tasks([upload(tmp_path, f"{number}.png") for number in range(5)])
    studio.annotate(ids[4], regions(studio))
    seen: list[Json] = []
    with httpx.Client(base_url=studio.url, headers={"Authorization": f"Token {studio.token}"}) as client:
        for page in (1, 2, 3):
            answer = client.get("/api/tasks/", params={"project": 2, "page": page, "page_size": 2}).json()
            seen += answer["tasks"]
        assert client.get("/api/tasks/", params={"project": 2, "page": 4, "page_size": 2}).status_code == 404
    assert answer["total"] == 5
    assert [task["id"] for task in seen] == ids
    assert [len(task["annotations"]) for task in seen] == [0, 0, 0, 0, 1]


BAD: dict[str, Response] = {
    "HTTP 500": JSONResponse({"detail": "no"}, status_code=500),
    "not JSON": PlainTextResponse("<html>"),
    "no object": JSONResponse([]),
    "no results for 1": JSONResponse({}),
    "0 results for 1": JSONResponse({"results": []}),
    "without result": JSONResponse({"results": [None]}),
    "without model_version": JSONResponse({"results": [{"result": []}]}),
    "score that is no": JSONResponse({"results": [{"result": [], "model_version": "v0", "score": "high"}]}),
}


@pytest.mark.parametrize("reason", BAD)
def test_answers_that_label_studio_can_not_use_are_refused(
    studio: SimulatedLabelStudio, backend: StubBackend, tmp_path: Path, reason: str
) -> None:
    backend.predict = lambda body: BAD[reason]
    with pytest.raises(BackendFailed, match=reason):
        studio.predict(studio.import_tasks([upload(tmp_path)]))


def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    with SimulatedLabelStudio(CONFIG, "http://127.0.0.1:9") as studio:
        with pytest.raises(BackendFailed, match="no answer"):
            studio.health()
        studio.import_tasks([upload(tmp_path)])
    assert studio.deliveries.failed == 1


def test_webhooks_get_lost_doubled_and_late_as_asked(backend: StubBackend, tmp_path: Path) -> None:
    faults = Faults(lost=0.3, doubled=0.3, delayed=0.3, delay=0.2)
    with SimulatedLabelStudio(CONFIG, backend.server.url, faults=faults) as studio:
        for number in range(60):
            studio.import_tasks([upload(tmp_path, f"{number}.png")])
    received = len(backend.bodies("webhook"))
    assert received == studio.deliveries.sent
    assert 5 < studio.deliveries.lost < 35
    assert received > 60 - studio.deliveries.lost
    numbers = [body["tasks"][0]["id"] for body in backend.bodies("webhook")]
    assert numbers != sorted(numbers)
