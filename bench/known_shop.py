"""Measure what trainings gain from what is known of a shop, on products that gave no gold:

    python -m bench.known_shop --data samples/data --cache CACHE --gold 18 91 --draws 3

Trains without it, with the looks of logos and gifts for boxes alone, and with brand memory, gift sets and shop rules as
sources too; all without the network. Prints a table of means over the draws, with the differences in each draw, and how
often the sources are right. A validation split is told apart from other products.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from model.boxes.described import RECENT
from model.boxes.metrics import box_scores
from model.evaluation.corpus import LabelledCorpus, Split, split
from model.features.extraction import FeatureExtractor
from model.knowledge.facts import People
from model.knowledge.shop import SOURCES
from model.metrics import class_scores, log_loss
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read

OFF, BOXES, ALL = MODES = ("off", "boxes", "all")
KINDS = ("logo", "gift")


@dataclass(frozen=True)
class Measured:
    """Figures of one training by name, and of its sources: how often each speaks, how often it is right, its weight."""

    figures: dict[str, float]
    sources: dict[str, tuple[float, float, float]] = field(default_factory=dict)


def trained(one: Split, mode: str) -> Tagger:
    """Return the tagger trained on a split's gold in one of the `MODES`."""
    problem = one.problem
    if mode != OFF:
        problem = replace(problem, people=People({}, tuple(range(len(problem.pool))), speaks=mode == ALL))
    return fit(one.cold_start(), problem, TrainConfig(seed=one.seed, use_network=False))


def measured(tagger: Tagger, corpus: LabelledCorpus, rows: Sequence[int]) -> Measured:
    """Return the figures on these rows."""
    assert tagger.box_model is not None
    items = [corpus.features[row] for row in rows]
    seen = tagger.box_model.see(items)
    opinions = tagger.opinions(items, tagger.box_opinions(items, seen))
    probability_NK = tagger.probabilities(items, tagger.box_opinions(items, seen))
    truth_NK, given_NK = corpus.truth(rows), tagger.calibration.decide(probability_NK)
    f1_K = [score.f1 for score in class_scores(truth_NK, given_NK)]
    figures = {"macro-F1": float(np.mean(f1_K)), "log loss": log_loss(truth_NK.flatten(), probability_NK.flatten())}
    drawn = [place for place, row in enumerate(rows) if corpus.boxes and corpus.boxes[row] is not None]
    found = tagger.box_model.drawn([seen[place] for place in drawn], faint=True)
    gold = [picture for place in drawn if (picture := corpus.boxes[rows[place]]) is not None]
    scores = box_scores(found, gold, corpus.labels)
    figures["mAP"] = scores.mean
    sources = {}
    for k, kind in enumerate(tagger.sources.cues.kinds):
        if kind.name in KINDS:
            truth_N, probability_N = truth_NK[:, k].numpy(), probability_NK[:, k].numpy()
            label = corpus.labels[k]
            figures |= {
                f"{label} F1": f1_K[k],
                f"{label} AP": float(average_precision_score(truth_N, probability_N)),
                f"{label} log loss": log_loss(truth_N, probability_N),
                f"{label} box AP": scores.average_precision.get(label, float("nan")),
            }
            for name in set(SOURCES[:2]) & set(opinions.names):
                s = opinions.names.index(name)
                said_N = opinions.log_odds_SNK[s, :, k]
                if spoke := int((said_N != 0).sum()):
                    right = float(((said_N > 0) == (truth_NK[:, k] > 0.5))[said_N != 0].double().mean())
                    sources[f"{name}, {label}"] = (float(spoke), right, float(tagger.label_model.trust_SK[s, k]))
    return Measured(figures, sources)


def lines(part: str, families: int, results: dict[str, list[Measured]]) -> Iterator[str]:
    """Yield the rows of the table of one part of the test items."""
    off = results[OFF]
    for mode, each in results.items():
        cells = []
        for name in off[0].figures:
            values = np.array([one.figures[name] for one in each])
            apart = values - np.array([one.figures[name] for one in off])
            told = "" if mode == OFF else f" ({apart.mean():+.3f}: {', '.join(f'{value:+.3f}' for value in apart)})"
            cells.append(f"{name} {values.mean():.3f}{told}")
        yield f"{part}, {families} gold products, {mode}: " + "; ".join(cells)
        for source in each[0].sources:
            spoke, right, trust = np.mean([one.sources[source] for one in each if source in one.sources], axis=0)
            yield f"    {source}: spoke on {spoke:.0f}, right {right:.0%}, weight {trust:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what is known of a shop.")
    parser.add_argument("--data", type=Path, default=Path("samples/data"))
    parser.add_argument("--image-encoder", default="shipped")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--gold", type=int, nargs="+", default=[18, 91], help="products with gold")
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    extractor = FeatureExtractor.from_names(options.image_encoder, "shipped")
    corpus = corpus_of(read(options.data, None), extractor, options.cache)
    with RECENT.kept_in(options.cache / "descriptions"):
        for families in options.gold:
            began = time.monotonic()
            parts: dict[str, dict[str, list[Measured]]] = {}
            for seed in range(options.draws):
                one = split(corpus, families=families, seed=seed)
                for mode in MODES:
                    tagger = trained(one, mode)
                    for part, places in one.parts.items():
                        rows = [one.test[place] for place in places]
                        by_mode = parts.setdefault(part, {name: [] for name in MODES})
                        by_mode[mode].append(measured(tagger, corpus, rows))
            for part, results in parts.items():
                print(*lines(part, families, results), sep="\n", flush=True)
            print(f"{time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
