"""What an annotator draws or clicks, from Label Studio's context to regions of its controls."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.interactive import DrawnTagger, Interaction, drawn_of
from labelstudio.config import LabelConfig
from labelstudio.drawing import Stored
from labelstudio.regions import Region
from model.boxes.drawn import Drawn
from model.features.item import ItemFeatures
from model.items import Box, Item, PredictedBox
from model.tagger import Tagger
from tests import captured
from tests.backend.parts import Backend, CheapEncoders, running
from tests.labelstudio.studio import Studio
from tests.model.boxes.pictures import COPY, shop_picture

LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
PARTS = ("前", "后")
XML = (
    '<View><Image name="image" value="$image"/>'
    '<Choices name="tags" toName="image"><Choice value="主体"/><Choice value="整图"/></Choices>'
    '<KeyPointLabels name="points" toName="image"><Label value="文案"/></KeyPointLabels>'
    f'<RectangleLabels name="boxes" toName="image">{"".join(f"<Label value={label!r}/>" for label in LABELS)}'
    '</RectangleLabels><RectangleLabels name="parts" toName="image">'
    f"{''.join(f'<Label value={part!r}/>' for part in PARTS)}</RectangleLabels></View>"
)
CONFIG = LabelConfig.parse(XML)
NOTHING = Stored.of([], [], [])


def region(box: Box, label: str = "", control: str = "boxes", kind: str = "rectanglelabels") -> Region:
    place = {"x": box.left * 100, "y": box.top * 100, "width": box.width * 100, "height": box.height * 100}
    return {"id": "r", "from_name": control, "type": kind, "value": {**place, kind: [label] if label else []}}


def answer(regions: list[Region], config: LabelConfig = CONFIG, stored: Stored = NOTHING) -> list[Region]:
    item = shop_picture(1)
    cold = Tagger.cold_start(config.labels, space="s", seed=1)
    interaction = Interaction.of(config, regions, stored)
    assert interaction.drawn
    assert not interaction.silent
    (prediction,) = DrawnTagger(cold, interaction.drawn).predict([item])
    return interaction.result(prediction, item.size, "seed")


def drawn_as(given: Region) -> Drawn:
    found = drawn_of(CONFIG, given)
    assert found
    return found


def test_the_label_that_the_annotator_had_chosen_stays() -> None:
    assert drawn_as(region(COPY, "价格")).labels == ("价格",)
    assert [entry["value"]["rectanglelabels"] for entry in answer([region(COPY, "价格")])] == [["价格"]]


def test_a_region_without_label_may_have_any_label_of_its_own_control() -> None:
    assert drawn_as(region(COPY)).labels == LABELS
    (found,) = answer([region(COPY)])
    assert (found["from_name"], found["value"]["rectanglelabels"]) == ("boxes", ["文案"])
    (other,) = answer([region(COPY, control="parts")])
    assert other["from_name"] == "parts"
    assert other["value"]["rectanglelabels"][0] in PARTS


def test_a_label_of_another_control_is_not_taken_over() -> None:
    assert drawn_as(region(COPY, "整图")).labels == LABELS


def test_a_click_is_answered_by_a_rectangle() -> None:
    click = region(Box(0.7, 0.9, 0.705, 0.9), "文案", "points", "keypointlabels")
    assert drawn_of(CONFIG, click) == Drawn(Box(0.7, 0.9, 0.7, 0.9), ("文案",))
    (found,) = answer([click])
    assert (found["type"], found["value"]["rectanglelabels"]) == ("rectanglelabels", ["文案"])
    assert found["value"]["width"] > 20


def test_of_several_regions_only_the_one_drawn_just_now_is_answered_in_its_place() -> None:
    old = [{**region(COPY, "文案"), "id": "predicted", "origin": "prediction", "score": 0.9}]
    new = {**region(Box(0.3, 0.3, 0.7, 0.75), "文案"), "id": "new", "origin": "manual"}
    (found,) = answer([*old, new])
    assert (found["id"], found["value"]["rectanglelabels"]) == ("new", ["文案"])


def test_answers_of_clicks_have_ids_of_their_own() -> None:
    clicks = [
        {**region(Box(0.7, 0.9, 0.705, 0.9), "文案", "points", "keypointlabels"), "id": identity}
        for identity in ("first", "second")
    ]
    assert len({entry["id"] for click in clicks for entry in [*answer([click]), click]}) == 4


def test_a_label_of_two_controls_is_answered_in_one() -> None:
    twice = LabelConfig.parse(XML.replace('<Label value="前"/>', '<Label value="前"/><Label value="文案"/>'))
    assert len(answer([region(Box(0.7, 0.9, 0.705, 0.9), "文案", "points", "keypointlabels")], twice)) == 1


def test_an_element_that_has_a_box_of_the_label_gets_no_other() -> None:
    rough = {**region(Box(0.48, 0.855, 0.91, 0.94), "文案"), "id": "new", "origin": "manual"}
    (fitted,) = answer([rough])
    there = {**fitted, "id": "old", "origin": "prediction"}
    assert answer([there, rough]) == []
    assert answer([{**there, "value": {**there["value"], "rectanglelabels": ["价格"]}}, rough]) == [fitted]


def test_a_deleted_box_can_be_drawn_again() -> None:
    """The context is what the annotation holds now; the stored prediction still has the box."""
    rough = {**region(Box(0.48, 0.855, 0.91, 0.94), "文案"), "id": "new", "origin": "manual"}
    (fitted,) = answer([rough])
    assert answer([rough], stored=Stored.of([], [], [{"model_version": "v7.1234", "result": [fitted]}])) == [fitted]


@pytest.mark.parametrize("label", ["", "文案"])
def test_without_a_label_or_by_a_click_what_is_stored_has_no_twin(label: str) -> None:
    new = region(Box(0.7, 0.9, 0.705, 0.9), label, "points", "keypointlabels") if label else region(COPY)
    (found,) = answer([new])
    stored = [{"model_version": "v7.1234", "result": [{**found, "id": "stored"}]}]
    assert answer([new], stored=Stored.of([], [], stored)) == []
    assert answer([new], stored=Stored.of([], stored, [])) == []
    assert answer([new], stored=Stored.of([{"result": []}], [], stored)) == [found], "it was deleted"


BOXES, TAGS = region(COPY, "文案"), {"from_name": "tags", "type": "choices", "value": {"choices": ["主体"]}}


@pytest.mark.parametrize(
    ("drafts", "annotations", "predictions", "silent"),
    [
        ([], [], [], False),
        ([], [], [{"result": [TAGS]}], False),
        ([], [], [{"result": [TAGS, BOXES]}], True),
        ([], [], [{"result": []}, {"result": [BOXES]}], True),
        ([{"result": [BOXES]}], [], [], True),
        ([], [{"result": [BOXES]}], [], True),
        ([{"result": []}], [], [{"result": [TAGS]}], True),
    ],
)
def test_when_nothing_was_drawn_only_an_untouched_task_without_boxes_gets_any(
    drafts: list[Any], annotations: list[Any], predictions: list[Any], silent: bool
) -> None:
    stored = Stored.of(drafts, annotations, predictions)
    assert Interaction.of(CONFIG, [], stored).silent is silent
    assert Interaction.of(CONFIG, [{**BOXES, "origin": "prediction"}], stored).silent


def test_an_untouched_task_gets_what_its_prediction_lacks() -> None:
    item = shop_picture(1)
    (prediction,) = Tagger.cold_start(CONFIG.labels, space="s", seed=1).predict([item])
    whole = Interaction.of(CONFIG, [], NOTHING).result(prediction, item.size, "seed")
    assert {entry["type"] for entry in whole} == {"choices", "rectanglelabels"}
    tagged = Interaction.of(CONFIG, [], Stored.of([], [], [{"result": [TAGS]}]))
    assert tagged.result(prediction, item.size, "seed") == [entry for entry in whole if entry["type"] != "choices"]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"points": [[1, 2]], "polygonlabels": ["文案"]},
        {"x": "a", "y": 1, "width": 5, "height": 5},
        {"x": 140, "y": 10, "width": 20, "height": 20},
        {"x": -50, "y": 10, "width": 20, "height": 20},
        None,
    ],
)
def test_what_has_no_place_in_the_picture_is_left_out(value: Any) -> None:
    odd = {"from_name": "boxes", "type": "rectanglelabels", "value": value}
    assert drawn_of(CONFIG, odd) is None
    assert Interaction.of(CONFIG, [odd], NOTHING).silent
    assert Interaction.of(CONFIG, [region(COPY), odd], NOTHING).drawn == drawn_of(CONFIG, region(COPY))


def test_a_config_without_rectangles_has_no_place_for_them() -> None:
    xml = '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="文案"/></Choices></View>'
    assert drawn_of(LabelConfig.parse(xml), region(COPY)) is None


def test_tags_alone_when_the_boxes_failed_or_the_version_has_none() -> None:
    cold = Tagger.cold_start(LABELS, space="s", seed=1)
    drawn = Drawn(COPY, LABELS)
    (said,) = DrawnTagger(cold, drawn).predict([shop_picture(1)], boxes=False)
    assert (said.boxes, set(said.probabilities)) == ((), set(LABELS))
    bare = Tagger.cold_start(LABELS, space="s", seed=1, with_boxes=False)
    assert DrawnTagger(bare, drawn).predict([shop_picture(1)])[0].boxes == ()


def test_the_pictures_tags_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    cold = Tagger.cold_start(LABELS, space="s", seed=1)
    asked: list[torch.Tensor] = []

    def classify(item: object, drawn: object, probabilities: torch.Tensor) -> list[PredictedBox | None]:
        asked.append(probabilities)
        return [None]

    monkeypatch.setattr(type(cold.box_model), "classify_regions", lambda _, *given: classify(*given))
    (said,) = DrawnTagger(cold, Drawn(COPY, LABELS)).predict([shop_picture(1)])
    assert asked[0].tolist() == pytest.approx(cold.probabilities([shop_picture(1)])[0].tolist())
    assert said.boxes == ()


class ShopEncoders(CheapEncoders):
    """Every picture is the shop's."""

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        shop = shop_picture(1)
        return [
            replace(plain, blocks=shop.blocks, thumbnail_HW3=shop.thumbnail_HW3) if plain.blocks else plain
            for plain in super().extract(items)
        ]


