import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio.controls.rectangle_labels import RectangleLabels, box_of, percent
from labelstudio.regions import NO_LABEL, NO_PLACE, NO_VALUE, UNKNOWN_NAME, Reading
from model.items import Box, PredictedBox, Prediction

CONTROL = RectangleLabels("boxes", "image", {"LOGO": "LOGO", "gift": "赠品"})
FRACTION = st.floats(-0.5, 1.5)


def region(**value: Any) -> dict[str, Any]:
    return {"value": value, "original_width": 200, "original_height": 100, "image_rotation": 0}


def drawn(label: str = "LOGO", **value: Any) -> dict[str, Any]:
    place = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": [label]}
    return {**region(**(place | value)), "from_name": "boxes", "type": "rectanglelabels"}


def prediction(*boxes: PredictedBox) -> Prediction:
    return Prediction({"LOGO": 0.5, "赠品": 0.5}, (), boxes, 0.5)


@given(FRACTION, FRACTION, FRACTION, FRACTION)
def test_percentages_stay_inside_for_any_box(left: float, top: float, right: float, bottom: float) -> None:
    box = percent(Box(min(left, right), min(top, bottom), max(left, right), max(top, bottom)))
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["width"] > 0
    assert box["height"] > 0
    assert box["x"] + box["width"] <= 100
    assert box["y"] + box["height"] <= 100


def test_a_box_that_ends_at_the_edge_ends_there_wherever_it_begins() -> None:
    """Of each side that four decimals can name every 71st: a sum of two floats could round up past 100."""
    ends = [place["x"] + place["width"] for k in range(0, 10**6, 71) if (place := percent(Box(k / 1e6, 0, 1, 1)))]
    assert max(ends) == 100
    assert min(ends) > 99.9998


@given(st.tuples(*[st.floats(0, 1)] * 4))
def test_a_box_comes_back_from_its_percentages(sides: tuple[float, float, float, float]) -> None:
    left, right = sorted(sides[:2])
    top, bottom = sorted(sides[2:])
    back = box_of(region(**percent(Box(left, top, right, bottom))))
    assert back is not None
    for got, wanted in zip((back.left, back.top, back.right, back.bottom), (left, top, right, bottom), strict=True):
        assert got == pytest.approx(wanted, abs=2e-6)


def test_a_turned_rectangle_gives_the_upright_one_around_it() -> None:
    # 20 × 10 % of a 200 × 100 picture is 40 × 10 px; a quarter turn about its top left corner lies left and below.
    turned = box_of(region(x=50, y=10, width=20, height=10, rotation=90))
    assert turned is not None
    sides = [turned.left, turned.right, turned.top, turned.bottom]
    assert sides == pytest.approx([0.45, 0.5, 0.1, 0.5])


@pytest.mark.parametrize(
    "value",
    [
        {"x": math.nan, "y": 0, "width": 1, "height": 1},
        {"x": "1", "y": 0, "width": 1, "height": 1},
        {"x": True, "y": 0, "width": 1, "height": 1},
        {"x": None, "y": 0, "width": 1, "height": 1},
        {"x": math.inf, "y": 0, "width": 1, "height": 1},
        {"x": 10**400, "y": 0, "width": 1, "height": 1},
        {"x": 0, "y": 0, "width": 1e308, "height": 1, "rotation": 30},
    ],
)
def test_a_region_without_numbers_is_no_box(value: dict[str, Any]) -> None:
    assert box_of(region(**value)) is None


@pytest.mark.parametrize("side", [math.nan, math.inf, 10**400, 0, -1, 1e-300, True, "9"])
def test_an_unusable_size_of_the_picture_counts_as_square(side: Any) -> None:
    turned = {**region(x=50, y=10, width=20, height=10, rotation=90), "original_width": side}
    assert box_of(turned) == box_of({**turned, "original_width": 100})


@pytest.mark.parametrize("turn", [0, 90, 180, 270, None])
def test_a_turned_picture_leaves_coordinates_as_they_are(turn: int | None) -> None:
    """Label Studio 1.23.2 writes the annotator's turn into every region and keeps the unturned coordinates."""
    assert box_of({**region(x=10, y=20, width=30, height=40), "image_rotation": turn}) == Box(0.1, 0.2, 0.4, 0.6)


def test_a_region_names_its_labels_and_its_place() -> None:
    gift, logo = CONTROL.read(drawn("gift")), CONTROL.read(drawn("LOGO", x=95))
    assert (gift.labels, gift.problem) == (frozenset({"赠品"}), "")
    assert gift.box is not None
    assert gift.box.iou(Box(0.1, 0.2, 0.4, 0.6)) == pytest.approx(1)
    assert logo.box is not None
    assert logo.box.right == 1.0


def test_what_is_not_understood_of_a_region_is_told_and_the_rest_counts() -> None:
    unlabelled = drawn()
    del unlabelled["value"]["rectanglelabels"]
    assert CONTROL.read(drawn("unknown")).problem == UNKNOWN_NAME
    assert CONTROL.read(unlabelled) == Reading(frozenset(), None, NO_LABEL)
    assert CONTROL.read({"from_name": "boxes"}) == Reading(frozenset(), None, NO_VALUE)
    assert CONTROL.read(drawn("LOGO", x="left")) == Reading(frozenset({"LOGO"}), None, NO_PLACE)
    assert CONTROL.read(drawn("LOGO", width=0)) == Reading(frozenset(), None, NO_PLACE)


def test_written_regions_carry_the_name_of_results_and_the_pictures_size() -> None:
    written = CONTROL.write(prediction(PredictedBox("赠品", Box(0.1, 0.2, 0.4, 0.6), 0.7)), (640, 480))
    assert len(written) == 1
    assert written[0]["value"]["rectanglelabels"] == ["gift"]
    assert (written[0]["original_width"], written[0]["original_height"]) == (640, 480)
    assert written[0]["score"] == 0.7
    assert CONTROL.read(written[0]).labels == {"赠品"}


def test_without_a_picture_there_are_no_rectangles() -> None:
    assert CONTROL.write(prediction(PredictedBox("LOGO", Box(0, 0, 1, 1), 0.7)), (0, 0)) == []


def test_labels_of_other_controls_are_not_drawn() -> None:
    assert CONTROL.write(prediction(PredictedBox("价格", Box(0, 0, 1, 1), 0.7)), (10, 10)) == []
