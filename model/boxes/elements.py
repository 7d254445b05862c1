"""Elements that the read text shows, found by cues alone: price, announcement of a gift, logo, copy."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.boxes.contours import cluster_around
from model.boxes.grouping import connected, union
from model.boxes.scene import Scene
from model.items import Box

# Lines of copy are one element up to this gap, in line heights.
COPY_REACH = 0.3
# Logos stand in this upper part of a picture.
TOP = 0.15
# An element without any sign but the cues of its tag has this share of the tag's probability as its score.
REASON_SHARE = 0.5


@dataclass(frozen=True)
class Element:
    """A part of the picture that may be of a kind. ``score`` in [0, 1] ranks elements and is no probability.

    ``blocks`` are the read blocks in it; ``sticker`` is True where one of them is only 送, 赠 or the like.
    """

    kind: str
    box: Box
    score: float
    blocks: tuple[int, ...] = ()
    sticker: bool = False


def text_elements(scene: Scene) -> list[Element]:
    """Return elements made of read blocks, neighbouring blocks of one kind joined.

    Each block is in the element of the kind that its words suggest. If no element of a tag's kind holds a block that is
    a reason for the tag, the reasons make a further element.
    """
    found = _prices(scene)
    kinds, links = _kinds(scene, found), scene.layout.same_copy(COPY_REACH)
    for kind in ("gift", "logo", "copy"):
        members = [block for block, own in enumerate(kinds) if own == kind]
        for group in connected(members, links):
            extent, score = _extent(scene, group), 0.3
            if kind == "logo":
                score = max(_logo_likeness(scene, block) for block in group)
                # A logo is a name and the sign beside, above or around the name, unless other text is there too.
                others = [box for block, box in enumerate(scene.boxes) if block not in group]
                around = cluster_around(scene.pixels, extent, others)
                if around is not None and not any(box.share_inside(around) > 0.5 for box in others):
                    extent = around
            elif kind == "copy":
                chinese = sum(scene.roles[block].chinese for block in group)
                tallest = float(scene.layout.heights[list(group)].max())
                score = min(1.0, 0.06 + chinese / 8) * min(1.0, tallest / 0.04)
            found.append(Element(kind, extent, score, group, any(scene.roles[block].sticker for block in group)))
    return [*found, *_elements_of_reasons(scene, found)]


def _elements_of_reasons(scene: Scene, found: Sequence[Element]) -> list[Element]:
    """Return elements made of the blocks that are reasons for a tag, for tags of whose reasons no element holds any."""
    links, further = scene.layout.same_copy(COPY_REACH), []
    for kind in scene.kinds:
        reasons = [block for block, given in enumerate(scene.reasons) if kind in given]
        shown = {block for element in found if element.kind == kind for block in element.blocks}
        if shown.isdisjoint(reasons):
            for group in connected(reasons, links):
                score = REASON_SHARE * max(scene.reasons[block][kind] for block in group)
                further.append(Element(kind, _extent(scene, group), score, group))
    return further


def block_kinds(scene: Scene) -> list[str]:
    """Return for each read block the kind of element that its words and place suggest."""
    return _kinds(scene, _prices(scene))


def _kinds(scene: Scene, priced: Sequence[Element]) -> list[str]:
    """Return what ``block_kinds`` returns, from the price elements."""
    prices = {block for element in priced for block in element.blocks}
    kinds = []
    for block, role in enumerate(scene.roles):
        if block in prices:
            kinds.append("price")
        elif role.gift or role.sticker:
            kinds.append("gift")
        else:
            kinds.append("logo" if _logo_likeness(scene, block) >= 0.4 else "copy")
    return kinds


def _logo_likeness(scene: Scene, block: int) -> float:
    """Return in [0, 1] how much a block looks like a logo: a brand or shop name, or a word at the top of the picture.

    A text with digits, or a long text, is no logo.
    """
    role, box = scene.roles[block], scene.boxes[block]
    if role.digits or role.length > 14:
        return 0.0
    likeness = 0.5 if role.brand or role.mark else 0.0
    if box.top < TOP:
        likeness += 0.45 if role.latin >= 3 or role.brand or role.mark else 0.2
        # Words in the right corner are less often a logo.
        likeness -= 0.2 * (box.left > 0.6)
    return max(0.0, min(1.0, likeness))


def _prices(scene: Scene) -> list[Element]:
    """Return numbers that may be prices, each joined with the currency signs and price words beside the number."""
    roles, heights, beside = scene.roles, scene.layout.heights, scene.layout.beside
    seeds = {
        block
        for block, role in enumerate(roles)
        if (role.money and role.length <= 14) or (role.amount and heights[block] >= 0.035)
    }
    parts = {
        block
        for block, role in enumerate(roles)
        if (role.currency or role.price_word or role.amount) and beside[block, list(seeds)].any()
    }
    found = []
    for group in connected(sorted(seeds | parts), beside):
        tallest, members = float(heights[list(group)].max()), [roles[block] for block in group]
        if not any(role.amount or role.money for role in members):
            continue
        if any(role.currency or role.price_word or role.money for role in members):
            score = 0.8 * min(1.0, tallest / 0.06)
        else:
            # A number without any sign of money is a price only in large print, and not at the top edge.
            lone = scene.boxes[group[0]].top > 0.1 and tallest >= 0.05
            score = 0.5 * min(1.0, tallest / 0.06) if lone else 0.0
        if score > 0:
            found.append(Element("price", _extent(scene, group), score, group))
    return found


def _extent(scene: Scene, group: Sequence[int]) -> Box:
    """Return the bounds of the blocks, or of the plate under them where the plate carries no other text."""
    text = union([scene.boxes[block] for block in group])
    plate = scene.plate(text)
    others = (box for block, box in enumerate(scene.boxes) if block not in group)
    return text if plate is None or any(box.share_inside(plate) > 0.5 for box in others) else plate
