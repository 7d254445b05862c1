"""Product and depicted gifts without gold: the rectangles that saliency maps agree on, and what stands at a 送."""

from collections.abc import Sequence

import numpy as np

from model.boxes.elements import Element
from model.boxes.grouping import union
from model.boxes.nms import ious, to_tensor
from model.boxes.saliency import Map, Mask, best_rectangle, maps, raster_mask, rectangles
from model.boxes.scene import Scene
from model.items import Box

WHOLE = Element("product", Box(0.15, 0.15, 0.85, 0.85), 0.1)
GIFT_REACH = 0.25


def object_elements(scene: Scene, text: Sequence[Element]) -> list[Element]:
    """The product, and one gift object for each announcement of a gift that has something depicted beside it."""
    if not scene.pixels.size:
        return []
    taken = raster_mask([element.box for element in text])
    saliency = maps(scene.item, scene.pixels, taken)
    product = _agreed(rectangles(saliency, taken))
    taken |= raster_mask([_shrunk(product.box)])
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
    box = announced.box
    near = raster_mask(
        [
            Box(
                max(0.0, box.left - GIFT_REACH),
                max(0.0, box.top - GIFT_REACH),
                min(1.0, box.right + GIFT_REACH),
                min(1.0, box.bottom + GIFT_REACH),
            )
        ]
    )
    excess = np.where(near, np.where(taken, -0.1, saliency - saliency.mean()), -1.0)
    found = best_rectangle(excess)
    if found is None or not 0.005 <= found.area <= 0.25:
        return None
    return Element("gift", union([found, box]) if announced.sticker else found, 0.5, announced.blocks)


def _shrunk(box: Box) -> Box:
    return box
