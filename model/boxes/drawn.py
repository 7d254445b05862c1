"""What somebody drew or clicked: the label of the element that was meant, and the box around it.

A drawn box is the true one with errors of about a tenth of its sides. So each candidate is believed by its quality for
the label times how well such errors explain the drawing; the drawn box is believed too, which keeps a drawing that no
candidate explains. The answer is the mean of all that is believed, nearer to the truth than the best candidate
(docs/decisions/0028-interactive-boxes.md).

A box can also be drawn loosely around a much smaller element. Then a candidate inside it, weighed by the root of the
share that it fills, is believed more than the drawn box and all near it; the answer is the mean around that candidate.

A click is explained by every candidate around it, by small ones better.

Shape suffixes: N candidates, K labels; 4 edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.boxes.forest import Floats
from model.items import Box, PredictedBox

HAND = 0.1
"""Error of a drawn edge, in sides of the drawn box."""
AS_DRAWN = 0.1
"""Quality of a candidate that is believed as much as the drawn box when it lies exactly there."""
EVEN = 0.005
"""Quality of a label of which the region shows nothing: among such labels the tags decide."""
INSIDE = 0.94
"""Share of a candidate that lies in a drawn box around it."""
SMALLEST_SIDE = 1e-6
SMALLEST_AREA = 1e-4


@dataclass(frozen=True)
class Drawn:
    """A drawn box, or a click where ``box`` has no area. ``labels`` are those it may have: one, if it was chosen."""

    box: Box
    labels: tuple[str, ...]


def label_of(own_K: Floats, likely_K: Floats) -> int:
    """The label of a drawn region from its own quality (K,) and the picture's tag probabilities (K,)."""
    return int((own_K + EVEN * likely_K).argmax())


def tightened(drawn: Box, boxes_N4: Floats, quality_N: Floats, own: float) -> Box:
    """The drawn box moved towards the candidates that it may have been meant for; as drawn where there is none.

    ``own`` is the quality of the drawn box itself.
    """
    drawn_4 = np.array([drawn.left, drawn.top, drawn.right, drawn.bottom])
    edges_4, believed = _mean(drawn_4, boxes_N4, quality_N)
    loose_N = quality_N * np.sqrt(_filled(drawn, boxes_N4))
    if len(loose_N) and loose_N.max() > AS_DRAWN + own + believed:
        edges_4, _ = _mean(boxes_N4[loose_N.argmax()], boxes_N4, quality_N * (loose_N > 0))
    return Box(*edges_4.clip(0, 1).tolist())


def _mean(around_4: Floats, boxes_N4: Floats, quality_N: Floats) -> tuple[Floats, float]:
    """The mean of the box and of the candidates that errors of a hand explain, and how much is believed of these."""
    sides_4 = np.maximum(np.tile(around_4[2:] - around_4[:2], 2), SMALLEST_SIDE)
    errors_N = (((boxes_N4 - around_4) / sides_4 / HAND) ** 2).sum(1)
    believed_N = quality_N * np.exp(-errors_N / 2)
    believed = float(believed_N.sum())
    return (believed_N @ boxes_N4 + AS_DRAWN * around_4) / (believed + AS_DRAWN), believed


def _filled(drawn: Box, boxes_N4: Floats) -> Floats:
    """Share of the drawn box that each candidate fills; 0 for one that is not inside it."""
    high_N2, low_N2 = np.minimum(boxes_N4[:, 2:], (drawn.right, drawn.bottom)), boxes_N4[:, :2]
    shared_N = (high_N2 - np.maximum(low_N2, (drawn.left, drawn.top))).clip(0).prod(1)
    inside_N = shared_N >= INSIDE * (boxes_N4[:, 2:] - low_N2).prod(1)
    filled_N: Floats = inside_N * shared_N / max(drawn.area, SMALLEST_SIDE**2)
    return filled_N


def clicked(click: Box, boxes_N4: Floats, quality_NK: Floats, labels: Sequence[str]) -> PredictedBox | None:
    """The element around a click, at its top left corner; None where no candidate shows any of the labels."""
    around_N = (boxes_N4[:, :2] <= (click.left, click.top)).all(1) & (boxes_N4[:, 2:] >= (click.left, click.top)).all(1)
    area_N = np.maximum((boxes_N4[:, 2:] - boxes_N4[:, :2]).prod(1), SMALLEST_AREA)
    believed_NK = quality_NK * (around_N / np.sqrt(area_N))[:, None]
    if not believed_NK.size or not believed_NK.max() > 0:
        return None
    row, column = np.unravel_index(believed_NK.argmax(), believed_NK.shape)
    return PredictedBox(labels[column], Box(*boxes_N4[row].clip(0, 1).tolist()), float(quality_NK[row, column]))
