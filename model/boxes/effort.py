"""Correction effort: seconds to turn predicted boxes into the gold boxes, and to draw the gold boxes from nothing.

An annotator looks at every predicted box, then keeps it, changes its label, moves some of its edges, or deletes it. A
gold box that no prediction is turned into is drawn. The cheapest such way is assumed (an optimal assignment). Shape
suffixes: P predicted, G gold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox, PredictedBox

# Seconds of a drawn box in two published ways of drawing, against both of which effort is told.
CAREFUL, EXTREME_CLICKING = 25.5, 7.0
BASELINES = (CAREFUL, EXTREME_CLICKING)
# Cost of a pairing that is not allowed, above any sum of real costs.
IMPOSSIBLE = 1e6


@dataclass(frozen=True)
class Seconds:
    """Seconds that an annotator needs for each action.

    ``draw`` is the median time of a careful box with its label (Su, Deng and Fei-Fei, HCOMP 2012); four clicks on the
    element's extreme points take 7 s (Papadopoulos et al., ICCV 2017). ``look`` is the time to verify one box
    (Papadopoulos et al., CVPR 2016). The others are estimates. Set all of them to your own times.
    """

    look: float = 1.6
    relabel: float = 2.5
    edge: float = 4.0
    delete: float = 1.5
    draw: float = CAREFUL

    def baselines(self) -> tuple["Seconds", ...]:
        """Return these seconds for a careful box, for extreme clicking, and for ``draw`` if it is another time."""
        return tuple(replace(self, draw=draw) for draw in dict.fromkeys((*BASELINES, self.draw)))


@dataclass(frozen=True)
class Effort:
    """Seconds and numbers of actions, summed over ``pictures`` pictures.

    ``seconds`` is the time to correct the predicted boxes, ``from_nothing`` the time to draw all gold boxes. ``edges``
    counts moved edges, the other counts are boxes.
    """

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
        """Share of the seconds from nothing that the predicted boxes save; negative where they cost more."""
        return 1 - self.seconds / self.from_nothing if self.from_nothing else 0.0


@dataclass(frozen=True)
class Tolerance:
    """Errors of a predicted box that need no correction, and overlap that a correction needs.

    An edge stays when its error is at most ``picture`` of the picture's side, or at most ``side`` of the gold box's
    side. A box that overlaps a gold box by less than ``overlap`` (IoU) is never turned into it: the box is deleted and
    the gold box drawn, even where moving all four edges would cost less.
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
    """Return the total effort over pictures in the same order.

    A predicted box in a region to ignore is looked at and stays.
    """
    seconds, tolerance = seconds or Seconds(), tolerance or Tolerance()
    rows = [_picture(found, picture, seconds, tolerance) for found, picture in zip(predicted, gold, strict=True)]
    totals = np.array(rows, dtype=np.float64).reshape(-1, 7).sum(axis=0).tolist()
    return Effort(len(gold), totals[0], totals[1], *(round(total) for total in totals[2:]))


def _picture(
    found: Sequence[PredictedBox], gold: GoldPicture, seconds: Seconds, tolerance: Tolerance
) -> tuple[float, float, int, int, int, int, int]:
    """Return seconds, seconds from nothing, and kept, relabelled, edges moved, deleted and drawn."""
    predicted, count = len(found), len(gold.boxes)
    corrections = [[_correction(entry, target, tolerance) for target in gold.boxes] for entry in found]
    # Costs of all pairings: row P + g stands for drawing gold box g, column G + p for deleting prediction p.
    cost_PG = np.full((predicted + count, count + predicted), IMPOSSIBLE)
    for row, entry in enumerate(found):
        near = [entry.box.iou(target.box) >= tolerance.overlap for target in gold.boxes]
        costs = [wrong * seconds.relabel + moved * seconds.edge for wrong, moved in corrections[row]]
        cost_PG[row, :count] = np.where(near, costs, IMPOSSIBLE)
    cost_PG[np.arange(predicted), count + np.arange(predicted)] = seconds.delete
    cost_PG[predicted + np.arange(count), np.arange(count)] = seconds.draw
    cost_PG[predicted:, count:] = 0.0
    pairs = [(row, column) for row, column in zip(*linear_sum_assignment(cost_PG), strict=True)]
    used = [corrections[row][column] for row, column in pairs if row < predicted and column < count]
    unused = [found[row] for row, column in pairs if row < predicted and column >= count]
    deleted = sum(
        not any(entry.label == region.label and entry.box.iou(region.box) >= 0.5 for region in gold.ignored)
        for entry in unused
    )
    drawn = count - len(used)
    relabelled, edges = sum(wrong for wrong, _ in used), sum(moved for _, moved in used)
    total = (
        predicted * seconds.look
        + relabelled * seconds.relabel
        + edges * seconds.edge
        + deleted * seconds.delete
        + drawn * seconds.draw
    )
    kept = sum(not wrong and not moved for wrong, moved in used)
    return total, count * seconds.draw, kept, relabelled, edges, deleted, drawn


def _correction(entry: PredictedBox, target: LabelledBox, tolerance: Tolerance) -> tuple[bool, int]:
    """Return whether the label is wrong, and the number of edges to move."""
    return entry.label != target.label, wrong_edges(entry.box, target.box, tolerance)


def wrong_edges(box: Box, gold: Box, tolerance: Tolerance) -> int:
    """Return the number of edges whose error exceeds the tolerance, from 0 to 4."""
    across = max(tolerance.picture, tolerance.side * gold.width)
    down = max(tolerance.picture, tolerance.side * gold.height)
    offsets = (
        abs(box.left - gold.left) > across,
        abs(box.right - gold.right) > across,
        abs(box.top - gold.top) > down,
        abs(box.bottom - gold.bottom) > down,
    )
    return sum(offsets)
