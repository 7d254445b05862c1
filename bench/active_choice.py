"""Measure which pictures are best labelled next: python -m bench.active_choice DATA_FOLDER [--draws 8]

Prints a Markdown table: macro-F1 of the tags after 20, 40, … 120 gold pictures, chosen in rounds of 20, for each way to
choose, with the mean paired difference to random pictures and its spread over the draws, and the macro-F1 of 240 random
pictures. The last column is the share of the first 100 pictures of the order after the start that show a product of one
of the five pictures before. All ways start from the same 20 random pictures and are tested on the same pictures.

A draw's test pictures are a third of the products, and all items whose split is ``validation``, which are never chosen.
Single pictures are chosen, with all their tags and without boxes. After each round the tagger is trained without the
attention network and without boxes, which takes half a second; so the figures are not those of a served version.

Ways: random; uncertainty (lowest probability that all labels are right, as Label Studio's uncertainty sampling has it);
BADGE (k-means++ on gradients; Ash et al., 2020), as Tagloom's without products; Tagloom (`model.choice`).
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from model.choice import order_of
from model.evaluation.corpus import VALIDATION, LabelledCorpus
from model.features.extraction import FeatureExtractor
from model.metrics import macro_f1
from model.problem import Problem
from model.tagger import Tagger, whole_task_confidence
from model.training.config import TrainConfig
from model.training.progressive import fit
from model.weak_supervision.propagation import Index
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read

START, ROUND, MOST = 20, 20, 120
# The random pictures whose macro-F1 is the aim.
AIM = 240
TESTED = 1 / 3
# How far ahead the order is looked at, and within how many pictures a product should not come again.
AHEAD, NEAR = 100, 5


@dataclass(frozen=True)
class State:
    """What a way to choose knows: probabilities and vectors of the items to choose from, and their products."""

    probability_NK: Tensor
    vectors_ND: Tensor
    families: Sequence[str]
    seed: int


def at_random(state: State, count: int) -> list[int]:
    order: list[int] = np.random.default_rng(state.seed).permutation(len(state.families))[:count].tolist()
    return order


def by_uncertainty(state: State, count: int) -> list[int]:
    return sorted(range(len(state.families)), key=lambda row: whole_task_confidence(state.probability_NK[row]))[:count]


def by_badge(state: State, count: int) -> list[int]:
    each_its_own = [str(row) for row in range(len(state.families))]
    return order_of(state.probability_NK, state.vectors_ND, each_its_own, count=count, seed=state.seed)


def by_tagloom(state: State, count: int) -> list[int]:
    return order_of(state.probability_NK, state.vectors_ND, state.families, count=count, seed=state.seed)


Way = Callable[[State, int], list[int]]
WAYS: dict[str, Way] = {
    "random": at_random, "uncertainty": by_uncertainty, "BADGE": by_badge, "Tagloom": by_tagloom,
}  # fmt: skip


@dataclass(frozen=True)
class Draw:
    """One draw: the corpus with its index, the rows to choose from, the rows to test on, and the first gold rows."""

    corpus: LabelledCorpus
    index: Index
    pool: list[int]
    test: list[int]
    start: list[int]
    seed: int

    @classmethod
    def of(cls, corpus: LabelledCorpus, index: Index, splits: Sequence[str], seed: int) -> "Draw":
        random = np.random.default_rng(seed)
        own = [row for row, known in enumerate(corpus.gold) if known is not None and splits[row] != VALIDATION]
        products = random.permutation(sorted({corpus.families[row] for row in own}))
        aside = set(products[: round(TESTED * len(products))])
        pool = [row for row in own if corpus.families[row] not in aside]
        test = [row for row, split in enumerate(splits) if split == VALIDATION or row in set(own) - set(pool)]
        return cls(corpus, index, pool, test, random.choice(pool, START, replace=False).tolist(), seed)

    def learned(self, gold: Sequence[int]) -> tuple[float, Tensor]:
        """Return the macro-F1 on the test rows after this gold, and the probabilities of all items."""
        cold = Tagger.cold_start(
            self.corpus.labels, space="bench", seed=self.seed, lexicon=self.corpus.lexicon, with_boxes=False
        )
        problem = Problem(self.corpus.features, self.corpus.gold_of(gold), self.corpus.families, index=self.index)
        tagger = fit(cold, problem, TrainConfig(seed=self.seed, use_network=False))
        probability_NK = tagger.probabilities(self.corpus.features)
        given_NK = tagger.calibration.decide(probability_NK).numpy()
        return macro_f1(self.corpus.truth(self.test).numpy(), given_NK[self.test]), probability_NK

    def chosen(self, way: Way, gold: Sequence[int], probability_NK: Tensor, count: int) -> list[int]:
        """Return the next rows that a way chooses."""
        taken = set(gold)
        rest = [row for row in self.pool if row not in taken]
        vectors_ND = self.index.neighbours.vectors_ND[rest]
        families = [self.corpus.families[row] for row in rest]
        state = State(probability_NK[rest], vectors_ND, families, self.seed * 1000 + len(gold))
        return [rest[row] for row in way(state, count)]

    def curve(self, way: Way) -> tuple[list[float], float]:
        """Return the macro-F1 after the start and after each round, and the share of products that come again."""
        gold = list(self.start)
        score, probability_NK = self.learned(gold)
        scores = [score]
        shown = [self.corpus.families[row] for row in self.chosen(way, gold, probability_NK, AHEAD)]
        again = [product in shown[max(0, place - NEAR) : place] for place, product in enumerate(shown)]
        while len(gold) < MOST:
            gold += self.chosen(way, gold, probability_NK, ROUND)
            score, probability_NK = self.learned(gold)
            scores.append(score)
        return scores, float(np.mean(again))

    def aim(self) -> float:
        """Return the macro-F1 of `AIM` random pictures."""
        others = [row for row in self.pool if row not in set(self.start)]
        more = np.random.default_rng(self.seed).permutation(others)[: AIM - START]
        return self.learned([*self.start, *more.tolist()])[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--image-encoder", default="shipped")
    parser.add_argument("--text-encoder", default="shipped")
    parser.add_argument("--cache", type=Path, default=Path(".tagloom"))
    parser.add_argument("--draws", type=int, default=8)
    options = parser.parse_args()
    samples = read(options.data)
    corpus = corpus_of(samples, FeatureExtractor.from_names(options.image_encoder, options.text_encoder), options.cache)
    index = Index.of(corpus.features)
    draws = [Draw.of(corpus, index, [sample.split for sample in samples], seed) for seed in range(options.draws)]
    curves: dict[str, list[tuple[list[float], float]]] = {name: [] for name in WAYS}
    aims = []
    for draw in tqdm(draws, desc="draws", disable=None):
        for name, way in WAYS.items():
            curves[name].append(draw.curve(way))
        aims.append(draw.aim())
    sizes = range(START, MOST + 1, ROUND)
    print("| way to choose | " + " | ".join(f"{size} pictures" for size in sizes) + " | product comes again |")
    print("|---" * (len(sizes) + 2) + "|")
    plain = np.array([scores for scores, _ in curves["random"]])
    for name, found in curves.items():
        scores = np.array([one for one, _ in found])
        cells = [f"{mean:.3f}" for mean in scores.mean(0)]
        if name != "random":
            away = scores - plain
            pairs = zip(cells, away.mean(0), away.std(0), strict=True)
            cells = [f"{cell} ({mean:+.3f} ± {spread:.3f})" for cell, mean, spread in pairs]
        print(f"| {name} | " + " | ".join(cells) + f" | {np.mean([again for _, again in found]):.0%} |")
    most = min(AIM, min(len(draw.pool) for draw in draws))
    tested = np.mean([len(draw.test) for draw in draws])
    print(f"\n{most} random pictures: {np.mean(aims):.3f} ± {np.std(aims):.3f}; {tested:.0f} pictures are tested on")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
