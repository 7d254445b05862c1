"""Interactive mode: what an annotator drew or clicked → the same region, labelled and fitted by the served model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from labelstudio.config import LabelConfig
from labelstudio.controls.rectangle_labels import RectangleLabels, box_of
from labelstudio.drawing import Drawing, Stored
from labelstudio.opinion import SAME_ELEMENT
from labelstudio.proposals import PLAIN_ID
from labelstudio.regions import Region, names_in
from labelstudio.results import result_of
from model.boxes.drawn import Drawn
from model.features.item import ItemFeatures
from model.items import Box, LabelledBox, PredictedBox, Prediction
from model.tagger import Tagger


@dataclass(frozen=True)
class DrawnTagger:
    """A tagger whose predictions have the drawn region for a box, and no others."""

    tagger: Tagger
    drawn: Drawn

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]:
        """One prediction per item, in order; without ``boxes`` tags alone."""
        said = self.tagger.predict(features, boxes=False)
        if not boxes:
            return said
        return [
            replace(prediction, boxes=self._boxes(item, prediction))
            for item, prediction in zip(features, said, strict=True)
        ]

    def _boxes(self, item: ItemFeatures, prediction: Prediction) -> tuple[PredictedBox, ...]:
        if self.tagger.box_model is None:
            return ()
        likely_K = torch.tensor([prediction.probabilities[label] for label in self.tagger.labels])
        found = self.tagger.box_model.classify_regions(item, [self.drawn], likely_K)
        return tuple(box for box in found if box is not None)


@dataclass(frozen=True)
class Interaction:
    """One interactive request about a task: the regions of its context, and what Label Studio stores for the task."""

    config: LabelConfig
    drawing: Drawing | None
    stored: Stored
    empty: bool

    @classmethod
    def of(cls, config: LabelConfig, regions: Sequence[Region], stored: Stored) -> "Interaction":
        placed = [region for region in regions if drawn_of(config, region) is not None]
        return cls(config, Drawing.of(placed, stored), stored, not regions)

    @property
    def drawn(self) -> Drawn | None:
        """What the model is asked about; None when nothing was drawn."""
        return drawn_of(self.config, self.drawing.region) if self.drawing else None

    @property
    def silent(self) -> bool:
        """Whether nothing is to be answered.

        Nothing was drawn, and the annotation has boxes already, or somebody has worked on it: all that would be
        answered is there, or was taken away.
        """
        if self.drawing:
            return False
        started = self.stored.drafts is not None or self.stored.annotations is not None
        return not self.empty or started or bool(_boxes(self.config, self.stored.predictions))

    def result(self, prediction: Prediction, size: tuple[int, int], seed: str) -> list[Region]:
        """The prediction as regions: the drawn one's, or for an untouched task without boxes all that it lacks."""
        if self.drawing:
            return self._drawn_result(self.drawing, prediction, size, seed)
        there = {region.get("from_name") for region in self.stored.predictions}
        return [region for region in result_of(self.config, prediction, size, seed) if region["from_name"] not in there]

    def _drawn_result(self, drawing: Drawing, prediction: Prediction, size: tuple[int, int], seed: str) -> list[Region]:
        """At most one region, of the control that was drawn with.

        A drawn rectangle's answer has its id, so that Label Studio puts it in the drawn one's place when it is
        accepted. A click stays beside its answer, whose id hangs on the click.
        """
        held = self._held(drawing)
        alone = replace(prediction, boxes=tuple(box for box in prediction.boxes if not _is_twin(box, held)))
        names = {control.name for control in _controls(self.config, drawing.region)}
        written = [
            region
            for region in result_of(self.config, alone, size, f"{seed}/{drawing.region}")
            if region["from_name"] in names
        ][:1]
        drawn = drawing.region
        if isinstance(drawn.get("id"), str) and [drawn.get("from_name")] == [region["from_name"] for region in written]:
            return [{**region, "id": drawn["id"]} for region in written]
        # A click's answer is no part of a proposal, whose marks say what an annotator was shown first.
        return [{**region, "id": region["id"][:PLAIN_ID]} for region in written]

    def _held(self, drawing: Drawing) -> list[LabelledBox]:
        """The boxes of the annotation that the answer could repeat.

        Beside a rectangle with a label the context has all boxes of that label, as they are now. Else it has none of
        them, and what is stored has to do.
        """
        drawn = drawn_of(self.config, drawing.region)
        exact = drawn is not None and drawn.box.area > 0 and len(drawn.labels) == 1
        return _boxes(self.config, drawing.others if exact else (*drawing.others, *self.stored.held))


def drawn_of(config: LabelConfig, region: Region) -> Drawn | None:
    """The region as the model is asked about it; None without a place in the picture or a control to answer in."""
    controls, value = _controls(config, region), region.get("value")
    box = box_of(region) if isinstance(value, dict) and "x" in value else None
    if box is None or not controls or not isinstance(value, dict):
        return None
    if str(region.get("type", "")).startswith("keypoint") or not (value.get("width") and value.get("height")):
        box = Box(box.left, box.top, box.left, box.top)
    elif box.area == 0:
        return None  # drawn beside the picture
    known = {name: label for control in controls for name, label in control.labels.items()}
    chosen = [known[name] for name in _names(value) if name in known]
    return Drawn(box, tuple(chosen[:1] or dict.fromkeys(known.values())))


def _controls(config: LabelConfig, region: Region) -> Sequence[RectangleLabels]:
    """The rectangle control that drew it; any, where another kind of control did."""
    own = [control for control in config.rectangles if control.name == region.get("from_name")]
    return own or config.rectangles


def _names(value: Mapping[str, Any]) -> list[str]:
    """The labels that the annotator had chosen when drawing."""
    return [name for key in value if key.endswith("labels") for name in names_in(value, key)]


def _boxes(config: LabelConfig, regions: Sequence[Region]) -> list[LabelledBox]:
    """Boxes that these regions of rectangle controls mark."""
    read = [
        control.read(region)
        for control in config.rectangles
        for region in regions
        if region.get("from_name") == control.name
    ]
    return [LabelledBox(label, one.box) for one in read if one.box is not None for label in sorted(one.labels)]


def _is_twin(box: PredictedBox, held: Sequence[LabelledBox]) -> bool:
    return any(other.label == box.label and other.box.iou(box.box) >= SAME_ELEMENT for other in held)
