"""What is kept of a judged version for each class: its scores on the gate's gold, threshold and counts of gold.

Shape suffixes: N items, K classes.
"""

import numpy as np
from torch import Tensor

from model.metrics import class_scores
from model.tagger import Tagger
from worker.promotion.gate import JudgedAnswers


def class_figures(evidence: JudgedAnswers, candidate: Tagger, gold_NK: Tensor) -> dict[str, dict[str, float]]:
    """Return by label: ``precision``, ``recall``, ``f1`` and ``positives`` among the judged items, the ``threshold``,
    and on how many tasks gold has the label (``gold``) and says whether they have it (``known``).

    ``gold_NK`` is 1, 0, or NaN where the label is unknown, of all tasks, in the order of the candidate's labels.
    """
    known_NK = evidence.known_NK
    scores = class_scores(evidence.gold_NK & known_NK, evidence.candidate.given_NK & known_NK)
    gold = gold_NK.numpy()
    yes_K, known_K = (gold > 0.5).sum(0), (~np.isnan(gold)).sum(0)
    rows = zip(evidence.labels, scores, candidate.calibration.threshold_K.tolist(), yes_K, known_K, strict=True)
    return {
        label: {
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1,
            "positives": score.support,
            "threshold": threshold,
            "gold": int(yes),
            "known": int(known),
        }
        for label, score, threshold, yes, known in rows
    }
