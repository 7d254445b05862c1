"""Interactive mode: the served model labels the region that an annotator drew or clicked, and fits its box."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from model.items import Box, LabelledBox, Prediction
from model.tagger import Tagger


@dataclass(frozen=True)
class DrawnTagger:
    """A tagger whose predictions have the drawn region as their only box."""

    tagger: Tagger
    drawn: Drawn

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]:
        """Return one prediction per item, in order; without ``boxes`` tags alone."""
        predictions = self.tagger.predict(features, boxes=False)
        if not boxes or self.tagger.box_model is None:
            return predictions
        labelled: list[Prediction] = []
        for item, prediction in zip(features, predictions, strict=True):
            likely_K = torch.tensor([prediction.probabilities[label] for label in self.tagger.labels])
            found = self.tagger.box_model.classify_regions(item, [self.drawn], likely_K)
            labelled.append(replace(prediction, boxes=tuple(box for box in found if box is not None)))
        return labelled


@dataclass(frozen=True)
class Interaction:
    """One interactive request about a task.

    ``drawing`` is the region that was drawn, with the others of the request's context; None when nothing was drawn.
    ``stored`` holds the regions that Label Studio stores for the task. ``empty`` says that the context had no regions.
    """

    config: LabelConfig
    drawing: Drawing | None
    stored: Stored
    empty: bool

    @classmethod
    def of(cls, config: LabelConfig, regions: Sequence[Region], stored: Stored) -> "Interaction":
        """Return the interaction for the ``regions`` of a request's context."""
        placed = [region for region in regions if drawn_of(config, region) is not None]
        return cls(config, Drawing.of(placed, stored), stored, not regions)

    @property
    def drawn(self) -> Drawn | None:
        """The drawn region as input of the model; None when nothing was drawn."""
        return drawn_of(self.config, self.drawing.region) if self.drawing else None

    @property
    def silent(self) -> bool:
        """Whether the answer must be empty.

        That is so when nothing was drawn and the task has boxes, or somebody has worked on its annotation. The
        annotator then has the predicted boxes already, or has removed them.
        """
        if self.drawing:
            return False
        started = self.stored.drafts is not None or self.stored.annotations is not None
        return not self.empty or started or bool(_boxes(self.config, self.stored.predictions))

    def result(self, prediction: Prediction, size: tuple[int, int], seed: str) -> list[Region]:
        """Return the prediction as regions of Label Studio.

        When something was drawn, the answer is for that region alone. Else the task is untouched and has no boxes, and
        the answer holds the regions of all controls that the stored prediction has no region of.
        """
        if self.drawing:
            return self._drawn_result(self.drawing, prediction, size, seed)
        predicted = {region.get("from_name") for region in self.stored.predictions}
        return [
            region for region in result_of(self.config, prediction, size, seed) if region["from_name"] not in predicted
        ]

    def _drawn_result(self, drawing: Drawing, prediction: Prediction, size: tuple[int, int], seed: str) -> list[Region]:
        """Return at most one region, of the control that was drawn with.

        The answer to a drawn rectangle has that rectangle's id, so that Label Studio replaces it when the annotator
        accepts the answer. A click remains beside its answer, whose id depends on the click.
        """
        region, drawn = drawing.region, drawn_of(self.config, drawing.region)
        # With a labelled rectangle the context contains all boxes of its label, as they are now. With anything else it
        # contains none of them, so the stored boxes have to be used.
        exact = drawn is not None and drawn.box.area > 0 and len(drawn.labels) == 1
        present = _boxes(self.config, drawing.others if exact else (*drawing.others, *self.stored.held))
        # The answer must not repeat a box that the annotation already has.
        boxes = tuple(
            box
            for box in prediction.boxes
            if not any(other.label == box.label and other.box.iou(box.box) >= SAME_ELEMENT for other in present)
        )
        names = {control.name for control in _controls(self.config, region)}
        result = result_of(self.config, replace(prediction, boxes=boxes), size, f"{seed}/{region}")
        written = [entry for entry in result if entry["from_name"] in names][:1]
        if isinstance(region.get("id"), str) and [region.get("from_name")] == [entry["from_name"] for entry in written]:
            return [{**entry, "id": region["id"]} for entry in written]
        # The digits after these mark a region of a stored proposal. The answer to a click is not stored as one.
        return [{**entry, "id": entry["id"][:PLAIN_ID]} for entry in written]


def drawn_of(config: LabelConfig, region: Region) -> Drawn | None:
    """Return the region as input of the model.

    None for a region without a place in the picture, and when the config has no rectangle control for the answer.
    """
    controls, value = _controls(config, region), region.get("value")
    box = box_of(region) if isinstance(value, dict) and "x" in value else None
    if box is None or not controls or not isinstance(value, dict):
        return None
    if str(region.get("type", "")).startswith("keypoint") or not (value.get("width") and value.get("height")):
        box = Box(box.left, box.top, box.left, box.top)
    elif box.area == 0:
        # The rectangle lies outside of the picture.
        return None
    known = {name: label for control in controls for name, label in control.labels.items()}
    # "rectanglelabels", "keypointlabels" and so on hold the labels that the annotator had chosen when drawing.
    names = [name for key in value if key.endswith("labels") for name in names_in(value, key)]
    chosen = [known[name] for name in names if name in known]
    return Drawn(box, tuple(chosen[:1] or dict.fromkeys(known.values())))


def _controls(config: LabelConfig, region: Region) -> Sequence[RectangleLabels]:
    """Return the rectangle control that drew the region, or all of them when a control of another kind drew it."""
    own = [control for control in config.rectangles if control.name == region.get("from_name")]
    return own or config.rectangles


def _boxes(config: LabelConfig, regions: Sequence[Region]) -> list[LabelledBox]:
    """Return the labelled boxes of those regions that rectangle controls of the config have drawn."""
    read = [
        control.read(region)
        for control in config.rectangles
        for region in regions
        if region.get("from_name") == control.name
    ]
    return [LabelledBox(label, one.box) for one in read if one.box is not None for label in sorted(one.labels)]
