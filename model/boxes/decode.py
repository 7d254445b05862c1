"""From the quality of candidates to the boxes of a picture, consistent with its tags.

Two sets of boxes are kept apart. ``decode`` returns all scored boxes, on which average precision is measured. ``given``
returns the boxes that an annotator sees: at most one box of an element, with a score from which a box of its label
saves the annotator time (model.boxes.worth).

Shape suffixes: N candidates, K labels; 4 edges.
"""

from collections.abc import Sequence, Set

import numpy as np
import torch
from torch import Tensor

from model.boxes.forest import Floats
from model.boxes.nms import areas, intersections, ious, suppress, to_box, to_tensor
from model.boxes.votes import VOTES_FROM, voted
from model.items import PredictedBox

# Of two boxes of a label with a larger overlap (IoU), the worse one is suppressed.
OVERLAP = 0.5
# Boxes with a lower quality are dropped.
FAINTEST = 0.02
# The most boxes of a label.
MOST = 30
# A label with a lower probability as a tag has no boxes.
IMPOSSIBLE = 0.1
# A box that shares more than this part of the smaller area with a better box shows the same element.
NESTED = 0.5
# The overlap with a better box explains a score up to this factor above their product, because scores are rounded.
OWED = 1.01


def decode(
    boxes_N4: Tensor,
    quality_NK: Floats,
    labels: Sequence[str],
    *,
    by_votes: bool = False,
    least: Sequence[float] | None = None,
) -> list[PredictedBox]:
    """Return the boxes of each label after non-maximum suppression, best first, faint ones included.

    With ``by_votes`` the overlapping candidates move a box's edges. That needs a learned quality: before any gold,
    candidates have much of their score from their overlap alone. Boxes with a lower score than the label's in ``least``
    are left out, which changes no other box.
    """
    overlap_NN = ious(boxes_N4, boxes_N4).numpy()
    clash_NN, near_NN = overlap_NN > OVERLAP, overlap_NN >= VOTES_FROM
    edges_N4 = boxes_N4.numpy()
    found = []
    for column, label in enumerate(labels):
        quality_N = quality_NK[:, column]
        faintest = FAINTEST if least is None else max(FAINTEST, least[column])
        for row in suppress(clash_NN, quality_N, faintest)[:MOST]:
            near_N = near_NN[row]
            moved_4 = edges_N4[row]
            if by_votes and near_N.sum() > 1:
                moved_4 = voted(edges_N4[row], edges_N4[near_N], quality_N[near_N])
            found.append(PredictedBox(label, to_box(moved_4), float(quality_N[row])))
    return sorted(found, key=lambda box: -box.score)


def least_shown(
    quality_NK: Floats,
    labels: Sequence[str],
    thresholds: Sequence[float],
    probabilities: Sequence[float],
    tags: Set[str] = frozenset(),
) -> list[float]:
    """Return for each label the score below which `given` shows none of its boxes; infinity where it shows none."""
    best_K = quality_NK.max(0).tolist()
    return [
        float("inf") if likely < IMPOSSIBLE else min(lowest, best) if label in tags and lowest <= 1 else lowest
        for label, lowest, likely, best in zip(labels, thresholds, probabilities, best_K, strict=True)
    ]


def given(
    found: Sequence[PredictedBox],
    labels: Sequence[str],
    thresholds: Sequence[float],
    probabilities: Sequence[float],
    tags: Set[str] = frozenset(),
) -> tuple[PredictedBox, ...]:
    """Return the boxes that an annotator sees, best first.

    These are the boxes of ``found`` (best first) over their label's threshold, without labels that are impossible as a
    tag (``probabilities``), without boxes that show the element of a better box, and without boxes in the place of a
    better box of another label. The best box of a label in ``tags`` is shown under the threshold too, unless no score
    of the label reaches the threshold (it is above 1). Tags have no other influence: weighting boxes by the
    probabilities of their tags made boxes and effort worse (docs/decisions/0030-boxes-and-tags.md).
    """
    threshold = dict(zip(labels, thresholds, strict=True))
    first = [next((box for box in found if box.label == label), None) for label in tags if threshold[label] <= 1]
    possible = {label for label, probability in zip(labels, probabilities, strict=True) if probability >= IMPOSSIBLE}
    wanted = [box for box in found if box.label in possible and (box.score >= threshold[box.label] or box in first)]
    each = [box for label in labels for box in apart([box for box in wanted if box.label == label])]
    shown: list[PredictedBox] = []
    for box in sorted(each, key=lambda box: -box.score):
        if all(box.box.iou(better.box) <= OVERLAP for better in shown):
            shown.append(box)
    return tuple(shown)


def apart(found: Sequence[PredictedBox]) -> list[PredictedBox]:
    """Return the boxes of one label, best first, with one box for each element.

    A box shows the same element as a better box when it shares most of the smaller area with the better box, or when
    its score is no higher than the better score times the overlap (IoU): then the overlap alone explains the score.
    An annotator who corrects boxes needs one box of an element; average precision is measured on all boxes.
    """
    if len(found) < 2:
        return list(found)
    edges_N4 = to_tensor([box.box for box in found])
    smaller_NN = torch.minimum(areas(edges_N4)[:, None], areas(edges_N4)[None]).clamp(min=1e-9)
    scores_N = np.array([box.score for box in found], dtype=np.float64)
    nested_NN = (intersections(edges_N4, edges_N4) / smaller_NN > NESTED).numpy()
    # True where the row's score and the overlap explain the column's score.
    owed_NN = scores_N <= OWED * scores_N[:, None] * ious(edges_N4, edges_N4).numpy()
    return [found[row] for row in suppress(nested_NN | owed_NN, scores_N)]
