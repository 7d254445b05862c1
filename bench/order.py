"""Measure how often annotators get what they had just before: python -m bench.order DATA_FOLDER [--gold 24]

Prints a Markdown table: for each order of the tasks without gold, the share of its first 100 that show the product of
one of the five tasks before, that look like one of them, and that are kin of a task with gold. The model is trained on
`--gold` random tasks, without network and boxes.

Orders: by id (Label Studio's own); by confidence, the least sure one first (the column `tagloom_confidence`, and scores
as they are); one view of each product (`model.choice`); Tagloom's, which also keeps look-alikes and kin of gold back.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.choice import order_of
from model.features.extraction import FeatureExtractor
from model.look_alikes import LookAlikes
from model.problem import Problem
from model.tagger import Tagger, whole_task_confidence
from model.training.config import TrainConfig
from model.training.progressive import fit
from model.weak_supervision.propagation import Index
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from worker.corpus.kin import joined

AHEAD, NEAR, SEED = 100, 5, 7


def again(names: Sequence[object]) -> float:
    """The share of names that one of the NEAR names before is, too."""
    return float(np.mean([name in names[max(0, place - NEAR) : place] for place, name in enumerate(names)]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".tagloom"))
    parser.add_argument("--gold", type=int, default=24)
    options = parser.parse_args()
    corpus = corpus_of(read(options.data), FeatureExtractor.from_names("shipped", "shipped"), options.cache)
    index = Index.of(corpus.features)
    known = [row for row, gold in enumerate(corpus.gold) if gold is not None]
    gold = sorted(np.random.default_rng(SEED).choice(known, options.gold, replace=False).tolist())
    cold = Tagger.cold_start(corpus.labels, space="bench", seed=SEED, lexicon=corpus.lexicon, with_boxes=False)
    problem = Problem(corpus.features, corpus.gold_of(gold), corpus.families, index=index)
    likely_NK = fit(cold, problem, TrainConfig(seed=SEED, use_network=False)).probabilities(corpus.features)
    vectors_ND = index.neighbours.vectors_ND
    _, alike = LookAlikes.empty(vectors_ND.shape[1]).join(vectors_ND)
    first = {group: row for row, group in reversed(list(enumerate(alike)))}
    kin = joined(dict(enumerate(corpus.families)), {row: first[group] for row, group in enumerate(alike)})
    labelled = {kin[row] for row in gold}
    rest = [row for row in range(len(corpus.features)) if row not in set(gold)]
    families, names = [corpus.families[row] for row in rest], [kin[row] for row in rest]
    sure = [whole_task_confidence(likely_NK[row]) for row in rest]
    orders: dict[str, Sequence[int]] = {
        "by id": range(len(rest)),
        "by confidence": sorted(range(len(rest)), key=lambda place: sure[place]),
        "one view of each product": order_of(likely_NK[rest], vectors_ND[rest], families, seed=SEED),
        "Tagloom": order_of(likely_NK[rest], vectors_ND[rest], names, labelled=labelled, seed=SEED),
    }
    print("| order | same product | look-alike | kin of gold |")
    print("|---|---|---|---|")
    for name, order in orders.items():
        shown = [rest[place] for place in order[:AHEAD]]
        products, groups = again([corpus.families[row] for row in shown]), again([alike[row] for row in shown])
        known_before = float(np.mean([kin[row] in labelled for row in shown]))
        print(f"| {name} | {products:.0%} | {groups:.0%} | {known_before:.0%} |")
    counts = f"{len(set(names))} kin, {len(set(families))} products, {len(set(alike))} groups of look-alikes"
    print(f"\n{len(rest)} tasks: {counts}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
