"""Doubtful gold: labels that model and sources contradict. They are listed for a person, and never changed.

Confident learning (Northcutt, Jiang and Chuang, 2021) per class, on out-of-fold probabilities. A label is doubtful if
the probability of its opposite is at least the mean of that probability over the items where the opposite is the gold.
The sources must contradict the label too.

Shape suffixes: N items, K classes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model import checkpoint
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.phases import CONTINUATION
from model.training.progressive import out_of_fold
from model.training.supervision import supervise
from worker.corpus.corpus import assemble
from worker.watch import NeverEnds
from worker.workplace import Workplace


@dataclass(frozen=True)
class Doubt:
    """One doubtful label of one task: whether annotators gave it, and its out-of-fold probability."""

    task_id: int
    label: str
    given: bool
    probability: float

    @property
    def strength(self) -> float:
        """The out-of-fold probability that this gold is wrong."""
        return 1 - self.probability if self.given else self.probability


def doubtful(workplace: Workplace, project_key: str) -> list[Doubt]:
    """Return a project's doubtful gold, the most doubtful first.

    Raises ValueError when the project is unknown, or no version with this workplace's encoders serves it.
    """
    project = workplace.store.projects.get(project_key)
    if project is None:
        raise ValueError(f"no project {project_key!r}: `tagloom versions` names those there are")
    config, settings = workplace.config_of(project), workplace.settings
    corpus = assemble(workplace, project, config, NeverEnds())
    rows = sorted(corpus.problem.gold)
    if not rows:
        return []
    current = workplace.serving(project)
    served = checkpoint.load(settings.paths.checkpoints / current.folder)
    # Held-out gold is included, since each item is answered by models that were not trained on its family.
    problem = replace(corpus.problem, held_out=frozenset())
    problem = replace(problem, boxes=learn_boxes(served, problem, seed=settings.training.seed))
    weak = supervise(served, problem).weak
    short = TrainConfig(seed=settings.training.seed, first=CONTINUATION)
    trained = out_of_fold(served, problem, short)
    table = problem.table(served.labels)
    known_NK = ~table.labels_NK[rows].isnan().numpy()
    gold_NK = table.labels_NK[rows].numpy() > 0.5
    probability_NK, sources_NK = trained.probability_NK[rows].numpy(), weak.probability_NK[rows].numpy()
    against_NK = unlikely(gold_NK, known_NK, probability_NK) & ((sources_NK > 0.5) != gold_NK)
    found = [
        Doubt(corpus.task_ids[rows[n]], served.labels[k], bool(gold_NK[n, k]), float(probability_NK[n, k]))
        for n, k in zip(*np.nonzero(against_NK), strict=True)
    ]
    return sorted(found, key=lambda doubt: -doubt.strength)


def unlikely(
    gold_NK: NDArray[np.bool_], known_NK: NDArray[np.bool_], probability_NK: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return where gold is unlikely: its opposite is at least as probable as on average where the opposite is the gold.

    The result is False where the gold is unknown.
    """
    gold_NK, absent_NK = gold_NK & known_NK, ~gold_NK & known_NK
    yes_K = _mean_where(probability_NK, gold_NK)
    no_K = _mean_where(1 - probability_NK, absent_NK)
    wrongly_absent_NK = absent_NK & (probability_NK >= np.maximum(yes_K, 0.5))
    wrongly_there_NK = gold_NK & (1 - probability_NK >= np.maximum(no_K, 0.5))
    return wrongly_absent_NK | wrongly_there_NK


def _mean_where(values_NK: NDArray[np.float64], where_NK: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the (K,) mean of each column over its true cells; 1 for a column without, which nothing exceeds."""
    counts_K = where_NK.sum(0)
    sums_K = (values_NK * where_NK).sum(0)
    return np.where(counts_K > 0, sums_K / np.maximum(counts_K, 1), 1.0)
