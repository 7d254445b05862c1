"""Baselines of the box model: cues on single read blocks, and thresholded attention of the classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from model.attention.batching import GRID
from model.boxes.elements import block_kinds
from model.boxes.model import BoxModel
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.item import ItemFeatures
from model.items import Box, PredictedBox

if TYPE_CHECKING:
    from model.tagger import Tagger

# The product's box where only cues on text are used.
CENTRE = Box(0.15, 0.15, 0.85, 0.85)
# A cell with at least this share of the largest attention is part of the box.
SHARE_OF_PEAK = 0.5


def cued_blocks(model: BoxModel, features: Sequence[ItemFeatures]) -> list[tuple[PredictedBox, ...]]:
    """Return for each item its read blocks, each as an element of the kind its cues suggest, and a central product."""
    names = {model.lexicon.kind_of(label).name: label for label in model.labels}
    reader = RoleReader(model.lexicon)
    product = [PredictedBox(names["product"], CENTRE, 0.5)] if "product" in names else []
    answers = []
    for item in features:
        scene = Scene.of(item, reader)
        found = [
            # Larger print is more often an element.
            PredictedBox(names[kind], box, min(1.0, 10 * box.height))
            for kind, box in zip(block_kinds(scene), scene.boxes, strict=True)
            if kind in names
        ]
        answers.append((*found, *product))
    return answers


def attended(tagger: "Tagger", features: Sequence[ItemFeatures]) -> list[tuple[PredictedBox, ...]]:
    """Return for each item one box per class: the bounds of the grid cells with at least half of the largest attention.

    An item without a picture has no boxes; neither has any item where the network's fusion has no class attention.
    """
    attention = tagger.attention(features)
    probability_NK = tagger.probabilities(features)
    if attention is None:
        return [()] * len(features)
    answers = []
    for row, item in enumerate(features):
        boxes = []
        for label, map_R, p in zip(tagger.labels, attention.regions_BKR[row], probability_NK[row], strict=True):
            if len(item.grid_RC):
                strong = (map_R >= SHARE_OF_PEAK * map_R.max()).reshape(GRID, GRID)
                rows, columns = (torch.nonzero(strong.any(axis))[:, 0] for axis in (1, 0))
                top, bottom = int(rows[0]) / GRID, (int(rows[-1]) + 1) / GRID
                left, right = int(columns[0]) / GRID, (int(columns[-1]) + 1) / GRID
                boxes.append(PredictedBox(label, Box(left, top, right, bottom), float(p)))
        answers.append(tuple(boxes))
    return answers
