"""Candidates of a picture: every rectangle that may be an element, from all sources.

The sources are read blocks one by one and grouped at several reaches, the plates (areas of one colour) under them,
rectangles of the saliency maps, clusters of edges, the elements that cues find, and boxes that sources of others
propose (``ItemFeatures.said``). The box head scores candidates; this module rejects only near duplicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from model.boxes.contours import contours
from model.boxes.elements import Element, text_elements
from model.boxes.grouping import connected, union
from model.boxes.nms import ious, suppress, to_tensor
from model.boxes.objects import object_elements, product_hypotheses
from model.boxes.saliency import Map, maps, raster_mask, rectangles
from model.boxes.scene import Scene
from model.items import Box

# Gaps in line heights up to which lines of text are grouped; each reach gives its own groups.
REACHES = (0.1, 0.3, 0.6, 1.0)
# Of two text boxes (object boxes) that overlap more than this (IoU), only one is kept.
SAME_TEXT = 0.97
SAME_OBJECT = 0.85
# Levels at which objects besides the product are searched.
REST_LEVELS = (0.5, 1.0)


@dataclass(frozen=True)
class Candidates:
    """Candidates of one picture.

    ``boxes_N4`` are their edges; ``from_text_N`` is True for those made of read blocks. ``objects_M4`` are the
    rectangles of the saliency maps and ``contours_M4`` the bounds of edge clusters. Both keep duplicates, because a
    candidate's descriptor says how many rectangles agree with it. Shape suffixes: N candidates, M rectangles; 4 edges.
    """

    scene: Scene
    elements: tuple[Element, ...]
    saliency: tuple[Map, ...]
    objects_M4: Tensor
    contours_M4: Tensor
    boxes_N4: Tensor
    from_text_N: Tensor  # bool

    def with_boxes(self, boxes: Sequence[Box]) -> "Candidates":
        """Return the candidates with boxes that an annotator drew added at the end."""
        edges_N4 = torch.cat([self.boxes_N4, to_tensor(boxes)])
        return replace(self, boxes_N4=edges_N4, from_text_N=torch.cat([self.from_text_N, torch.zeros(len(boxes)) > 0]))


def candidates(scene: Scene) -> Candidates:
    """Return all candidates of a scene without near duplicates; no candidates for an item without a picture."""
    text = text_elements(scene)
    taken = raster_mask([element.box for element in text])
    saliency = maps(scene.item, scene.pixels, taken)
    hypotheses = product_hypotheses(saliency, taken)
    elements = [*text, *object_elements(scene, text, saliency, hypotheses, taken)]
    written = [*_text_boxes(scene, text), *(element.box for element in elements if element.kind != "product")]
    product = [element.box for element in elements if element.kind == "product"]
    outlined = [*contours(scene.pixels, scene.boxes), *contours(scene.pixels, [*scene.boxes, *product])]
    # Gifts and further products: what stands out once the product, and then the last rectangle found, is masked.
    further: list[Box] = []
    masked = taken | raster_mask(product)
    for _ in range(3):
        more = rectangles(saliency[:1], masked, levels=REST_LEVELS)
        further += more
        masked = masked | raster_mask(more[-1:])
    objects_M4 = to_tensor([*product, *hypotheses, *further, *outlined, *scene.item.said.boxes])
    written_M4 = to_tensor(written)
    alike = (_distinct(written_M4, SAME_TEXT), _distinct(objects_M4, SAME_OBJECT))
    edges = torch.cat([written_M4[alike[0]], objects_M4[alike[1]]])
    from_text = torch.arange(len(edges)) < len(alike[0])
    return Candidates(scene, tuple(elements), saliency, to_tensor(hypotheses), to_tensor(outlined), edges, from_text)


def _text_boxes(scene: Scene, text: list[Element]) -> list[Box]:
    """Return the bounds of read blocks, alone and grouped at several reaches, and the plates under these bounds."""
    everything = range(len(scene.boxes))
    groups = {(block,) for block in everything} | {element.blocks for element in text}
    for reach in REACHES:
        groups |= set(connected(everything, scene.layout.same_copy(reach)))
    groups |= set(connected(everything, scene.layout.beside))
    boxes = [union([scene.boxes[block] for block in group]) for group in sorted(groups)]
    plates = [scene.plate(box) for box in boxes]
    return [*boxes, *(plate for plate in plates if plate is not None)]


def _distinct(edges_N4: Tensor, same: float) -> list[int]:
    """Return rows of boxes of which no two overlap more than ``same``; of two such boxes the first is kept."""
    return suppress((ious(edges_N4, edges_N4) > same).numpy(), np.zeros(len(edges_N4)))
