"""Read blocks grouped into elements: lines of one copy block, a price with its currency, number and words."""

from collections.abc import Callable, Sequence

from model.items import Box

Near = Callable[[int, int], bool]


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them."""
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def share_inside(box: Box, other: Box) -> float:
    """The share of a box's area that lies in another, 0 for a box without area."""
    width = min(box.right, other.right) - max(box.left, other.left)
    height = min(box.bottom, other.bottom) - max(box.top, other.top)
    return width * height / box.area if width > 0 and height > 0 and box.area > 0 else 0.0


def grown(box: Box, margin: float) -> Box:
    """The box with a margin on each side, inside the picture."""
    return Box(
        max(0.0, box.left - margin),
        max(0.0, box.top - margin),
        min(1.0, box.right + margin),
        min(1.0, box.bottom + margin),
    )


def connected(members: Sequence[int], near: Near) -> list[tuple[int, ...]]:
    """Groups of members that are linked by ``near`` directly or through others, in order of their first member."""
    groups: list[list[int]] = []
    for member in members:
        linked = [group for group in groups if any(near(member, other) for other in group)]
        merged = sorted([member, *(other for group in linked for other in group)])
        groups = [group for group in groups if group not in linked] + [merged]
    return sorted(tuple(group) for group in groups)


def line_height(box: Box, aspect: float) -> float:
    """Height of a line of text (the width of an upright column) in picture heights; ``aspect`` is width / height."""
    return min(box.height, box.width * aspect)


def gap(first: Box, second: Box, aspect: float) -> tuple[float, float]:
    """Free space between two boxes across and down, in picture heights; negative where they overlap."""
    across = max(first.left, second.left) - min(first.right, second.right)
    down = max(first.top, second.top) - min(first.bottom, second.bottom)
    return across * aspect, down


def same_copy(first: Box, second: Box, aspect: float, *, reach: float = 0.8) -> bool:
    """Whether two lines belong to one visual block: closer than ``reach`` line heights, overlapping the other way."""
    heights = sorted((line_height(first, aspect), line_height(second, aspect)))
    across, down = gap(first, second, aspect)
    if heights[1] > 3.0 * heights[0]:
        reach *= 0.6
    stacked = down <= reach * heights[0] + 0.1 * heights[1] and -across >= 0.3 * min(first.width, second.width) * aspect
    in_row = across <= reach * heights[1] and -down >= 0.5 * min(first.height, second.height)
    return stacked or in_row


def beside(first: Box, second: Box, aspect: float, *, reach: float = 0.6) -> bool:
    """Whether a currency sign or word stands at a number: nearer than ``reach`` of the larger line height."""
    tallest = max(line_height(first, aspect), line_height(second, aspect))
    across, down = gap(first, second, aspect)
    return max(across, 0.0) <= reach * tallest and max(down, 0.0) <= reach * tallest
