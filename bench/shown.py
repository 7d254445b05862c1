"""Measure what is shown: python -m bench.shown DATA_FOLDER [--image-encoder NAME] [--gold-share 0.1]

Prints a Markdown table of the seconds that the shown boxes save against drawing all boxes, for both published times of
a drawn box, with 95 % bootstrap intervals over products. Rows: the cold start, and the box head by cross-validation
over products (with ``--gold-share`` learned from that share of the products and tested on the others), each with
thresholds for several seconds of a drawn box. Items whose split is ``validation`` give no gold; they are told by
themselves, without gold and with all other labelled items as gold. The attention network is left out: boxes do not
depend on it.

With ``--fit`` it prints the numbers of `model.boxes.worth` instead: COLD from the cold start's boxes in all folders,
each folder with the same weight, LEARNED from a head's boxes in the first one (``--gold-share``, each draw).
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from bench.boxes import splits
from model.boxes.effort import BASELINES, Effort, Seconds, effort
from model.boxes.metrics import GoldPicture
from model.boxes.worth import DRAW, Worth, outcomes
from model.evaluation.corpus import VALIDATION, LabelledCorpus
from model.features.extraction import FeatureExtractor
from model.items import LabelledBox, PredictedBox
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read

# Seconds of a drawn box for which thresholds are chosen.
DRAWS = (*BASELINES, DRAW)
RESAMPLED = 400
# What the numbers are fitted around, so loosely that it does not matter.
VAGUE, LOOSE, LOOSER = Worth((-1.0, 0.0, 1.0, 2.0), 1.0), (3.0, 1.0), (10.0, 10.0)

Boxes = Sequence[PredictedBox]
Pair = tuple[Boxes, Sequence[LabelledBox]]
# Scores and wrong edges, as `outcomes` returns them.
Outcomes = tuple[list[float], list[int]]


@dataclass(frozen=True)
class Data:
    """A folder's items, and the rows with gold boxes: those that may give gold, and those that never do."""

    corpus: LabelledCorpus
    own: list[int]
    validation: list[int]
    labelled: list[int]

    @classmethod
    def of(cls, folder: Path, options: argparse.Namespace) -> "Data":
        samples = read(folder)
        extractor = FeatureExtractor.from_names(options.image_encoder, options.text_encoder)
        corpus = corpus_of(samples, extractor, options.cache)
        drawn = [row for row, picture in enumerate(corpus.boxes) if picture is not None]
        aside = {row for row, sample in enumerate(samples) if sample.split == VALIDATION}
        labelled = [row for row, known in enumerate(corpus.gold) if known is not None and row not in aside]
        return cls(corpus, [row for row in drawn if row not in aside], sorted(aside & set(drawn)), labelled)

    def gold(self, row: int) -> GoldPicture:
        picture = self.corpus.boxes[row]
        assert picture is not None
        return picture

    def tagger(self, gold: Sequence[int], draw: float, seed: int) -> Tagger:
        """Return the tagger that learned from the gold of these rows; the cold start without any."""
        cold = Tagger.cold_start(
            self.corpus.labels, space="bench", seed=seed, lexicon=self.corpus.lexicon, draw_seconds=draw
        )
        problem = Problem(self.corpus.features, self.corpus.gold_of(gold), self.corpus.families)
        return fit(cold, problem, TrainConfig(seed=seed, use_network=False)) if gold else cold

    def parts(self, options: argparse.Namespace) -> list[tuple[list[int], list[int]]]:
        """Return the rows that give gold and the boxed rows to test on, for each part."""
        families = [self.corpus.families[row] for row in self.labelled]
        drawn = set(self.own)
        return [
            ([self.labelled[n] for n in gold], [self.labelled[n] for n in test if self.labelled[n] in drawn])
            for gold, test in splits(families, options.gold_share, options.draws, options.folds)
        ]


def boxes_of(tagger: Tagger, data: Data, rows: Sequence[int], *, faint: bool = False) -> list[Boxes]:
    """Return the shown boxes of each row, or all scored ones."""
    assert tagger.box_model is not None
    items = [data.corpus.features[row] for row in rows]
    seen = tagger.box_model.see(items)
    likely_NK = tagger.probabilities(items, tagger.box_opinions(items, seen))
    return list(tagger.box_model.drawn(seen, likely_NK, tagger.calibration.decide(likely_NK), faint=faint))


