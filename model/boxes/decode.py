"""From the quality of candidates to the boxes of a picture, consistent with its tags.

Two sets of boxes are kept apart. ``decode`` returns all scored boxes, on which average precision is measured. ``given``
returns the boxes that an annotator sees: at most one box of an element, with a score over the threshold of its label.
``best_thresholds`` chooses the thresholds that leave the least correction effort, in seconds, on held-out gold.

Shape suffixes: N candidates, K labels; 4 edges.
"""

from collections.abc import Sequence, Set

import numpy as np
import torch
from torch import Tensor

from model.boxes.effort import effort
from model.boxes.forest import Floats
from model.boxes.metrics import GoldPicture
from model.boxes.nms import areas, intersections, ious, suppress, to_box, to_tensor
from model.items import LabelledBox, PredictedBox

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
# The threshold of a label without gold: the one with the least effort on real pictures and on samples. Each half of the
# products gives the same one (docs/results.md).
NEUTRAL = 0.15
# Thresholds to choose from.
LEVELS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
# With this many gold boxes, a label's threshold lies halfway between the neutral and its own best one. With 8 instead,
# the noise of forty boxes of a label moved the threshold (effort saved on real pictures .614 instead of .624).
SCARCE = 50.0
# The most gold pictures on which thresholds are chosen.
MOST_JUDGED = 400


def decode(boxes_N4: Tensor, quality_NK: Floats, labels: Sequence[str]) -> list[PredictedBox]:
    """Return the boxes of each label after non-maximum suppression, best first, faint ones included."""
    clash_NN = (ious(boxes_N4, boxes_N4) > OVERLAP).numpy()
    found = []
    for column, label in enumerate(labels):
        kept = suppress(clash_NN, quality_NK[:, column], FAINTEST)[:MOST]
        found += [PredictedBox(label, to_box(boxes_N4[row]), float(quality_NK[row, column])) for row in kept]
    return sorted(found, key=lambda box: -box.score)


def given(
    found: Sequence[PredictedBox],
    labels: Sequence[str],
    thresholds: Sequence[float],
    probabilities: Sequence[float],
    tags: Set[str] = frozenset(),
) -> tuple[PredictedBox, ...]:
    """Return the boxes that an annotator sees, best first.

    These are the boxes of ``found`` (best first) over their label's threshold, without labels that are impossible as a
    tag (``probabilities``), and without boxes that show the element of a better box. The best box of a label in
    ``tags`` is shown under the threshold too. Tags have no other influence: weighting boxes by the probabilities of
    their tags made boxes and effort worse (docs/decisions/0030-boxes-and-tags.md).
    """
    threshold = dict(zip(labels, thresholds, strict=True))
    first = [next((box for box in found if box.label == label), None) for label in tags]
    possible = {label for label, probability in zip(labels, probabilities, strict=True) if probability >= IMPOSSIBLE}
    wanted = [box for box in found if box.label in possible and (box.score >= threshold[box.label] or box in first)]
    shown = [box for label in labels for box in apart([box for box in wanted if box.label == label])]
    return tuple(sorted(shown, key=lambda box: -box.score))


def apart(found: Sequence[PredictedBox]) -> list[PredictedBox]:
    """Return the boxes of one label, best first, with one box for each element.

    A box shows the same element as a better box when it shares most of the smaller area with the better box, or when
    its score is no higher than the better score times the overlap (IoU): then the overlap alone explains the score.
    An annotator who corrects boxes needs one box of an element; average precision is measured on all boxes.
    """
    edges_N4 = to_tensor([box.box for box in found])
    smaller_NN = torch.minimum(areas(edges_N4)[:, None], areas(edges_N4)[None]).clamp(min=1e-9)
    scores_N = np.array([box.score for box in found], dtype=np.float64)
    nested_NN = (intersections(edges_N4, edges_N4) / smaller_NN > NESTED).numpy()
    # True where the row's score and the overlap explain the column's score.
    owed_NN = scores_N <= OWED * scores_N[:, None] * ious(edges_N4, edges_N4).numpy()
    return [found[row] for row in suppress(nested_NN | owed_NN, scores_N)]


def best_thresholds(
    found: Sequence[Sequence[PredictedBox]],
    gold: Sequence[Sequence[LabelledBox]],
    labels: Sequence[str],
    *,
    unknown: Sequence[Set[str]] | None = None,
) -> Tensor:
    """Return for each label (K,) the threshold with the least correction effort, closer to neutral if gold is scarce.

    ``found`` and ``gold`` are the boxes of each picture. A picture that may have more gold boxes of a label than are
    known (``unknown``) does not count for the label's threshold.
    """
    pairs = list(zip(found, gold, unknown or [frozenset[str]()] * len(found), strict=True))
    thresholds = []
    for label in labels:
        known = [(boxes, drawn) for boxes, drawn, open_ in pairs if label not in open_]
        wanted = [GoldPicture(tuple(entry for entry in drawn if entry.label == label)) for _, drawn in known]
        total = sum(len(picture.boxes) for picture in wanted)
        if not total:
            thresholds.append(NEUTRAL)
            continue
        own = [apart([box for box in boxes if box.label == label]) for boxes, _ in known]
        seconds = [
            effort([[box for box in boxes if box.score >= level] for boxes in own], wanted).seconds for level in LEVELS
        ]
        trust = total / (total + SCARCE)
        thresholds.append(trust * LEVELS[int(np.argmin(seconds))] + (1 - trust) * NEUTRAL)
    return torch.tensor(thresholds, dtype=torch.float32)
