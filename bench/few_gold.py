"""Measure whether few gold labels make the tags worse, and whether the promotion gate accepts such versions:

    python -m bench.few_gold --data samples/data --cache CACHE

Draws gold items (whole products if possible), trains from the cold start, and measures macro-F1 on all
other products against the cold start's: as published, without credence, and with the usual threshold instead of the
expected one. Then it applies the gate to the out-of-fold answers. Prints a Markdown table.
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
from model.metrics import macro_f1
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.phases import CONTINUATION
from model.training.progressive import fit, out_of_fold
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from worker.promotion.gate import JudgedAnswers, judge

SIZES = (10, 20, 40, 80, 120)
SEED = 7


@dataclass(frozen=True)
class Draw:
    """Differences in macro-F1 to the cold start on other products' items; whether the gate would publish."""

    published: float
    without_credence: float
    usual_threshold: float
    accepted: bool


def draw(corpus: LabelledCorpus, count: int, seed: int) -> Draw:
    names = sorted(set(corpus.families))
    random.Random(seed).shuffle(names)
    ordered = [row for name in names for row, family in enumerate(corpus.families) if family == name]
    gold = ordered[:count]
    seen = {corpus.families[row] for row in gold}
    test = [row for row in ordered if corpus.families[row] not in seen]
    cold, said = Tagger.cold_start(corpus.labels, space="bench", seed=SEED), corpus.gold_of(gold)
    problem = Problem(corpus.features, said, corpus.families)
    problem = replace(problem, boxes=learn_boxes(cold, problem, seed=SEED))
    config = TrainConfig(seed=SEED)
    trained = fit(cold, problem, config)
    items = [corpus.features[row] for row in test]
    opinions = trained.opinions(items)
    logits_NK = trained.label_model.log_odds(opinions) + trained.correction(items) + trained.network_logits(items)
    usual = Calibration.neutral(len(corpus.labels))
    truth_NK = corpus.truth(test)
    base = macro_f1(truth_NK, cold.calibration.decide(cold.probabilities(items)))

    def gain(calibration: Calibration, probability_NK: Tensor) -> float:
        return macro_f1(truth_NK, calibration.decide(probability_NK)) - base

    tempered_NK = trained.probabilities(items)
    free_NK = torch.sigmoid(logits_NK)
    return Draw(
        gain(trained.calibration, tempered_NK),
        gain(Calibration.expected(free_NK), free_NK),
        gain(usual, free_NK),
        judge(_evidence(corpus, cold, gold, problem), must_gain=False).accepted,
    )


def _evidence(corpus: LabelledCorpus, cold: Tagger, gold: Sequence[int], problem: Problem) -> JudgedAnswers:
    rest = [row for row in range(len(corpus.features)) if row not in set(gold)][: 2 * len(gold) + 32]
    rows = [*gold, *rest]
    answers = out_of_fold(cold, problem.part(rows), replace(TrainConfig(seed=SEED), first=CONTINUATION))
    items = [corpus.features[row] for row in gold]
    served_NK = cold.calibration.decide(cold.probabilities(items)).numpy()
    families = [corpus.families[row] for row in gold]
    truth_NK = corpus.truth(gold).numpy() > 0.5
    given_NK, everywhere_NK = answers.given_NK[: len(gold)].numpy(), np.ones_like(truth_NK)
    by_hand_N = np.ones(len(gold), dtype=bool)
    return JudgedAnswers("out-of-fold", truth_NK, everywhere_NK, served_NK, given_NK, families, by_hand_N)


def line(count: int, draws: Sequence[Draw]) -> str:
    """One row: mean and worst of each gain, and how often the gate agrees."""
    columns = [[d.published for d in draws], [d.without_credence for d in draws], [d.usual_threshold for d in draws]]
    cells = [f"{np.mean(column):+.3f} (worst {min(column):+.3f})" for column in columns]
    accepted = sum(d.accepted for d in draws)
    return f"| {count} | " + " | ".join(cells) + f" | {accepted} of {len(draws)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--gold", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    data, extractor = read(options.data, None), FeatureExtractor.from_names("shipped", "shipped")
    corpus = corpus_of(replace(data, samples=tuple(data.labelled())), extractor, options.cache)
    print("| gold | published | without credence | nor expected thresholds | gate lets through |")
    print("|---|---|---|---|---|")
    for count in options.gold:
        print(line(count, [draw(corpus, count, seed) for seed in range(options.draws)]), flush=True)


if __name__ == "__main__":
    main()
