"""Plain ways to boxes that the box model is compared with: cues on single read blocks, thresholded class attention."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from model.attention.batching import GRID
from model.boxes.elements import block_kinds
from model.boxes.model import BoxModel
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.item import ItemFeatures
from model.items import Box, PredictedBox

if TYPE_CHECKING:
    from model.tagger import Tagger

CENTRE = Box(0.15, 0.15, 0.85, 0.85)
SHARE_OF_PEAK = 0.5


def cued_blocks(model: BoxModel, features: Sequence[ItemFeatures]) -> list[tuple[PredictedBox, ...]]:
    """Each read block as an element of the kind its cues suggest, one central box for the product."""
    names = {model.lexicon.kind_of(label).name: label for label in model.labels}
    return [tuple(_cued(item, RoleReader(model.lexicon), names)) for item in features]


def _cued(item: ItemFeatures, reader: RoleReader, names: dict[str, str]) -> list[PredictedBox]:
    scene = Scene.of(item, reader)
    found = [
        PredictedBox(names[kind], box, min(1.0, 10 * box.height))
        for kind, box in zip(block_kinds(scene), scene.boxes, strict=True)
        if kind in names
    ]
    return [*found, PredictedBox(names["product"], CENTRE, 0.5)] if "product" in names else found


def attended(tagger: "Tagger", features: Sequence[ItemFeatures]) -> list[tuple[PredictedBox, ...]]:
    """Per class, the bounds of the grid cells that its attention gives at least half of its largest value."""
    attention = tagger.attention(features)
    probability_NK = tagger.probabilities(features)
    if attention is None:
        return [()] * len(features)
    answers = []
    for row, item in enumerate(features):
        maps_KR = attention.regions_BKR[row]
        boxes = [
            PredictedBox(label, _bounds(map_R.reshape(GRID, GRID)), float(p))
            for label, map_R, p in zip(tagger.labels, maps_KR, probability_NK[row], strict=True)
            if len(item.grid_RC)
        ]
        answers.append(tuple(boxes))
    return answers


def _bounds(map_HW: Tensor) -> Box:
    strong = map_HW >= SHARE_OF_PEAK * map_HW.max()
    rows, columns = (torch.nonzero(strong.any(axis))[:, 0] for axis in (1, 0))
    height, width = map_HW.shape
    return Box(
        int(columns[0]) / width, int(rows[0]) / height, (int(columns[-1]) + 1) / width, (int(rows[-1]) + 1) / height
    )
