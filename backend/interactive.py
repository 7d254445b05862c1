"""Interactive mode: what an annotator just drew → its class, and a box that fits the thing tightly."""

from collections.abc import Sequence
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.controls.rectangle_labels import RectangleLabels, box_of
from labelstudio.regions import Region, names_in
from labelstudio.results import result_of
from model.features.item import ItemFeatures
from model.items import Box, PredictedBox, Prediction

SAME_THING = 0.5  # IoU from which a predicted box is what was drawn, whatever its label
LIKELY_SAME = 0.3  # IoU that is enough when the label agrees
INSIDE = 0.6  # share of a read block that must lie in the drawn box
FILLED = 0.25  # share of the drawn box that its text must cover for the text to be the thing


def drawn_answer(
    config: LabelConfig, prediction: Prediction, features: ItemFeatures, drawn: Sequence[Region], seed: str
) -> list[Region] | None:
    """Regions for what was drawn, in this config; None when nothing drawn has a place (then all is answered)."""
    boxes = [box for region in drawn if (box := _refined(config, prediction, features, region)) is not None]
    if not boxes:
        return None
    alone = Prediction(prediction.probabilities, (), tuple(boxes), prediction.score)
    rectangles = {control.name for control in config.rectangles}
    return [region for region in result_of(config, alone, features.size, seed) if region["from_name"] in rectangles]


def _refined(
    config: LabelConfig, prediction: Prediction, features: ItemFeatures, region: Region
) -> PredictedBox | None:
    value = region.get("value")
    box = box_of(region) if isinstance(value, dict) and "x" in value else None
    if box is None or not config.rectangles:
        return None
    label = _label(config, region, value or {})
    if box.area == 0 or str(region.get("type", "")).startswith("keypoint"):
        return _at_point(prediction.boxes, box, label)
    best = max(prediction.boxes, key=lambda entry: _fit(entry, box, label), default=None)
    if best is not None and _fit(best, box, label) >= SAME_THING:
        return best
    label = label or _likeliest(config.rectangles, prediction)
    score = prediction.probabilities.get(label, 0.0) if label else 0.0
    return PredictedBox(label, _tight(box, features), score) if label else None


def _fit(predicted: PredictedBox, drawn: Box, label: str | None) -> float:
    """IoU, lifted where the annotator's own label agrees."""
    return predicted.box.iou(drawn) + (SAME_THING - LIKELY_SAME) * (predicted.label == label)


def _at_point(boxes: Sequence[PredictedBox], point: Box, label: str | None) -> PredictedBox | None:
    """The smallest predicted box around a point, of the point's label if there is one."""
    x, y = point.left, point.top
    around = [
        entry for entry in boxes if entry.box.left <= x <= entry.box.right and entry.box.top <= y <= entry.box.bottom
    ]
    own = [entry for entry in around if entry.label == label]
    return min(own or around, key=lambda entry: entry.box.area, default=None)


def _label(config: LabelConfig, region: Region, value: dict[str, Any]) -> str | None:
    """The model's label that the annotator had chosen when drawing."""
    names = [name for key in value if key.endswith("labels") for name in names_in(value, key)]
    for control in config.rectangles:
        for name in names:
            if name in control.labels:
                return control.labels[name]
    return None


def _likeliest(controls: Sequence[RectangleLabels], prediction: Prediction) -> str | None:
    labels = [label for control in controls for label in control.labels.values() if label in prediction.probabilities]
    return max(labels, key=prediction.probabilities.__getitem__, default=None)


def _tight(drawn: Box, features: ItemFeatures) -> Box:
    """Around the text inside, where text is what was drawn; else as drawn."""
    inside = [block.box for block in features.blocks if block.box.area and _overlap(block.box, drawn) >= INSIDE]
    if not inside:
        return drawn
    around = Box(
        min(box.left for box in inside),
        min(box.top for box in inside),
        max(box.right for box in inside),
        max(box.bottom for box in inside),
    )
    return around if around.area >= FILLED * drawn.area else drawn


def _overlap(box: Box, other: Box) -> float:
    """Share of ``box`` that lies in ``other``."""
    width = min(box.right, other.right) - max(box.left, other.left)
    height = min(box.bottom, other.bottom) - max(box.top, other.top)
    return max(width, 0.0) * max(height, 0.0) / box.area
