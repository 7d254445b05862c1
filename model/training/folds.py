"""Out-of-fold answers: each gold item is answered by a tagger that was trained without the item's family.

Shape suffixes: N items of the pool, F items of a fold, K classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.progressive import EpochReport, fit, nothing_to_do
from model.training.supervision import family_folds
from model.weak_supervision.propagation import Index


@dataclass(frozen=True)
class OutOfFold:
    """Answers to the gold rows of a pool, each by a tagger that was trained without the row's family.

    ``probability_NK`` is NaN and ``given_NK`` is False in all other rows.
    """

    probability_NK: Tensor
    given_NK: Tensor


@dataclass(frozen=True)
class FoldAnswers:
    """The answers to one fold's rows: probabilities, and whether each label is given."""

    probability_FK: Tensor
    given_FK: Tensor


@dataclass(frozen=True)
class Folds:
    """Trainings that each leave out a part of the gold. They depend on each other in nothing.

    ``rows`` are the rows that each one leaves out. ``cold`` is what each continues from: a cold start with the parent's
    lexicon, because the parent was trained on the gold. ``problem`` has its index and boxes, and all its gold.

        folds = Folds.of(parent, problem)
        answers = folds.joined([folds.answers(fold) for fold in range(len(folds.rows))])
    """

    cold: Tagger
    problem: Problem
    config: TrainConfig
    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, parent: Tagger, problem: Problem, config: TrainConfig | None = None, *, folds: int = 4) -> "Folds":
        """Make up to ``folds`` folds of the problem's gold, also of that which it holds out.

        If the problem's boxes have not been learned, they are learned once for all folds. The box opinions on a gold
        item then come from a model that has not seen the item's family but has seen the boxes of the other folds.
        """
        # Nobody asks these taggers which block shows a label.
        config = replace(config or TrainConfig(), use_blocks=False)
        # No gold is held out here: the fold that answers an item is never trained on the item's family.
        problem = replace(problem, held_out=frozenset())
        boxes = problem.boxes or learn_boxes(parent, problem, seed=config.seed)
        problem = replace(problem, index=problem.index or Index.of(problem.pool), boxes=boxes)
        cold = Tagger.cold_start(
            parent.labels, space=parent.space, seed=config.seed, lexicon=parent.sources.cues.lexicon, with_boxes=False
        )
        parts = family_folds({row: problem.families[row] for row in problem.gold}, folds, config.seed)
        return cls(cold, problem, config, tuple(tuple(rows) for rows in parts))

    def answers(self, fold: int, on_epoch: Callable[[EpochReport], None] = nothing_to_do) -> FoldAnswers:
        """Train a tagger without the gold of one fold, and return its answers to that gold.

        With a single family, no gold is left to train on and the cold start answers.
        """
        rows, problem = list(self.rows[fold]), self.problem
        rest = problem.without_gold(rows)
        tagger = fit(self.cold, rest, self.config, on_epoch=on_epoch) if rest.gold else self.cold
        assert problem.boxes
        # The tagger's box model was trained on these rows. The opinions of the problem come from models that were not.
        boxes_FK = problem.boxes.opinions_NK[rows] if tagger.box_source is not None else None
        # What these rows taught of the shop must not answer them either.
        tagger = tagger.unaware_of({problem.families[row] for row in rows})
        probability_FK = tagger.probabilities([problem.pool[row] for row in rows], boxes_FK)
        return FoldAnswers(probability_FK, tagger.calibration.decide(probability_FK))

    def joined(self, answers: Mapping[int, FoldAnswers]) -> OutOfFold:
        """Return the answers of all folds, by fold, as answers to the pool."""
        shape = len(self.problem.pool), len(self.cold.labels)
        found = OutOfFold(torch.full(shape, torch.nan, dtype=torch.float64), torch.zeros(shape, dtype=torch.bool))
        for fold, rows in enumerate(self.rows):
            found.probability_NK[list(rows)] = answers[fold].probability_FK
            found.given_NK[list(rows)] = answers[fold].given_FK
        return found


def out_of_fold(
    parent: Tagger,
    problem: Problem,
    config: TrainConfig | None = None,
    *,
    folds: int = 4,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
) -> OutOfFold:
    """Train up to ``folds`` taggers one after the other, and return their answers to the gold that each left out."""
    made = Folds.of(parent, problem, config, folds=folds)
    return made.joined({fold: made.answers(fold, on_epoch) for fold in range(len(made.rows))})
