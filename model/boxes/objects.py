"""Product and depicted gifts without gold: what stands out most, and objects beside the announcement of a gift."""

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

# The product if no saliency map suggests a rectangle.
WHOLE = Element("product", Box(0.15, 0.15, 0.85, 0.85), 0.1)
# Factor of the product's score if the cues give no tag for it. Some rectangle always stands out most, but must not be
# shown then.
DENIED = 0.1
# A depicted gift is searched this far around its announcement, in sides of the picture.
GIFT_REACH = 0.25
# Smallest and largest area of a depicted gift.
GIFT_SIZES = (0.005, 0.25)


def product_hypotheses(saliency: Sequence[Map], taken: Mask) -> list[Box]:
    """Return one rectangle for each saliency map and level; cells in ``taken`` (read text) count as 0."""
    return rectangles(saliency, taken)


def object_elements(
    scene: Scene, text: Sequence[Element], saliency: Sequence[Map], hypotheses: Sequence[Box], taken: Mask
) -> list[Element]:
    """Return the product, then one depicted gift for each gift announcement that has an object beside it.

    ``text`` are the elements of read text, ``hypotheses`` the rectangles of ``product_hypotheses``. Without saliency
    maps (no picture) the list is empty.
    """
    if not saliency:
        return []
    product = WHOLE
    if hypotheses:
        # The product is the hypothesis that the others overlap most; the score is its mean overlap with all.
        edges = to_tensor(hypotheses)
        agreement = ious(edges, edges).mean(1)
        best = int(agreement.argmax())
        product = Element("product", hypotheses[best], float(agreement[best]))
    box = outlined(scene.pixels, product.box, scene.boxes)
    product = replace(product, box=box, score=product.score * (DENIED if "product" in scene.denied else 1.0))
    found, taken = [product], taken | raster_mask([box])
    for announced in text:
        if announced.kind != "gift":
            continue
        near = raster_mask([grown(announced.box, GIFT_REACH)])
        # A gift may touch text and product, so their cells cost little; cells far from the announcement cost much.
        excess = np.where(near, np.where(taken, -0.1, saliency[0] - saliency[0].mean()), -1.0)
        gift = best_rectangles(excess[None])[0]
        if gift is not None and GIFT_SIZES[0] <= gift.area <= GIFT_SIZES[1]:
            extent = union([gift, announced.box]) if announced.sticker else gift
            found.append(Element("gift", extent, 0.5, announced.blocks))
    return found
