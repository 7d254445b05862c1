"""The evidence for the gate: answers of candidate and served version to gold on which neither was trained.

If there is enough held-out gold, both versions answer it directly. Otherwise the evidence is out-of-fold. The
candidate's answer to an item comes from a tagger that was trained without the item's family. The served version's
answer is the out-of-fold answer from the time when it was a candidate, which is kept beside the checkpoints, or a
direct answer if it was not trained on the item. Items for which the served version has neither are left out, unless no
other item remains.

Gold that a person accepted unchanged from a version's proposal does not judge that version, which would confirm itself.

A candidate's recipe is the way in which it was trained. Short trainings by this recipe give its out-of-fold answers.

Shape suffixes: N items, K classes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from model.calibration import Calibration
from model.features.item import ItemFeatures
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.folds import Folds, OutOfFold
from model.training.phases import CONTINUATION
from model.training.supervision import family_folds
from model.weak_supervision.boxes import LearnedBoxes
from tagloom_base.files import replaced
from worker.corpus.corpus import Corpus
from worker.promotion.collapse import Shift, collapse
from worker.promotion.gate import Answers, Booleans, JudgedAnswers, is_enough
from worker.promotion.parts import PoolPart

# Tasks without gold on which the folds train in any case, however little gold the project has.
FEWEST_OTHERS = 32
# Items from which a label's share of the pool is estimated; up to twice as many, since the step is rounded down.
LOOKED_AT = 500
# Decimal places of the probabilities that are kept.
DIGITS = 6
# A tagger is broken if it agrees less with the gold that it was trained on than its recipe agrees with unseen gold, by
# more than this share.
SANITY = 0.1


@dataclass(frozen=True)
class Answer:
    """The answer to one task: whether each label is given (1 or 0), and the probability of each."""

    given: Sequence[int]
    probability: Sequence[float]


@dataclass(frozen=True)
class _Kept:
    """The ids of the tasks on which a version was trained, and its out-of-fold answers by task id (text in JSON)."""

    trained: frozenset[int]
    answers: Mapping[str, Answer]

    def answer(self, task: int, tagger: Tagger) -> Answer | None:
        """Return the answer to a task; None if there is none, or if it has another number of labels than the tagger."""
        answer = self.answers.get(str(task))
        fits = answer is not None and len(answer.given) == len(answer.probability) == len(tagger.labels)
        return answer if fits else None


class Referee:
    """Compares candidates of one training with the served version."""

    def __init__(self, corpus: Corpus, served: Tagger, config: TrainConfig, folder: Path) -> None:
        """Compare with the served version; `folder` keeps the out-of-fold answers of versions, one file each."""
        self._corpus = corpus
        self._served = served
        self._config = config
        self._folder = folder
        labels_NK = corpus.problem.table(served.labels).labels_NK
        self._gold, self._known = labels_NK.numpy() > 0.5, ~labels_NK.isnan().numpy()
        self._all = sorted(corpus.problem.gold)

    def served_by(self, tagger: Tagger) -> None:
        """Compare later candidates with this tagger, which serves from now on."""
        self._served = tagger

    @property
    def can_judge_early(self) -> bool:
        """Whether held-out gold is enough, so that each phase can be judged without out-of-fold trainings."""
        return bool(self._held_out) and is_enough(self._gold[self._held_out], self._gold[self._all])

    def evidence(self, candidate: Tagger, answers: Mapping[int, Answer]) -> JudgedAnswers:
        """Return the evidence about a candidate.

        `answers` are the candidate's out-of-fold answers by task id; they are needed if held-out gold is not enough.
        """
        if self.can_judge_early:
            rows = self._held_out
            return self._compared("held-out", rows, self._answers(self._served, rows), self._honest(candidate, rows))
        task_ids = self._corpus.task_ids
        kept = self._kept(self._served.version)
        impartial = self._impartial(self._all)
        # Items that the served version can answer as if it had not been trained on them.
        unseen = [
            row
            for row in impartial
            if task_ids[row] not in kept.trained or kept.answer(task_ids[row], self._served) is not None
        ]
        rows = unseen or impartial
        own = self._answers(self._served, rows)
        for place, row in enumerate(rows):
            answer = kept.answer(task_ids[row], self._served)
            if answer is not None:
                own.given_NK[place], own.probability_NK[place] = answer.given, answer.probability
        said = [answers[task_ids[row]] for row in rows]
        others = Answers(
            np.array([answer.given for answer in said], dtype=bool).reshape(own.given_NK.shape),
            np.array([answer.probability for answer in said]).reshape(own.given_NK.shape),
        )
        return self._compared("out-of-fold", rows, own, others)

    def pool_part(self) -> PoolPart:
        """Return the work of asking the served version about the pool, which `collapse` needs."""
        return PoolPart(self._served, self._features(self._looked_at))

    def folds(self, parent: Tagger, problem: Problem) -> Folds:
        """Return the recipe's out-of-fold trainings, which are short, on the gold and some other items.

        They use the cues of ``parent`` and the boxes that the candidate has learned (``problem.boxes``).
        """
        config = replace(self._config, first=CONTINUATION)
        unlabelled = [row for row in range(len(problem.pool)) if row not in problem.gold]
        rows = [*self._all, *unlabelled[: int(len(self._all) * config.weak_per_gold) + FEWEST_OTHERS]]
        return Folds.of(parent, problem.part(rows), config)

    def answers_of(self, found: OutOfFold) -> dict[int, Answer]:
        """Return the answers of ``folds`` by task id."""
        given, probability = found.given_NK.int().tolist(), found.probability_NK.tolist()
        return {
            self._corpus.task_ids[row]: Answer(given[place], probability[place]) for place, row in enumerate(self._all)
        }

    def looks_broken(self, candidate: Tagger, evidence: JudgedAnswers) -> str:
        """Return why a candidate is broken, although its recipe's out-of-fold answers are good; empty if it is not.

        A broken candidate agrees less with the gold that it was trained on than its recipe does with unseen gold.
        """
        if self.can_judge_early:
            return ""
        direct = _agreement(self._gold[self._all], self._known[self._all], self._direct(candidate, self._all))
        recipe = _agreement(evidence.gold_NK, evidence.known_NK, evidence.candidate.given_NK)
        return (
            f"it agrees with {direct:.0%} of its own gold, its recipe with {recipe:.0%}"
            if direct < recipe - SANITY
            else ""
        )

    def collapse(self, candidate: Tagger, boxes: LearnedBoxes | None = None, served_NK: Booleans | None = None) -> str:
        """Return why the candidate is refused: it gives a label far less or far more often than the served version.

        ``boxes`` hold what the candidate's box model said of the pool, and ``served_NK`` what the served version
        answers (`pool_part`), so that they need not be asked again.
        The result is empty if no label has collapsed or exploded without gold that shows why.
        """
        pool = self._looked_at
        boxes_NK = boxes.opinions_NK[list(pool)] if boxes and candidate.box_source is not None else None
        given_NK = self._answers(candidate, pool, boxes_NK).given_NK
        if served_NK is None:
            served_NK = self._direct(self._served, pool)
        shift = Shift(candidate.labels, served_NK, given_NK)
        if not shift.suspects():
            return ""
        # Gold that people accepted unchanged or read only in part does not show that they removed or added a label.
        worked_on = [
            row for row in self._all if self._known[row].all() and self._corpus.problem.gold[row].accepted is None
        ]
        return collapse(shift, self._gold[worked_on], self._direct(self._served, worked_on))

    def keep(self, answers: Mapping[int, Answer], version: str) -> None:
        """Write a version's training task ids and out-of-fold answers to its file, before the version may serve."""
        kept = {
            "trained": sorted(self._trainable),
            "answers": {str(task): list(answer.given) for task, answer in answers.items()},
            "probabilities": {
                str(task): [round(p, DIGITS) for p in answer.probability] for task, answer in answers.items()
            },
        }
        with replaced(self._path(version)) as beside:
            beside.write_text(json.dumps(kept))

    @property
    def _looked_at(self) -> Sequence[int]:
        """Rows of the pool, from which it is estimated how often labels are given."""
        count = len(self._corpus.problem.pool)
        return range(0, count, max(1, count // LOOKED_AT))

    @property
    def _held_out(self) -> list[int]:
        return self._impartial(sorted(self._corpus.problem.held_out))

    def _impartial(self, rows: Sequence[int]) -> list[int]:
        """Return the rows whose gold was not accepted from a proposal of the served version.

        An accepted proposal of unknown version ("") may be a proposal of the served version.
        """
        partial = {self._served.version, ""}
        return [row for row in rows if self._corpus.problem.gold[row].accepted not in partial]

    def _kept(self, version: str) -> _Kept:
        """Read a version's file; without a usable one, a trained version counts as trained on all gold.

        A file of an older release has no probabilities, so it gives no answers.
        """
        try:
            kept = json.loads(self._path(version).read_text())
            probabilities = kept.get("probabilities", {})
            answers = {task: Answer(given, probabilities.get(task, ())) for task, given in kept["answers"].items()}
            return _Kept(frozenset(kept["trained"]), answers)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _Kept(self._trainable if self._served.regression else frozenset(), {})

    @property
    def _trainable(self) -> frozenset[int]:
        return frozenset(self._corpus.task_ids[row] for row in self._corpus.problem.trainable)

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.json"

    def _answers(self, tagger: Tagger, rows: Sequence[int], boxes_NK: Tensor | None = None) -> Answers:
        probability_NK = tagger.probabilities(self._features(rows), boxes_NK)
        return Answers(tagger.calibration.decide(probability_NK).numpy(), probability_NK.numpy())

    def _direct(self, tagger: Tagger, rows: Sequence[int]) -> Booleans:
        return self._answers(tagger, rows).given_NK

    def _honest(self, tagger: Tagger, rows: Sequence[int]) -> Answers:
        """Answer each half of held-out gold, calibrated by the other half.

        The tagger itself was calibrated with all held-out gold, so its direct answers would be too good.
        """
        log_odds_NK = tagger.log_odds(self._features(rows))
        shape = (len(rows), len(tagger.labels))
        honest = Answers(np.zeros(shape, dtype=bool), np.zeros(shape))
        gold_NK = self._corpus.problem.table(tagger.labels).labels_NK[list(rows)]
        for part in family_folds(
            {place: self._corpus.problem.families[row] for place, row in enumerate(rows)}, 2, seed=0
        ):
            rest = sorted(set(range(len(rows))) - set(part))
            calibration = Calibration.of(log_odds_NK, log_odds_NK[rest], gold_NK[rest])
            calibration = calibration.fitted(log_odds_NK[rest], gold_NK[rest])
            probability_NK = calibration.probability(log_odds_NK[part])
            honest.given_NK[part] = calibration.decide(probability_NK).numpy()
            honest.probability_NK[part] = probability_NK.numpy()
        return honest

    def _features(self, rows: Sequence[int]) -> list[ItemFeatures]:
        return [self._corpus.problem.pool[row] for row in rows]

    def _compared(self, basis: str, rows: Sequence[int], served: Answers, candidate: Answers) -> JudgedAnswers:
        families = [self._corpus.problem.families[row] for row in rows]
        by_hand_N = np.array([self._corpus.problem.gold[row].accepted is None for row in rows], dtype=bool)
        gold_NK, known_NK = self._gold[rows], self._known[rows]
        return JudgedAnswers(basis, self._served.labels, gold_NK, known_NK, served, candidate, families, by_hand_N)


def _agreement(gold_NK: Booleans, known_NK: Booleans, given_NK: Booleans) -> float:
    """Return the share of known gold that equals the given answers; 1 if no gold is known."""
    return float((gold_NK == given_NK)[known_NK].mean()) if known_NK.any() else 1.0
