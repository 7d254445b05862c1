"""How long it takes to correct pre-annotated boxes until they are gold, against drawing all of them from nothing.

Every predicted box is looked at, then kept, given another label, moved by some of its edges, or deleted; gold that no
prediction serves is drawn. The cheapest way to the gold is assumed (an optimal assignment). Shape suffixes: P
predicted, G gold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox, PredictedBox

IMPOSSIBLE = 1e6


@dataclass(frozen=True)
class Seconds:
    """Seconds of each action.

    ``draw`` 25.5: median of a careful box (Su, Deng and Fei-Fei, HCOMP 2012), its label included. ``look`` 1.6:
    verifying one box (Papadopoulos et al., CVPR 2016). The rest are estimates; all are meant to be set to one's own.
    """

    look: float = 1.6
    relabel: float = 2.5
    edge: float = 4.0
    delete: float = 1.5
    draw: float = 25.5


@dataclass(frozen=True)
class Effort:
    """Seconds and actions over all pictures; ``pictures`` is how many they are."""

    pictures: int
    seconds: float
    from_nothing: float
    kept: int
    relabelled: int
    edges: int
    deleted: int
    drawn: int

    @property
    def saved(self) -> float:
        """Share of the seconds that the pre-annotation saves; negative when it costs more than it gives."""
        return 1 - self.seconds / self.from_nothing if self.from_nothing else 0.0


@dataclass(frozen=True)
class Tolerance:
    """An edge stays where it is when it is off by no more than this share of the picture or of the gold box's side.

    A box that overlaps an element by less than ``overlap`` (IoU) is not taken for it: it is deleted, and the element is
    drawn, even if moving all four edges across the picture would be counted cheaper.
    """

    picture: float = 0.015
    side: float = 0.1
    overlap: float = 0.2


def effort(
    predicted: Sequence[Sequence[PredictedBox]],
    gold: Sequence[GoldPicture],
    seconds: Seconds | None = None,
    tolerance: Tolerance | None = None,
) -> Effort:
    """Total effort over pictures in the same order. A box in a region to ignore is looked at and left alone."""
    seconds, tolerance = seconds or Seconds(), tolerance or Tolerance()
    rows = [_picture(found, said, seconds, tolerance) for found, said in zip(predicted, gold, strict=True)]
    totals = np.array(rows, dtype=np.float64).reshape(-1, 7).sum(axis=0).tolist()
    return Effort(len(gold), totals[0], totals[1], *(round(total) for total in totals[2:]))


def _picture(
    found: Sequence[PredictedBox], said: GoldPicture, seconds: Seconds, tolerance: Tolerance
) -> tuple[float, float, int, int, int, int, int]:
    """Seconds, seconds from nothing, kept, relabelled, edges moved, deleted, drawn."""
    corrections = [[_correction(entry, target, tolerance) for target in said.boxes] for entry in found]
    near = [[entry.box.iou(target.box) >= tolerance.overlap for target in said.boxes] for entry in found]
    cost_PG = _costs(corrections, near, len(said.boxes), seconds)
    pairs = [(row, column) for row, column in zip(*linear_sum_assignment(cost_PG), strict=True)]
    used = [corrections[row][column] for row, column in pairs if row < len(found) and column < len(said.boxes)]
    unused = [found[row] for row, column in pairs if row < len(found) and column >= len(said.boxes)]
    deleted = sum(not _ignored(entry, said) for entry in unused)
    drawn = len(said.boxes) - len(used)
    relabelled, edges = sum(wrong for wrong, _ in used), sum(moved for _, moved in used)
    total = (
        len(found) * seconds.look
        + relabelled * seconds.relabel
        + edges * seconds.edge
        + deleted * seconds.delete
        + drawn * seconds.draw
    )
    kept = sum(not wrong and not moved for wrong, moved in used)
    return total, len(said.boxes) * seconds.draw, kept, relabelled, edges, deleted, drawn


def _costs(
    corrections: list[list[tuple[bool, int]]], near: list[list[bool]], gold: int, seconds: Seconds
) -> npt.NDArray[np.float64]:
    """Cost of each pairing; row P + g draws gold g, column G + p deletes prediction p."""
    predicted = len(corrections)
    cost = np.full((predicted + gold, gold + predicted), IMPOSSIBLE)
    for row, entries in enumerate(corrections):
        total = [wrong * seconds.relabel + moved * seconds.edge for wrong, moved in entries]
        cost[row, :gold] = np.where(near[row], total, IMPOSSIBLE)
    cost[np.arange(predicted), gold + np.arange(predicted)] = seconds.delete
    cost[predicted + np.arange(gold), np.arange(gold)] = seconds.draw
    cost[predicted:, gold:] = 0.0
    return cost


def _correction(entry: PredictedBox, target: LabelledBox, tolerance: Tolerance) -> tuple[bool, int]:
    """Whether the label is wrong, and how many edges are to be moved."""
    return entry.label != target.label, _edges_off(entry.box, target.box, tolerance)


def _edges_off(box: Box, target: Box, tolerance: Tolerance) -> int:
    across = max(tolerance.picture, tolerance.side * target.width)
    down = max(tolerance.picture, tolerance.side * target.height)
    offsets = (
        abs(box.left - target.left) > across,
        abs(box.right - target.right) > across,
        abs(box.top - target.top) > down,
        abs(box.bottom - target.bottom) > down,
    )
    return sum(offsets)


def _ignored(entry: PredictedBox, said: GoldPicture) -> bool:
    return any(entry.label == region.label and entry.box.iou(region.box) >= 0.5 for region in said.ignored)
