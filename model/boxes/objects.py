"""Product and depicted gifts without gold: what stands out where saliency maps agree, and what stands at a 送."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model.boxes.elements import Element
from model.boxes.grouping import grown, union
from model.boxes.nms import ious, to_tensor
from model.boxes.outline import outlined
from model.boxes.saliency import Map, Mask, best_rectangles, raster_mask, rectangles
from model.boxes.scene import Scene
from model.items import Box

WHOLE = Element("product", Box(0.15, 0.15, 0.85, 0.85), 0.1)
DENIED = 0.1
"""Of the score where cues say that there is no product: some rectangle always stands out most, and is not shown."""
GIFT_REACH = 0.25
GIFT_SIZES = (0.005, 0.25)


def product_hypotheses(saliency: Sequence[Map], taken: Mask) -> list[Box]:
    """One rectangle for each saliency map and level."""
    return rectangles(saliency, taken)


def object_elements(
    scene: Scene, text: Sequence[Element], saliency: Sequence[Map], hypotheses: Sequence[Box], taken: Mask
) -> list[Element]:
    """The product, and one gift object for each announcement of a gift that has something depicted beside it."""
    if not saliency:
        return []
    rough = _agreed(hypotheses)
    box = outlined(scene.pixels, rough.box, scene.boxes)
    product = replace(rough, box=box, score=rough.score * (DENIED if "product" in scene.denied else 1.0))
    taken = taken | raster_mask([product.box])
    gifts = [_gift(element, saliency[0], taken) for element in text if element.kind == "gift"]
    return [product, *(gift for gift in gifts if gift is not None)]


def _agreed(hypotheses: Sequence[Box]) -> Element:
    """The hypothesis that the others overlap most; their mean overlap is its score."""
    if not hypotheses:
        return WHOLE
    edges = to_tensor(hypotheses)
    agreement = ious(edges, edges).mean(1)
    best = int(agreement.argmax())
    return Element("product", hypotheses[best], float(agreement[best]))


def _gift(announced: Element, saliency: Map, taken: Mask) -> Element | None:
    near = raster_mask([grown(announced.box, GIFT_REACH)])
    excess = np.where(near, np.where(taken, -0.1, saliency - saliency.mean()), -1.0)
    found = best_rectangles(excess[None])[0]
    if found is None or not GIFT_SIZES[0] <= found.area <= GIFT_SIZES[1]:
        return None
    box = union([found, announced.box]) if announced.sticker else found
    return Element("gift", box, 0.5, announced.blocks)
