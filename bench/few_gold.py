"""Measure whether few gold labels make the tags worse, and whether the promotion gate accepts such versions:

    python -m bench.few_gold --data samples/data --cache CACHE

Draws gold items (whole products if possible), trains from the cold start, and measures macro-F1 on all
other products against the cold start's: as published, without credence, and the change of the label that loses most.
Then it applies the gate to the out-of-fold answers. Prints a Markdown table. Items of a validation split give no gold
and are not tested on.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model.calibration import Calibration
from model.evaluation.corpus import LabelledCorpus
from model.features.extraction import FeatureExtractor
from model.metrics import class_scores
from model.problem import Problem
from model.tagger import Tagger, with_network
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.folds import OutOfFold, out_of_fold
from model.training.phases import CONTINUATION
from model.training.progressive import fit
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from worker.promotion.gate import Answers, JudgedAnswers, judge

SIZES = (10, 20, 40, 80, 120)
SEED = 7


@dataclass(frozen=True)
class Drawn:
    """One draw: gold rows, and the test rows, which are those of other products."""

    gold: list[int]
    test: list[int]

    @classmethod
    def of(cls, corpus: LabelledCorpus, count: int, seed: int) -> "Drawn":
        """Draw ``count`` gold items, product by product, among the items that are not of the validation split."""
        known = [row for row in range(len(corpus.features)) if row not in corpus.validation]
        names = sorted({corpus.families[row] for row in known})
        random.Random(seed).shuffle(names)
        ordered = [row for name in names for row in known if corpus.families[row] == name]
        seen = {corpus.families[row] for row in ordered[:count]}
        return cls(ordered[:count], [row for row in ordered if corpus.families[row] not in seen])

    def problem(self, corpus: LabelledCorpus, cold: Tagger) -> Problem:
        """Return what can be learned from this draw, with the boxes that were learned from it."""
        problem = Problem(corpus.features, corpus.gold_of(self.gold), corpus.families)
        return replace(problem, boxes=learn_boxes(cold, problem, seed=SEED))


@dataclass(frozen=True)
class Gain:
    """Differences in F1 to the cold start on other products' items; whether the gate would publish.

    ``published`` and ``without_credence`` are of macro-F1, ``worst`` is of the label that loses most.
    """

    published: float
    without_credence: float
    worst: float
    accepted: bool


def gain_of(corpus: LabelledCorpus, count: int, seed: int) -> Gain:
    drawn = Drawn.of(corpus, count, seed)
    cold = Tagger.cold_start(corpus.labels, space="bench", seed=SEED)
    problem = drawn.problem(corpus, cold)
    trained = fit(cold, problem, TrainConfig(seed=SEED))
    items = [corpus.features[row] for row in drawn.test]
    opinions = trained.opinions(items)
    fitted_NK = trained.label_model.log_odds(opinions) + trained.correction(items)
    logits_NK = with_network(fitted_NK, trained.network_logits(items))
    base_K = f1_of(corpus, drawn.test, cold.calibration, cold.probabilities(items))
    gain_K = f1_of(corpus, drawn.test, trained.calibration, trained.probabilities(items)) - base_K
    free_NK = torch.sigmoid(logits_NK)
    free_K = f1_of(corpus, drawn.test, Calibration.expected(free_NK), free_NK) - base_K
    answers = _as_the_worker(corpus, cold, drawn, problem)
    verdict = judge(judged(corpus, cold, drawn.gold, answers), must_gain=False)
    return Gain(float(gain_K.mean()), float(free_K.mean()), float(gain_K.min()), verdict.accepted)


def f1_of(corpus: LabelledCorpus, rows: Sequence[int], calibration: Calibration, probability_NK: Tensor) -> Tensor:
    """Return the (K,) F1 of each label on these rows."""
    scores = class_scores(corpus.truth(rows), calibration.decide(probability_NK))
    return torch.tensor([score.f1 for score in scores], dtype=torch.float64)


def _as_the_worker(corpus: LabelledCorpus, cold: Tagger, drawn: Drawn, problem: Problem) -> Answers:
    """Return the out-of-fold answers to the gold, made as the worker makes them."""
    taken = set(drawn.gold)
    rest = [row for row in range(len(corpus.features)) if row not in taken][: 2 * len(taken) + 32]
    part = problem.part([*drawn.gold, *rest])
    answers = out_of_fold(cold, part, replace(TrainConfig(seed=SEED), first=CONTINUATION))
    return answers_to(answers, range(len(drawn.gold)))


def answers_to(answers: OutOfFold, rows: Sequence[int]) -> Answers:
    """Return the answers to these rows as the gate takes them."""
    return Answers(answers.given_NK[list(rows)].numpy(), answers.probability_NK[list(rows)].numpy())


def judged(corpus: LabelledCorpus, cold: Tagger, gold: Sequence[int], candidate: Answers) -> JudgedAnswers:
    """Return the evidence for the gate on a candidate that follows the cold start."""
    probability_NK = cold.probabilities([corpus.features[row] for row in gold])
    served = Answers(cold.calibration.decide(probability_NK).numpy(), probability_NK.numpy())
    families = [corpus.families[row] for row in gold]
    truth_NK = corpus.truth(gold).numpy()
    by_hand_N = np.ones(len(gold), dtype=bool)
    return JudgedAnswers(
        "out-of-fold", corpus.labels, truth_NK > 0.5, ~np.isnan(truth_NK), served, candidate, families, by_hand_N
    )


def line(count: int, draws: Sequence[Gain]) -> str:
    """One row: mean and worst of each gain, and how often the gate agrees."""
    columns = [[d.published for d in draws], [d.without_credence for d in draws], [d.worst for d in draws]]
    cells = [f"{np.mean(column):+.3f} (worst {min(column):+.3f})" for column in columns]
    accepted = sum(d.accepted for d in draws)
    return f"| {count} | " + " | ".join(cells) + f" | {accepted} of {len(draws)} |"


def corpus_from(data: Path, image_encoder: str, cache: Path) -> LabelledCorpus:
    """Return the labelled items of a folder with their features, which are kept in ``cache``."""
    samples = read(data, None)
    extractor = FeatureExtractor.from_names(image_encoder, "shipped")
    return corpus_of(replace(samples, samples=tuple(samples.labelled())), extractor, cache)


def parser_of(description: str, sizes: Sequence[int]) -> argparse.ArgumentParser:
    """Return a parser of the options that name data and draws."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    parser.add_argument("--image-encoder", default="shipped")
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--gold", type=int, nargs="+", default=sizes)
    return parser


def main() -> None:
    options = parser_of(__doc__ or "", SIZES).parse_args()
    corpus = corpus_from(options.data, options.image_encoder, options.cache)
    print("| gold | published | without credence | label that loses most | gate lets through |")
    print("|---|---|---|---|---|")
    for count in options.gold:
        print(line(count, [gain_of(corpus, count, seed) for seed in range(options.draws)]), flush=True)


if __name__ == "__main__":
    main()
