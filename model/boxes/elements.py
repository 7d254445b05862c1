"""Elements that the read text shows, found by cues alone: price, gift announcement, logo, copy."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.boxes.contours import cluster_around
from model.boxes.grouping import connected, share_inside, union
from model.boxes.scene import Scene
from model.items import Box

COPY_REACH = 0.3
TOP = 0.15
TOLD = 0.5
"""Of the probability that a block gives a tag: the score of an element that nothing but the tag's cues tell of."""


@dataclass(frozen=True)
class Element:
    """A part of the picture that may be of a kind; ``score`` in [0, 1] ranks, it is no probability."""

    kind: str
    box: Box
    score: float
    blocks: tuple[int, ...] = ()
    sticker: bool = False


def text_elements(scene: Scene) -> list[Element]:
    """Every read block in the one element that its cues suggest, neighbours of a kind together."""
    found = _prices(scene)
    kinds = _kinds(scene, found)
    links = scene.layout.same_copy(COPY_REACH)
    for kind, score in (("gift", _gift_score), ("logo", _logo_score), ("copy", _copy_score)):
        members = [block for block, own in enumerate(kinds) if own == kind]
        for group in connected(members, links):
            sticker = any(scene.roles[block].sticker for block in group)
            extent = _marked(scene, group) if kind == "logo" else _extent(scene, group)
            found.append(Element(kind, extent, score(scene, group), group, sticker))
    return [*found, *_told(scene, found)]


def _told(scene: Scene, found: Sequence[Element]) -> list[Element]:
    """What cues say of a picture by blocks that are in no element of that kind: a tag comes with its reason's box."""
    links, told = scene.layout.same_copy(COPY_REACH), []
    for kind in scene.kinds:
        reasons = [block for block, given in enumerate(scene.reasons) if kind in given]
        shown = {block for element in found if element.kind == kind for block in element.blocks}
        if shown.isdisjoint(reasons):
            for group in connected(reasons, links):
                score = TOLD * max(scene.reasons[block][kind] for block in group)
                told.append(Element(kind, _extent(scene, group), score, group))
    return told


def block_kinds(scene: Scene) -> list[str]:
    """The kind of element that each read block's cues suggest."""
    return _kinds(scene, _prices(scene))


def _kinds(scene: Scene, priced: Sequence[Element]) -> list[str]:
    prices = {block for element in priced for block in element.blocks}
    return ["price" if block in prices else _kind(scene, block) for block in range(len(scene.boxes))]


def _kind(scene: Scene, block: int) -> str:
    role = scene.roles[block]
    if role.gift or role.sticker:
        return "gift"
    return "logo" if _logo_likeness(scene, block) >= 0.4 else "copy"


def _logo_likeness(scene: Scene, block: int) -> float:
    """How much one block looks like a mark: it is named like one, or is a word without digits at the top."""
    role, box = scene.roles[block], scene.boxes[block]
    if role.digits or role.length > 14:
        return 0.0
    likeness = 0.5 if role.brand or role.mark else 0.0
    if box.top < TOP:
        likeness += 0.45 if role.latin >= 3 or role.brand or role.mark else 0.2
        likeness -= 0.2 * (box.left > 0.6)
    return max(0.0, min(1.0, likeness))


def _prices(scene: Scene) -> list[Element]:
    """Numbers that are prices, with the currency signs and words beside them."""
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
    groups = connected(sorted(seeds | parts), beside)
    scored = [(group, _price_score(scene, group)) for group in groups]
    return [Element("price", _extent(scene, group), score, group) for group, score in scored if score > 0]


def _price_score(scene: Scene, group: Sequence[int]) -> float:
    roles = [scene.roles[block] for block in group]
    tallest = float(scene.layout.heights[list(group)].max())
    if not any(role.amount or role.money for role in roles):
        return 0.0
    if any(role.currency or role.price_word or role.money for role in roles):
        return 0.8 * min(1.0, tallest / 0.06)
    lone = scene.boxes[group[0]].top > 0.1 and tallest >= 0.05
    return 0.5 * min(1.0, tallest / 0.06) if lone else 0.0


def _gift_score(scene: Scene, group: Sequence[int]) -> float:
    return 0.3


def _logo_score(scene: Scene, group: Sequence[int]) -> float:
    return max(_logo_likeness(scene, block) for block in group)


def _copy_score(scene: Scene, group: Sequence[int]) -> float:
    chinese = sum(scene.roles[block].chinese for block in group)
    tallest = float(scene.layout.heights[list(group)].max())
    return min(1.0, 0.06 + chinese / 8) * min(1.0, tallest / 0.04)


def _extent(scene: Scene, group: Sequence[int]) -> Box:
    """The text and the plate under it, unless the plate carries other text too."""
    text = union([scene.boxes[block] for block in group])
    plate = scene.plate(text)
    others = (box for block, box in enumerate(scene.boxes) if block not in group)
    return text if plate is None or any(share_inside(box, plate) > 0.5 for box in others) else plate


def _marked(scene: Scene, group: Sequence[int]) -> Box:
    """A name with the sign that stands beside, above or around it; its own extent where there is none."""
    name = _extent(scene, group)
    others = [box for block, box in enumerate(scene.boxes) if block not in group]
    around = cluster_around(scene.pixels, name, others)
    return name if around is None or any(share_inside(box, around) > 0.5 for box in others) else around
