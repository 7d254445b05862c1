import numpy as np
import torch

from model.calibration import Calibration
from tests.backend.parts import cold
from worker.promotion.classes import class_figures
from worker.promotion.gate import Answers, JudgedAnswers


def test_scores_are_those_of_the_known_gold_and_counts_those_of_the_project() -> None:
    gold = np.array([[1, 1], [1, 0], [0, 1], [0, 1]], dtype=bool)
    known = np.array([[1, 1], [1, 1], [1, 1], [1, 0]], dtype=bool)
    given = np.array([[1, 0], [0, 0], [1, 1], [0, 0]], dtype=bool)
    answers = Answers(given, given.astype(float))
    evidence = JudgedAnswers("held-out", ("a", "b"), gold, known, answers, answers, list("wxyz"), known[:, 0])
    tagger = cold(["a", "b"])
    everything = torch.tensor([[1.0, torch.nan], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [torch.nan, torch.nan]])
    figures = class_figures(evidence, tagger, everything)
    assert list(figures) == ["a", "b"]
    assert figures["a"] == {
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "positives": 2,
        "threshold": float(tagger.calibration.threshold_K[0]),
        "gold": 2,
        "known": 4,
    }
    # Of the three that b gives or has, the one whose gold is unknown counts neither way.
    assert (figures["b"]["recall"], figures["b"]["positives"], figures["b"]["known"]) == (0.5, 2, 3)
    assert isinstance(tagger.calibration, Calibration)
