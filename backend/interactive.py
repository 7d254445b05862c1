"""Interactive mode: what an annotator drew or clicked → the same regions, labelled and fitted by the served model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from labelstudio.config import LabelConfig
from labelstudio.controls.rectangle_labels import RectangleLabels, box_of
from labelstudio.regions import Region, names_in
from labelstudio.results import result_of
from model.boxes.drawn import Drawn
from model.features.item import ItemFeatures
from model.items import Box, PredictedBox, Prediction
from model.tagger import Tagger


@dataclass(frozen=True)
class DrawnTagger:
    """A tagger whose predictions have the drawn regions for boxes, and no others."""

    tagger: Tagger
    drawn: Sequence[Drawn]

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
        found = self.tagger.box_model.classify_regions(item, self.drawn, likely_K)
        return tuple(box for box in found if box is not None)


def drawn_of(config: LabelConfig, regions: Sequence[Region]) -> tuple[Drawn, ...]:
    """What of Label Studio's context has a place in the picture and a rectangle control to answer in."""
    found = (_drawn(_controls(config, region), region) for region in regions)
    return tuple(drawn for drawn in found if drawn is not None)


def drawn_result(
    config: LabelConfig, prediction: Prediction, size: tuple[int, int], regions: Sequence[Region], seed: str
) -> list[Region]:
    """A ``DrawnTagger``'s prediction as regions of the controls that were drawn with.

    Their ids hang on what was drawn too: the annotation holds earlier answers, and regions made of the prediction.
    """
    names = {control.name for region in regions for control in _controls(config, region)}
    written = result_of(config, prediction, size, f"{seed}/{regions}")
    return [region for region in written if region["from_name"] in names]


def _controls(config: LabelConfig, region: Region) -> Sequence[RectangleLabels]:
    """The rectangle control that drew it; any, where another kind of control did."""
    own = [control for control in config.rectangles if control.name == region.get("from_name")]
    return own or config.rectangles


def _drawn(controls: Sequence[RectangleLabels], region: Region) -> Drawn | None:
    value = region.get("value")
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


def _names(value: Mapping[str, Any]) -> list[str]:
    """The labels that the annotator had chosen when drawing."""
    return [name for key in value if key.endswith("labels") for name in names_in(value, key)]
