"""Elements that the read text shows, found by cues alone: price, gift announcement, logo, copy."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.boxes.grouping import connected, union
from model.boxes.scene import Scene
from model.items import Box

COPY_REACH = 0.8
TOP = 0.15


@dataclass(frozen=True)
class Element:
    """A part of the picture that may be of a kind; ``score`` in [0, 1] ranks, it is no probability."""

    kind: str
    box: Box
    score: float
    blocks: tuple[int, ...] = ()


def text_elements(scene: Scene) -> list[Element]:
    """Every read block in the one element that its cues suggest, neighbours of a kind together."""
    prices = _prices(scene)
    kinds = {block: "price" for element in prices for block in element.blocks}
    for block in range(len(scene.boxes)):
        kinds.setdefault(block, _kind(scene, block))
    found = list(prices)
    for kind, score in (("gift", _gift_score), ("logo", _logo_score), ("copy", _copy_score)):
        members = [block for block in kinds if kinds[block] == kind]
        for group in connected(members, lambda first, second: scene.same_copy(first, second, COPY_REACH)):
            found.append(Element(kind, _extent(scene, group), score(scene, group), group))
    return found


def _kind(scene: Scene, block: int) -> str:
    role = scene.roles[block]
    if role.gift or role.sticker:
        return "gift"
    short_at_top = scene.boxes[block].top < TOP and role.length <= 11 and role.chinese <= 5
    return "logo" if role.brand or role.mark or short_at_top else "copy"


def _prices(scene: Scene) -> list[Element]:
    """Numbers that are prices, with the currency signs and words beside them."""
    roles, heights = scene.roles, scene.heights
    seeds = {
        block
        for block, role in enumerate(roles)
        if (role.money and role.length <= 14) or (role.amount and heights[block] >= 0.035)
    }
    parts = {
        block
        for block, role in enumerate(roles)
        if (role.currency or role.price_word or role.amount) and any(scene.beside(block, seed) for seed in seeds)
    }
    groups = connected(sorted(seeds | parts), scene.beside)
    scored = [(group, _price_score(scene, group)) for group in groups]
    return [Element("price", _extent(scene, group), score, group) for group, score in scored if score > 0]


def _price_score(scene: Scene, group: Sequence[int]) -> float:
    roles = [scene.roles[block] for block in group]
    tallest = max(scene.heights[block] for block in group)
    if not any(role.amount or role.money for role in roles):
        return 0.0
    if any(role.currency or role.price_word or role.money for role in roles):
        return 0.8 * min(1.0, tallest / 0.06)
    lone = scene.boxes[group[0]].top > 0.1 and tallest >= 0.05
    return 0.5 * min(1.0, tallest / 0.06) if lone else 0.0


def _gift_score(scene: Scene, group: Sequence[int]) -> float:
    return 0.3


def _logo_score(scene: Scene, group: Sequence[int]) -> float:
    named = any(scene.roles[block].brand or scene.roles[block].mark for block in group)
    at_top = scene.boxes[group[0]].top < TOP
    return (0.8 if named else 0.5) * (1.0 if at_top else 0.4)


def _copy_score(scene: Scene, group: Sequence[int]) -> float:
    chinese = sum(scene.roles[block].chinese for block in group)
    tallest = max(scene.heights[block] for block in group)
    return min(1.0, 0.06 + chinese / 8) * min(1.0, tallest / 0.04)


def _extent(scene: Scene, group: Sequence[int]) -> Box:
    text = union([scene.boxes[block] for block in group])
    return scene.plate(text) or text
