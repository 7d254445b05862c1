"""The label and the box of the element that an annotator means by a drawn box or a click.

A drawn box is the true box with errors of about a tenth of its sides. So the weight of a candidate is its quality for
the label times the likelihood of such errors. The drawn box has a weight too: where no candidate is near it, it stays
as drawn. The answer is the weighted mean, which is closer to the truth than the best candidate
(docs/decisions/0028-interactive-boxes.md).

A box can also be drawn loosely around a much smaller element. So a candidate inside the drawn box has a second weight:
its quality times the root of the share of the drawn box that it fills. If the largest such weight exceeds the sum of
the drawn box's weight, its own quality, and the weights of the candidates near it, the answer is the mean around that
candidate.

A click may mean any candidate around it; small candidates are more likely.

Shape suffixes: N candidates, K labels; 4 edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.boxes.forest import Floats
from model.items import Box, PredictedBox

# Standard error of a drawn edge, in sides of the drawn box.
HAND = 0.1
# Weight of the drawn box in the mean: that of a candidate with this quality and the same edges.
AS_DRAWN = 0.1
# Weight of the tags' probabilities against the quality: so small that they decide only between nearly equal qualities.
EVEN = 0.005
# A candidate with this share of its area in the drawn box lies inside the drawn box.
INSIDE = 0.94
# Lower bounds that keep divisions finite.
SMALLEST_SIDE = 1e-6
SMALLEST_AREA = 1e-4


@dataclass(frozen=True)
class Drawn:
    """A drawn box, or a click where ``box`` has no area. ``labels`` are the possible labels: one, if it was chosen."""

    box: Box
    labels: tuple[str, ...]


def label_of(own_K: Floats, likely_K: Floats) -> int:
    """Return the label of a drawn region from its own quality (K,) and the picture's tag probabilities (K,)."""
    return int((own_K + EVEN * likely_K).argmax())


def tightened(drawn: Box, boxes_N4: Floats, quality_N: Floats, own: float) -> Box:
    """Return the drawn box moved towards the candidates that it may stand for; as drawn where no candidate fits.

    ``quality_N`` is the quality of the candidates for the region's label, ``own`` that of the drawn box itself.
    """
    drawn_4 = np.array([drawn.left, drawn.top, drawn.right, drawn.bottom])
    edges_4, believed = _mean(drawn_4, boxes_N4, quality_N)
    high_N2, low_N2 = np.minimum(boxes_N4[:, 2:], (drawn.right, drawn.bottom)), boxes_N4[:, :2]
    shared_N = (high_N2 - np.maximum(low_N2, (drawn.left, drawn.top))).clip(0).prod(1)
    inside_N = shared_N >= INSIDE * (boxes_N4[:, 2:] - low_N2).prod(1)
    # The share of the drawn box that each candidate fills; 0 for one that is not inside.
    filled_N: Floats = inside_N * shared_N / max(drawn.area, SMALLEST_SIDE**2)
    loose_N = quality_N * np.sqrt(filled_N)
    if len(loose_N) and loose_N.max() > AS_DRAWN + own + believed:
        edges_4, _ = _mean(boxes_N4[loose_N.argmax()], boxes_N4, quality_N * (loose_N > 0))
    return Box(*edges_4.clip(0, 1).tolist())


def _mean(around_4: Floats, boxes_N4: Floats, quality_N: Floats) -> tuple[Floats, float]:
    """Return the weighted mean of a box and the candidates near it, and the summed weight of the candidates."""
    sides_4 = np.maximum(np.tile(around_4[2:] - around_4[:2], 2), SMALLEST_SIDE)
    errors_N = (((boxes_N4 - around_4) / sides_4 / HAND) ** 2).sum(1)
    believed_N = quality_N * np.exp(-errors_N / 2)
    believed = float(believed_N.sum())
    return (believed_N @ boxes_N4 + AS_DRAWN * around_4) / (believed + AS_DRAWN), believed


def clicked(click: Box, boxes_N4: Floats, quality_NK: Floats, labels: Sequence[str]) -> PredictedBox | None:
    """Return the element around a click's top left corner; None where no candidate shows any of the labels."""
    around_N = (boxes_N4[:, :2] <= (click.left, click.top)).all(1) & (boxes_N4[:, 2:] >= (click.left, click.top)).all(1)
    area_N = np.maximum((boxes_N4[:, 2:] - boxes_N4[:, :2]).prod(1), SMALLEST_AREA)
    # Large candidates hold most clicks by chance, so a click says less for them.
    believed_NK = quality_NK * (around_N / np.sqrt(area_N))[:, None]
    if not believed_NK.size or not believed_NK.max() > 0:
        return None
    row, column = np.unravel_index(believed_NK.argmax(), believed_NK.shape)
    return PredictedBox(labels[column], Box(*boxes_N4[row].clip(0, 1).tolist()), float(quality_NK[row, column]))
