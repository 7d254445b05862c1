"""The network by itself: what the study describes, in a fair trial beside plain regression on the same features.

It sees the encoders' features, the place of each read block, the cues' flags and the statistics of the page, as the
regressions do. Its weak labels come from nearest gold alone. No other model takes part in its answers, and no opinion
of a cue does. As the regressions balance the classes, the network's thresholds are those of the highest expected F1 on
the pool, which need no gold.

Shape suffixes: N items, K classes.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from model.attention.reduction import Reduction
from model.calibration import Calibration
from model.evaluation.corpus import Split
from model.lexicon.lexicon import Lexicon
from model.metrics import log_loss
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.phases import STUDY, Phase
from model.training.progressive import Course, nothing_to_do
from model.training.supervision import family_folds, supervise

SILENT: Mapping[str, Any] = {"use_industry": False, "use_boxes": False, "use_regression": False}
"""Everything but nearest gold is silent as a source of weak labels."""
PENALTIES = (0.0005, 0.002, 0.01)
RATES = (0.5, 1.0)
"""Penalties on the logits, and factors of the phases' learning rates, to choose from."""
FOLDS = 3


def answers(split: Split, changes: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Return the probabilities (N, K) of the test items, and the labels (N, K) that are given.

    They are those of a network trained with these changes to the config.
    """
    probability_NK, rows = _trained(split, split.problem, changes), list(split.test)
    given_NK = Calibration.expected(probability_NK).decide(probability_NK)
    return probability_NK[rows], given_NK[rows]


def chosen(split: Split) -> dict[str, Any]:
    """Return the penalty and the phases whose log loss on held-out families of the gold is the lowest."""
    problem = split.problem
    folds = family_folds({row: problem.families[row] for row in split.gold}, FOLDS, split.seed)
    choices = [{"logit_penalty": penalty, "first": _paced(rate)} for penalty, rate in product(PENALTIES, RATES)]

    def loss(choice: Mapping[str, Any]) -> float:
        lost = []
        for rows in folds:
            probability_NK = _trained(split, problem.without_gold(rows), choice)[rows]
            truth_NK = split.corpus.truth(rows)
            known_NK = ~truth_NK.isnan()
            lost.append(log_loss(truth_NK[known_NK].numpy(), probability_NK[known_NK].numpy()) * len(rows))
        return sum(lost)

    return min(choices, key=loss)


def _paced(rate: float) -> tuple[Phase, ...]:
    return tuple(replace(phase, learning_rate=rate * phase.learning_rate) for phase in STUDY)


def _trained(split: Split, problem: Problem, changes: Mapping[str, Any]) -> Tensor:
    """Return the probabilities (N, K) of the whole pool."""
    if not problem.gold:
        return torch.full((len(problem.pool), len(split.corpus.labels)), 0.5, dtype=torch.float64)
    config = replace(TrainConfig(seed=split.seed, **SILENT), **changes)
    quiet = Tagger.cold_start(
        split.corpus.labels, space="evaluation", seed=split.seed, lexicon=Lexicon(), with_boxes=False
    )
    supervision = supervise(quiet, replace(problem, boxes=learn_boxes(quiet, problem, seed=split.seed)), config)
    # The network's inputs hold the cues' flags, although no cue spoke for the weak labels.
    cold = replace(split.cold_start(), reduction=Reduction.of(problem.pool, config.seed))
    course = Course(cold, problem.pool, replace(supervision, sources=cold.sources), config)
    tagger = course.run(lambda network, _: replace(cold, network=network), nothing_to_do)
    assert tagger.network is not None
    return course.logits(tagger.network).sigmoid()
