"""What an annotator draws or clicks, from Label Studio's context to regions of its controls."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.interactive import DrawnTagger, drawn_of, drawn_result
from labelstudio.config import LabelConfig
from labelstudio.regions import Region
from model.boxes.drawn import Drawn
from model.features.item import ItemFeatures
from model.items import Box, Item, PredictedBox
from model.tagger import Tagger
from tests import captured
from tests.backend.parts import Backend, CheapEncoders, running
from tests.labelstudio.studio import Studio
from tests.model.boxes.pictures import shop_picture
from tests.model.boxes.test_model import COPY

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


def region(box: Box, label: str = "", control: str = "boxes", kind: str = "rectanglelabels") -> Region:
    place = {"x": box.left * 100, "y": box.top * 100, "width": box.width * 100, "height": box.height * 100}
    return {"id": "r", "from_name": control, "type": kind, "value": {**place, kind: [label] if label else []}}


def answer(regions: list[Region], config: LabelConfig = CONFIG) -> list[Region]:
    item = shop_picture(1)
    cold = Tagger.cold_start(config.labels, space="s", seed=1)
    (prediction,) = DrawnTagger(cold, drawn_of(config, regions)).predict([item])
    return drawn_result(config, prediction, item.size, regions, "seed")


def test_the_label_that_the_annotator_had_chosen_stays() -> None:
    assert drawn_of(CONFIG, [region(COPY, "价格")])[0].labels == ("价格",)
    assert [entry["value"]["rectanglelabels"] for entry in answer([region(COPY, "价格")])] == [["价格"]]


def test_a_region_without_label_may_have_any_label_of_its_own_control() -> None:
    assert drawn_of(CONFIG, [region(COPY)])[0].labels == LABELS
    (found,) = answer([region(COPY)])
    assert (found["from_name"], found["value"]["rectanglelabels"]) == ("boxes", ["文案"])
    (other,) = answer([region(COPY, control="parts")])
    assert other["from_name"] == "parts"
    assert other["value"]["rectanglelabels"][0] in PARTS


def test_a_label_of_another_control_is_not_taken_over() -> None:
    assert drawn_of(CONFIG, [region(COPY, "整图")])[0].labels == LABELS


def test_a_click_is_answered_by_a_rectangle() -> None:
    click = region(Box(0.7, 0.9, 0.705, 0.9), "文案", "points", "keypointlabels")
    assert drawn_of(CONFIG, [click]) == (Drawn(Box(0.7, 0.9, 0.7, 0.9), ("文案",)),)
    (found,) = answer([click])
    assert (found["type"], found["value"]["rectanglelabels"]) == ("rectanglelabels", ["文案"])
    assert found["value"]["width"] > 20


def test_several_regions_are_answered_together_and_no_answer_shares_an_id_with_another() -> None:
    regions = [region(COPY), region(Box(0.3, 0.3, 0.7, 0.75))]
    found = answer(regions)
    assert [entry["value"]["rectanglelabels"] for entry in found] == [["文案"], ["主体"]]
    later = answer([{**regions[0], "id": "another"}])
    assert len({entry["id"] for entry in [*found, *later, *answer([regions[1]])]}) == 4


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
    assert drawn_of(CONFIG, [{"from_name": "boxes", "type": "rectanglelabels", "value": value}]) == ()
    assert len(drawn_of(CONFIG, [{"from_name": "boxes", "value": value}, region(COPY)])) == 1


def test_a_config_without_rectangles_has_no_place_for_them() -> None:
    xml = '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="文案"/></Choices></View>'
    assert drawn_of(LabelConfig.parse(xml), [region(COPY)]) == ()


def test_tags_alone_when_the_boxes_failed_or_the_version_has_none() -> None:
    cold = Tagger.cold_start(LABELS, space="s", seed=1)
    drawn = [Drawn(COPY, LABELS)]
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
    (said,) = DrawnTagger(cold, [Drawn(COPY, LABELS)]).predict([shop_picture(1)])
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
        assert len(ask(backend, body)["result"]) > 1, "a question like any other"


def ask(backend: Backend, body: dict[str, Any]) -> dict[str, Any]:
    backend.setup({**captured.body("02"), "schema": body["label_config"]})
    answered = backend.client.post("/predict", json=body)
    assert answered.status_code == 200, answered.text
    (result,) = answered.json()["results"]
    given: dict[str, Any] = result
    return given
