"""Gathers the evidence for the gate: answers to gold that neither version was trained on.

Held-out gold where there is enough of it: both versions answer it directly. Otherwise out-of-fold answers over gold:
the candidate's from taggers that were trained without the item's family, the served version's from its own time as a
candidate (kept beside the checkpoints), or direct ones where it never saw the item. Gold that it was trained on while
held-out gold judged it has no such answer and says nothing.

A proposal that was accepted unchanged does not judge the version that proposed it: that version would confirm itself.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.calibration import Calibration
from model.features.item import ItemFeatures
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import CONTINUATION
from model.training.progressive import out_of_fold
from model.training.supervision import family_folds
from tagloom_base.files import replaced
from worker.corpus.corpus import Corpus
from worker.promotion.collapse import Shift, collapse
from worker.promotion.gate import Booleans, Evidence, is_enough

FEWEST_OTHERS = 32  # tasks without gold that the folds see beside, whatever the gold
LOOKED_AT = 500  # items of the pool, at most about twice as many, by which a label's share of it is told
SANITY = 0.1  # a tagger that answers its own gold by so much worse than its recipe does others' is broken


@dataclass(frozen=True)
class _Kept:
    """Task ids that a version was trained on, and its out-of-fold answers by task id (as JSON keys them)."""

    trained: frozenset[int]
    answers: Mapping[str, Sequence[int]]

    def answer(self, task: int, tagger: Tagger) -> Sequence[int] | None:
        """None also when it answered other labels than the tagger does."""
        answer = self.answers.get(str(task))
        return answer if answer is not None and len(answer) == len(tagger.labels) else None


class Referee:
    """Judges candidates of one training against the version that served when it began."""

    def __init__(self, corpus: Corpus, served: Tagger, config: TrainConfig, folder: Path) -> None:
        """`folder` keeps the out-of-fold answers of versions, one file each."""
        self._corpus = corpus
        self._served = served
        self._config = config
        self._folder = folder
        labels_NK = corpus.problem.table(served.labels).labels_NK
        self._gold, self._known = labels_NK.numpy() > 0.5, ~labels_NK.isnan().numpy()
        self._all = sorted(corpus.problem.gold)

    def served_by(self, tagger: Tagger) -> None:
        """From now on this one serves, and candidates are judged against it."""
        self._served = tagger

    @property
    def can_judge_early(self) -> bool:
        """Whether held-out gold decides, so that each phase can be judged at once."""
        return bool(self._held_out) and is_enough(self._gold[self._held_out], self._gold[self._all])

    def evidence(self, candidate: Tagger, answers: Mapping[int, Sequence[bool]]) -> Evidence:
        """What the gate needs. `answers` are the candidate's out-of-fold ones by task, when held-out gold is short."""
        if self.can_judge_early:
            rows = self._held_out
            return self._compared("held-out", rows, self._direct(self._served, rows), self._honest(candidate, rows))
        kept = self._kept(self._served.version)
        impartial = self._impartial(self._all)
        rows = [row for row in impartial if self._unseen(row, kept)] or impartial
        theirs = np.array([answers[self._corpus.task_ids[row]] for row in rows], dtype=bool)
        return self._compared("out-of-fold", rows, self._of_served(rows, kept), theirs)

    def out_of_fold(self, parent: Tagger, problem: Problem, between: Callable[[], None]) -> dict[int, list[bool]]:
        """Return the recipe's out-of-fold answers by task, from short trainings on the gold and some other items.

        Its cues are those of ``parent``, its boxes those that the candidate has learned (``problem.boxes``).
        ``between`` is called after each epoch; what it raises ends the judging.
        """
        config = replace(self._config, first=CONTINUATION)
        unlabelled = [row for row in range(len(problem.pool)) if row not in problem.gold]
        rows = [*self._all, *unlabelled[: int(len(self._all) * config.weak_per_gold) + FEWEST_OTHERS]]
        # Here gold that is held out elsewhere is trained on, too: each item is answered by others' folds.
        part = replace(problem.part(rows), held_out=frozenset())
        answers = out_of_fold(parent, part, config, on_epoch=lambda _: between())
        return {self._corpus.task_ids[row]: answers.given_NK[place].tolist() for place, row in enumerate(self._all)}

    def looks_broken(self, candidate: Tagger, evidence: Evidence) -> str:
        """Why out-of-fold answers do not speak for it: it answers its own gold worse than its recipe others'."""
        if self.can_judge_early:
            return ""
        direct = _agreement(self._gold[self._all], self._known[self._all], self._direct(candidate, self._all))
        recipe = _agreement(evidence.gold_NK, evidence.known_NK, evidence.candidate_NK)
        return (
            f"it agrees with {direct:.0%} of its own gold, its recipe with {recipe:.0%}"
            if direct < recipe - SANITY
            else ""
        )

    def collapse(self, candidate: Tagger) -> str:
        """Why the candidate is refused for a label that it gives far less, or far more, than the served version does;
        empty when it is not."""
        pool = range(0, len(self._corpus.problem.pool), max(1, len(self._corpus.problem.pool) // LOOKED_AT))
        shift = Shift(candidate.labels, self._direct(self._served, pool), self._direct(candidate, pool))
        if not shift.suspects():
            return ""
        worked_on = [
            row for row in self._all if self._known[row].all() and self._corpus.problem.gold[row].accepted is None
        ]
        return collapse(shift, self._gold[worked_on], self._direct(self._served, worked_on))

    def keep(self, answers: Mapping[int, Sequence[bool]], version: str) -> None:
        """Keep what a version was trained on and its out-of-fold answers, before it may serve."""
        given = {str(task): list(map(int, given)) for task, given in answers.items()}
        with replaced(self._path(version)) as beside:
            beside.write_text(json.dumps({"trained": sorted(self._trainable), "answers": given}))

    @property
    def _held_out(self) -> list[int]:
        return self._impartial(sorted(self._corpus.problem.held_out))

    def _impartial(self, rows: Sequence[int]) -> list[int]:
        """Those of which the served version did not propose the gold; one that nobody can name may be it."""
        partial = {self._served.version, ""}
        return [row for row in rows if self._corpus.problem.gold[row].accepted not in partial]

    def _unseen(self, row: int, kept: "_Kept") -> bool:
        """Whether the served version can answer this gold as if it had not been trained on it."""
        task = self._corpus.task_ids[row]
        return task not in kept.trained or kept.answer(task, self._served) is not None

    def _of_served(self, rows: Sequence[int], kept: "_Kept") -> Booleans:
        given_NK = self._direct(self._served, rows)
        for place, row in enumerate(rows):
            answer = kept.answer(self._corpus.task_ids[row], self._served)
            if answer is not None:
                given_NK[place] = np.array(answer, dtype=bool)
        return given_NK

    def _kept(self, version: str) -> "_Kept":
        try:
            kept = json.loads(self._path(version).read_text())
            return _Kept(frozenset(kept["trained"]), dict(kept["answers"]))
        except (OSError, ValueError, KeyError, TypeError):
            return _Kept(self._trainable if self._served.regression else frozenset(), {})

    @property
    def _trainable(self) -> frozenset[int]:
        return frozenset(self._corpus.task_ids[row] for row in self._corpus.problem.trainable)

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.json"

    def _direct(self, tagger: Tagger, rows: Sequence[int]) -> Booleans:
        given: Booleans = tagger.calibration.decide(tagger.probabilities(self._features(rows))).numpy()
        return given

    def _honest(self, tagger: Tagger, rows: Sequence[int]) -> Booleans:
        """Answers calibrated by the other half of held-out gold: the tagger itself was calibrated by all of it."""
        log_odds_NK = tagger.log_odds(self._features(rows))
        given_NK = np.zeros((len(rows), len(tagger.labels)), dtype=bool)
        gold_NK = self._corpus.problem.table(tagger.labels).labels_NK[list(rows)]
        for part in family_folds(
            {place: self._corpus.problem.families[row] for place, row in enumerate(rows)}, 2, seed=0
        ):
            rest = sorted(set(range(len(rows))) - set(part))
            calibration = Calibration.of(log_odds_NK, log_odds_NK[rest], gold_NK[rest])
            calibration = calibration.fitted(log_odds_NK[rest], gold_NK[rest])
            given_NK[part] = calibration.decide(calibration.probability(log_odds_NK[part])).numpy()
        return given_NK

    def _features(self, rows: Sequence[int]) -> list[ItemFeatures]:
        return [self._corpus.problem.pool[row] for row in rows]

    def _compared(self, basis: str, rows: Sequence[int], served: Booleans, candidate: Booleans) -> Evidence:
        families = [self._corpus.problem.families[row] for row in rows]
        by_hand_N = np.array([self._corpus.problem.gold[row].accepted is None for row in rows], dtype=bool)
        gold_NK, known_NK = self._gold[rows], self._known[rows]
        return Evidence(basis, gold_NK, known_NK, served, candidate, families, by_hand_N)


def _agreement(gold_NK: Booleans, known_NK: Booleans, given_NK: Booleans) -> float:
    return float((gold_NK == given_NK)[known_NK].mean()) if known_NK.any() else 1.0