def test_over_http_a_drawn_box_is_labelled_and_fitted_and_nothing_else_comes(tmp_path: Path, studio: Studio) -> None:
    body = captured.body("07")
    drawn = body["params"]["context"]["result"][0]
    rough = {"x": 48, "y": 85.5, "width": 43, "height": 8.5, "rotation": 0}
    body["params"]["context"]["result"] = [{**drawn, "value": rough}]
    with running(tmp_path, ShopEncoders(), label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        (found,) = ask(backend, body)["result"]
        assert (found["from_name"], found["value"]["rectanglelabels"]) == ("boxes", ["文案"])
        value = {key: found["value"][key] / 100 for key in ("x", "y", "width", "height")}
        fitted = Box(value["x"], value["y"], value["x"] + value["width"], value["y"] + value["height"])
        assert fitted.iou(COPY) > Box(0.48, 0.855, 0.91, 0.94).iou(COPY)
        body["params"]["context"]["result"] = [{**drawn, "value": {}}]
        assert ask(backend, body)["result"] == []


@pytest.mark.parametrize(
    ("name", "answered"),
    [
        ("30", []),
        ("31", []),
        ("32", ["_ZLw3k9eGO"]),
        ("33", ["SaBww9kqei"]),
        ("34", ["6x0VCyhB7z"]),
        ("35", ["7M7Wg9WPfK"]),
        ("36", ["cWIxUhkvic"]),
        ("38", ["1tXdBBfdxL"]),
        ("39", ["821hZ2qedj"]),
    ],
)
def test_over_http_what_the_browser_sent_is_answered_by_the_drawn_box_alone(
    tmp_path: Path, studio: Studio, name: str, answered: list[str]
) -> None:
    body = captured.body(name)
    body["tasks"][0]["data"]["image"] = captured.body("07")["tasks"][0]["data"]["image"]
    with running(tmp_path, ShopEncoders(), label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        found = ask(backend, body)["result"]
        assert [entry["id"] for entry in found] == answered
        untouched = {**body["tasks"][0], "drafts": [], "annotations": [], "predictions": []}
        empty = {**body["params"], "context": {"result": []}}
        whole = ask(backend, {**body, "tasks": [untouched], "params": empty})["result"]
        assert {entry["type"] for entry in whole} == {"choices", "rectanglelabels"}


def ask(backend: Backend, body: dict[str, Any]) -> dict[str, Any]:
    backend.setup({**captured.body("02"), "schema": body["label_config"]})
    answered = backend.client.post("/predict", json=body)
    assert answered.status_code == 200, answered.text
    (result,) = answered.json()["results"]
    given: dict[str, Any] = result
    return given
