"""A box's edges by the votes of the candidates that overlap it (box voting; Gidaris and Komodakis, ICCV 2015).

The best candidate of an element often has three right edges, and other candidates have the fourth. So each edge moves
to the place on which most quality agrees. The mode is taken, not the mean of box voting: edges of candidates come from
lines of text and from contours, so they are either right or far off.

Shape suffixes: M candidates that vote; 4 edges.
"""

import numpy as np

from model.boxes.forest import Floats

# Overlap (IoU) from which a candidate votes.
VOTES_FROM = 0.5
# Distance at which the agreement of two edges has fallen to .6, in sides of the box and at least in sides of the
# picture. It is the error that an annotator leaves (model.boxes.effort.Tolerance).
AGREE_SIDE, AGREE_PICTURE = 0.1, 0.015


def voted(edges_4: Floats, others_M4: Floats, quality_M: Floats) -> Floats:
    """Return the edges of a box after the votes of ``others_M4``, which are all that overlap it and the box itself.

    A vote's weight is the square of the candidate's quality for the box's label. The answer is the weighted mean of
    the votes around the mode.
    """
    weight_M = np.square(quality_M)
    near_4 = np.maximum(AGREE_PICTURE, AGREE_SIDE * np.tile(edges_4[2:] - edges_4[:2], 2))
    agree_MM4 = np.exp(-np.square((others_M4[:, None] - others_M4[None]) / near_4) / 2)
    votes_M4 = np.einsum("m,mne->ne", weight_M, agree_MM4)
    mode_4 = votes_M4.argmax(0)
    columns = np.arange(4)
    around_M4 = weight_M[:, None] * agree_MM4[:, mode_4, columns]
    moved: Floats = (around_M4 * others_M4).sum(0) / around_M4.sum(0)
    return moved
