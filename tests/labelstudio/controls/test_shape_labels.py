from typing import Any

import numpy as np
import pytest
from label_studio_sdk.converter.brush import encode_rle

from labelstudio.controls.shape_labels import ShapeLabels
from labelstudio.regions import NO_LABEL, NO_PLACE, Reading
from model.items import Box


def control(kind: str) -> ShapeLabels:
    return ShapeLabels("shapes", "image", kind, {"price": "价格"})


def region(kind: str, width: int = 20, height: int = 10, **value: Any) -> dict[str, Any]:
    return {"value": {kind: ["price"], **value}, "original_width": width, "original_height": height}


def mask(left: int, top: int, right: int, bottom: int) -> list[int]:
    """A 20 × 10 brush as Label Studio packs it."""
    pixels = np.zeros((10, 20, 4), dtype=np.uint8)
    pixels[top:bottom, left:right] = 255
    packed: list[int] = encode_rle(pixels.flatten())  # type: ignore[no-untyped-call]
    return packed


@pytest.mark.parametrize(
    ("kind", "value", "box"),
    [
        ("polygonlabels", {"points": [[10, 10], [30, 10], [30, 40]]}, Box(0.1, 0.1, 0.3, 0.4)),
        ("ellipselabels", {"x": 50, "y": 40, "radiusX": 10, "radiusY": 20, "rotation": 0}, Box(0.4, 0.2, 0.6, 0.6)),
        # A quarter turn of 10 % of 20 px by 20 % of 10 px: both radii are 2 px.
        ("ellipselabels", {"x": 50, "y": 40, "radiusX": 10, "radiusY": 20, "rotation": 90}, Box(0.4, 0.2, 0.6, 0.6)),
        ("brushlabels", {"format": "rle", "rle": mask(5, 2, 10, 6)}, Box(0.25, 0.2, 0.5, 0.6)),
    ],
)
def test_a_shape_is_read_by_the_box_around_it(kind: str, value: dict[str, Any], box: Box) -> None:
    reading = control(kind).read(region(kind, **value))
    assert (reading.labels, reading.problem) == (frozenset({"价格"}), "")
    assert reading.box is not None
    sides = [reading.box.left, reading.box.top, reading.box.right, reading.box.bottom]
    assert sides == pytest.approx([box.left, box.top, box.right, box.bottom], abs=0.003)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("polygonlabels", {"points": [[10, 10], [30]]}),
        ("polygonlabels", {"points": None}),
        ("ellipselabels", {"x": "left", "y": 40, "radiusX": 10, "radiusY": 20}),
        ("brushlabels", {"rle": []}),
        ("brushlabels", {"rle": mask(5, 2, 10, 6)[:8]}),
        ("brushlabels", {"rle": [255, 255, 255, 255, *mask(5, 2, 10, 6)[4:]]}),
        ("brushlabels", {"rle": "gone"}),
    ],
)
def test_a_shape_that_cannot_be_unpacked_keeps_its_label(kind: str, value: dict[str, Any]) -> None:
    assert control(kind).read(region(kind, **value)) == Reading(frozenset({"价格"}), None, NO_PLACE)


def test_a_key_point_says_that_its_label_is_there_and_not_where() -> None:
    point = control("keypointlabels")
    assert point.read(region("keypointlabels", x=5, y=5)) == Reading(frozenset({"价格"}))
    assert point.read({"value": {"x": 5, "y": 5}}).problem == NO_LABEL
