"""Check what a source answers, and the troubles that it may have."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sources.interface import Item

# By so much a box may stand over the picture's edge, in fractions of it: rounding of the source.
OVER = 0.01
# The most boxes of one item that are used.
MOST_BOXES = 20


class Kind(StrEnum):
    """The kinds of trouble. Each is told once for a source."""

    LOAD = "cannot be loaded"
    RAISES = "raises"
    SLOW = "takes too long"
    ENDS = "ends its process"
    NONSENSE = "answers nonsense"
    OTHER_LABELS = "answers for other labels"
    BOXES = "answers odd boxes"
    PICTURE = "lacks a picture"
    AWAY = "does not answer"
    REFUSES = "refuses"
    BUDGET = "is out of budget"
    RESTS = "rests"


class SourceTrouble(Exception):  # noqa: N818 - names what happened
    """A source gave no answer to an item, which counts as an abstention.

    ``later`` None means that the trouble is the item's, which is not shown to the source again. A number means that it
    is shown again: 0 in the next round; more, after so many seconds, in which the source is not asked at all.
    """

    def __init__(self, kind: Kind, text: str, later: float | None = None) -> None:
        super().__init__(text)
        self.kind, self.text, self.later = kind, text, later


@dataclass(frozen=True)
class Said:
    """A checked answer: probabilities of labels of the project, and boxes [label, left, top, right, bottom].

    ``dropped`` says by kind of trouble what of the answer could not be used.
    """

    labels: Mapping[str, float] = field(default_factory=dict)
    boxes: Sequence[Sequence[Any]] = ()
    dropped: Mapping[Kind, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the answer as it is kept; empty for an abstention."""
        parts = {"labels": dict(self.labels), "boxes": [list(box) for box in self.boxes]}
        return {name: part for name, part in parts.items() if part}


class Asked(Protocol):
    """A source that can be asked: one in a child process, or an endpoint. ``about`` says in words what it is."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def about(self) -> Mapping[str, str]: ...

    def ask(self, item: Item) -> Said:
        """Return the checked answer to an item. Raises SourceTrouble, and what the caller's own callables raise."""
        ...

    def close(self) -> None:
        """End what the source has started."""


def checked(answer: Mapping[str, Any], item: Item) -> Said:
    """Return what of an answer can be used: labels of the item's project, probabilities, boxes in the picture."""
    known, dropped = {label.name for label in item.labels}, dict[Kind, str]()
    labels: dict[str, float] = {}
    given, drawn = answer.get("labels", {}), answer.get("boxes", [])
    if not isinstance(given, Mapping) or not isinstance(drawn, Sequence) or isinstance(drawn, str):
        raise SourceTrouble(Kind.NONSENSE, "its answer has no labels and boxes")
    others = sorted({*map(str, given), *(str(box[0]) for box in drawn if isinstance(box, Sequence) and box)} - known)
    if others:
        dropped[Kind.OTHER_LABELS] = f"labels that the project does not have: {', '.join(others)[:200]}"
    for label, value in given.items():
        if label not in known:
            continue
        if isinstance(value, bool | int | float) and math.isfinite(value) and 0 <= value <= 1:
            labels[label] = float(value)
        else:
            dropped[Kind.NONSENSE] = f"{label}: {value!r:.80} is neither a probability from 0 to 1 nor yes or no"
    boxes = []
    for box in drawn:
        if not isinstance(box, Sequence) or len(box) != 5 or box[0] not in known:
            if not (isinstance(box, Sequence) and box and box[0] not in known):
                dropped[Kind.BOXES] = f"{box!r:.80} is no box"
        elif edges := within(box[1:]):
            boxes.append([box[0], *edges])
        else:
            dropped[Kind.BOXES] = f"the box {list(box[1:])!r:.80} does not lie in the picture, in fractions of it"
    return Said(labels, boxes[:MOST_BOXES], dropped)


def within(edges: Sequence[Any]) -> list[float] | None:
    """Return left, top, right and bottom, cut at the picture's edge; None for edges that make no box in the picture."""
    if not all(isinstance(edge, int | float) and math.isfinite(edge) for edge in edges):
        return None
    if not all(-OVER <= edge <= 1 + OVER for edge in edges):
        return None
    left, top, right, bottom = (min(max(float(edge), 0.0), 1.0) for edge in edges)
    return [left, top, right, bottom] if left < right and top < bottom else None
