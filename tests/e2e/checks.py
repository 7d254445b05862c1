"""What must hold between a stored prediction and what the annotator sees; each check names what is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.browser import Shown

TOLERANCE_PX = 1.0


def prediction_of(task: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """The task's stored prediction of a version, which must hold something.

    For an hour there may be a second one, if Label Studio asked for the task before it was refreshed. It must say the
    same.
    """
    found = [one for one in task["predictions"] if one["model_version"] == version]
    stored = [one["model_version"] for one in task["predictions"]]
    assert 1 <= len(found) <= 2, f"task {task['id']} has predictions of {stored}, expected one or two of {version}"
    for one in found:
        assert one["result"], f"task {task['id']}: the prediction of {version} is empty"
        assert _say_the_same(one, found[0]), f"task {task['id']}: two predictions of {version} differ"
    return dict(found[0])


def _say_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether tags are equal and boxes closer than kept answers are rounded (five decimals of the picture)."""
    boxes, others = rectangles_of(one, 1, 1), rectangles_of(other, 1, 1)
    if tags_of(one) != tags_of(other) or len(boxes) != len(others):
        return False
    return all(_close(box, same, 1e-4) for box, same in zip(boxes, others, strict=True))


def tags_of(prediction: Mapping[str, Any]) -> frozenset[str]:
    """Predicted tags."""
    chosen = [region["value"]["choices"] for region in prediction["result"] if region["type"] == "choices"]
    return frozenset(tag for tags in chosen for tag in tags)


def rectangles_of(
    prediction: Mapping[str, Any], width: float, height: float
) -> list[tuple[float, float, float, float]]:
    """Predicted rectangles (left, top, right, bottom) in pixels of a picture shown at ``width`` × ``height``."""
    values = [region["value"] for region in prediction["result"] if region["type"] == "rectanglelabels"]
    return sorted(
        (
            value["x"] * width / 100,
            value["y"] * height / 100,
            (value["x"] + value["width"]) * width / 100,
            (value["y"] + value["height"]) * height / 100,
        )
        for value in values
    )


def check_shown(shown: Shown, prediction: Mapping[str, Any]) -> None:
    """The page shows exactly the prediction: its tags ticked, its rectangles drawn within a pixel."""
    assert shown.tags == tags_of(prediction), f"ticked {set(shown.tags)}, predicted {set(tags_of(prediction))}"
    expected = rectangles_of(prediction, shown.width, shown.height)
    assert len(shown.rectangles) == len(expected), (
        f"{len(shown.rectangles)} rectangles drawn, {len(expected)} predicted"
    )
    for drawn, wanted in zip(sorted(shown.rectangles), expected, strict=True):
        assert _close(drawn, wanted), f"drawn at {drawn} px, predicted at {wanted} px"
    if expected:
        extent = _extent(expected)
        assert any(_close(one, extent, TOLERANCE_PX + 1) for one in shown.painted), (
            f"painted {shown.painted}, predicted extent {extent}"
        )


def _close(one: Sequence[float], other: Sequence[float], tolerance: float = TOLERANCE_PX) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _extent(boxes: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)