def line(name: str, data: Data, rows: Sequence[int], shown: Sequence[Boxes]) -> str:
    """Return one row of the table."""
    gold, families = [data.gold(row) for row in rows], [data.corpus.families[row] for row in rows]
    cells = [name]
    for draw in BASELINES:
        seconds = replace(Seconds(), draw=draw)
        each = [effort([boxes], [picture], seconds) for boxes, picture in zip(shown, gold, strict=True)]
        low, high = interval(each, families)
        cells.append(f"{effort(shown, gold, seconds).saved:.1%} [{low:.0%}, {high:.0%}]")
    spent = effort(shown, gold)
    there = sum(len(picture.boxes) for picture in gold)
    counts = (spent.kept, spent.edges, spent.deleted, spent.drawn)
    cells += [f"{sum(map(len, shown)) / len(rows):.1f} of {there / len(rows):.1f}"]
    cells += [f"{count / len(rows):.1f}" for count in counts]
    return "| " + " | ".join(cells) + " |"


def interval(each: Sequence[Effort], families: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % interval of the saved share over resampled products."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one, family in zip(each, families, strict=True):
        sums[family][0] += one.seconds
        sums[family][1] += one.from_nothing
    products = np.array(list(sums.values()))
    chosen = np.random.default_rng(0).integers(0, len(products), (RESAMPLED, len(products)))
    totals = products[chosen].sum(1)
    low, high = np.quantile(1 - totals[:, 0] / totals[:, 1], (0.025, 0.975))
    return float(low), float(high)


def measure(data: Data, options: argparse.Namespace) -> None:
    """Print the table."""
    told = " | ".join(f"saved, {draw:g} s a drawn box" for draw in BASELINES)
    print(f"| shown for | {told} | shown | kept | edges moved | deleted | drawn |\n|---|---|---|---|---|---|---|---|")
    for draw in DRAWS:
        cold = data.tagger([], draw, options.seed)
        print(line(f"no gold, {draw:g} s", data, data.own, boxes_of(cold, data, data.own)), flush=True)
        rows: list[int] = []
        shown: list[Boxes] = []
        for gold, test in data.parts(options):
            rows += test
            shown += boxes_of(data.tagger(gold, draw, options.seed), data, test)
        print(line(f"gold of other products, {draw:g} s", data, rows, shown), flush=True)
        if data.validation:
            none = boxes_of(cold, data, data.validation)
            print(line(f"validation, no gold, {draw:g} s", data, data.validation, none), flush=True)
            every = boxes_of(data.tagger(data.labelled, draw, options.seed), data, data.validation)
            print(line(f"validation, all gold, {draw:g} s", data, data.validation, every), flush=True)


def numbers(folders: Sequence[Data], options: argparse.Namespace) -> None:
    """Print the numbers of `model.boxes.worth`."""
    found: dict[str, list[Outcomes]] = defaultdict(list)
    largest = max(len(data.own) for data in folders)
    for data in folders:
        boxes = boxes_of(data.tagger([], DRAW, options.seed), data, data.own, faint=True)
        pairs: list[Pair] = [(own, data.gold(row).boxes) for own, row in zip(boxes, data.own, strict=True)]
        for label in data.corpus.labels:
            scores, wrong = outcomes(pairs, label)
            weight = round(largest / len(data.own))
            found[data.corpus.lexicon.kind_of(label).name].append((scores * weight, wrong * weight))
    around = Worth.fit(*_joined([one for each in found.values() for one in each]), VAGUE, LOOSER)
    for kind, each in found.items():
        print("COLD", kind, _told(Worth.fit(*_joined(each), around, LOOSE)))
    data = folders[0]
    tested: list[Pair] = []
    for gold, test in data.parts(options):
        boxes = boxes_of(data.tagger(gold, DRAW, options.seed), data, test, faint=True)
        tested += [(own, data.gold(row).boxes) for own, row in zip(boxes, test, strict=True)]
    learned = _joined([outcomes(tested, label) for label in data.corpus.labels])
    print("LEARNED", _told(Worth.fit(*learned, VAGUE, LOOSER)))


def _joined(each: Sequence[Outcomes]) -> Outcomes:
    return [score for scores, _ in each for score in scores], [count for _, wrong in each for count in wrong]


def _told(worth: Worth) -> str:
    return f"Worth({tuple(round(a, 2) for a in worth.a)}, {worth.b:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--image-encoder", default="shipped")
    parser.add_argument("--text-encoder", default="shipped")
    parser.add_argument("--cache", type=Path, default=Path(".tagloom"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--gold-share", type=float)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--fit", action="store_true", help="print the numbers of model.boxes.worth")
    options = parser.parse_args()
    folders = [Data.of(folder, options) for folder in options.data]
    if options.fit:
        numbers(folders, options)
    else:
        for data in folders:
            measure(data, options)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
