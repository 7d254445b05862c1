"""Measure boxes on boxed pictures: python -m bench.boxes DATA_FOLDER [--image-encoder NAME] [--gold-share 0.1]

Prints a Markdown table of average precision at overlap 0.5 per label, mAP with its 95 % bootstrap interval over
products, and the simulated effort against both published times of a drawn box. Rows: cues on single read blocks,
thresholded class attention, the cold start, and methods that learn from gold by cross-validation over products. With
``--gold-share`` the gold is that share of the products, drawn ``--draws`` times, and the test set is all others.
Features are cached in ``--cache``.
``--detector-steps`` also trains torchvision's FCOS on the same gold boxes, and prints its loss. A step of 4 pictures
takes half a second of processor time if the processor has matrix units for bfloat16.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from model.boxes.effort import BASELINES, Seconds, effort
from model.boxes.metrics import GoldPicture, GoldPictures, bootstrap_interval, box_scores
from model.boxes.peers import attended, cued_blocks
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Gold, PredictedBox
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from tagloom.datasets.dataset import Sample, load
from tagloom.evaluation.data import gold_picture
from tagloom.evaluation.features import features_of

Boxes = list[tuple[PredictedBox, ...]]


@dataclass(frozen=True)
class Data:
    """Boxed pictures: features, gold boxes with regions to ignore, tags, products."""

    labels: tuple[str, ...]
    features: list[ItemFeatures]
    gold: list[GoldPicture]
    tags: list[frozenset[str]]
    families: list[str]
    space: str
    samples: list[Sample]

    def gold_of(self, rows: Sequence[int]) -> dict[int, Gold]:
        return {row: Gold(self.tags[row], self.gold[row].boxes) for row in rows}


def read(folder: Path, extractor: FeatureExtractor, cache: FeatureCache) -> Data:
    """All pictures with gold boxes, and those whose labels say that there is nothing to box."""
    dataset = load(folder)
    wanted = [sample for sample in dataset.labelled() if sample.boxed]
    labels = tuple(sorted({box.label for sample in wanted for box in sample.boxes}))
    return Data(
        labels,
        features_of(wanted, extractor, cache),
        [gold_picture(sample.boxes, labels) for sample in wanted],
        [frozenset(sample.labels) for sample in wanted],
        [sample.product_id for sample in wanted],
        extractor.space,
        wanted,
    )


def splits(families: Sequence[str], share: float | None, draws: int, folds: int) -> list[tuple[list[int], list[int]]]:
    """Gold and test rows: folds over products, or a share of the products drawn several times."""
    names = np.array(sorted(set(families)))
    parts = []
    for draw in range(draws if share else 1):
        order = np.random.default_rng(draw).permutation(names)
        chosen = [order[: max(1, round(share * len(names)))]] if share else np.array_split(order, folds)
        for part in chosen:
            inside = [row for row, family in enumerate(families) if family in set(part)]
            outside = [row for row in range(len(families)) if row not in set(inside)]
            parts.append((inside, outside) if share else (outside, inside))
    return parts


def served(tagger: Tagger, data: Data, rows: Sequence[int], *, faint: bool) -> Boxes:
    """The tagger's boxes under its own tag probabilities."""
    items = [data.features[row] for row in rows]
    assert tagger.box_model is not None
    likely_NK = tagger.probabilities(items)
    return tagger.box_model.predict(items, likely_NK, tagger.calibration.decide(likely_NK), faint=faint)


def line(name: str, data: Data, rows: Sequence[int], every: Boxes, given: Boxes | None) -> str:
    """One row of the table; effort needs the boxes that would be shown."""
    gold, families = [data.gold[row] for row in rows], [data.families[row] for row in rows]
    scores = box_scores(every, gold, data.labels)
    low, high = bootstrap_interval(every, GoldPictures(gold, families), data.labels)
    cells = [f"{scores.average_precision.get(label, 0):.2f}" for label in data.labels]
    if given is not None:
        for seconds in Seconds().baselines():
            spent = effort(given, gold, seconds)
            cells += [f"{spent.seconds / spent.pictures:.0f} s of {spent.from_nothing / spent.pictures:.0f} s"]
            cells[-1] += f": {spent.saved:.0%}"
    else:
        cells += [""] * len(BASELINES)
    return f"| {name} | **{scores.mean:.3f}** [{low:.2f}, {high:.2f}] | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print."""
    options = _options()
    extractor = FeatureExtractor.from_names(options.image_encoder, options.text_encoder)
    data = read(options.data, extractor, FeatureCache(options.cache, extractor.space))
    rows = list(range(len(data.features)))
    print(f"{len(rows)} pictures of {len(set(data.families))} products, {extractor.describe()['image']}\n")
    told = [f"effort a picture: saved, {draw:g} s a drawn box" for draw in BASELINES]
    print("| method | mAP@0.5 | " + " | ".join((*data.labels, *told)) + " |")
    print("|---" * (len(data.labels) + len(told) + 2) + "|")
    cold = Tagger.cold_start(data.labels, space=data.space, seed=options.seed)
    assert cold.box_model is not None
    print(line("read blocks with cues", data, rows, cued_blocks(cold.box_model, data.features), None), flush=True)
    show = partial(served, cold, data, rows)
    print(line("cold start", data, rows, show(faint=True), show(faint=False)), flush=True)
    learned(data, cold, options)


def learned(data: Data, cold: Tagger, options: argparse.Namespace) -> None:
    """Rows of what needs gold: thresholded class attention and the box head."""
    rows: list[int] = []
    attention: Boxes = []
    every: Boxes = []
    given: Boxes = []
    started = time.perf_counter()
    parts = splits(data.families, options.gold_share, options.draws, options.folds)
    for gold, test in parts:
        config = TrainConfig(seed=options.seed)
        tagger = fit(cold, Problem(data.features, data.gold_of(gold), data.families), config)
        items = [data.features[row] for row in test]
        attention += attended(tagger, items)
        every += served(tagger, data, test, faint=True)
        given += served(tagger, data, test, faint=False)
        rows += test
    seconds = (time.perf_counter() - started) / len(parts)
    count = round(np.mean([len(gold) for gold, _ in parts]))
    print(line(f"class attention, {count} gold pictures", data, rows, attention, None))
    print(line(f"box head, {count} gold pictures", data, rows, every, given))
    if options.detector_steps:
        print(line(f"FCOS, {count} gold pictures", data, rows, detected(data, parts, options), None))
    print(f"\n{seconds:.1f} s to train tags and boxes and to answer, each of {len(parts)} times")


def detected(data: Data, parts: Sequence[tuple[list[int], list[int]]], options: argparse.Namespace) -> Boxes:
    """Boxes of a torchvision detector trained on the same gold, in the order of all parts' test rows."""
    from bench.detector import Detector

    found: Boxes = []
    for gold, test in tqdm(parts, desc="FCOS", disable=None):
        detector = Detector(data.labels, options.detector_weights)
        images = [data.samples[row].open() for row in gold]
        boxes = [data.gold[row].boxes for row in gold]
        losses = detector.learn(images, boxes, steps=options.detector_steps, seed=options.seed)
        tqdm.write(f"FCOS, {options.detector_steps} steps, loss: {' '.join(f'{loss:.2f}' for loss in losses)}")
        found += detector.predict([data.samples[row].open() for row in test])
    return found


def data_parser(description: str | None) -> argparse.ArgumentParser:
    """Options of what is measured on, and how it is split."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--image-encoder", default="shipped")
    parser.add_argument("--text-encoder", default="shipped")
    parser.add_argument("--cache", type=Path, default=Path(".tagloom/features"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--gold-share", type=float)
    return parser


def _options() -> argparse.Namespace:
    parser = data_parser(__doc__)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7, help="of all that is trained; the parts stay the same")
    parser.add_argument("--detector-steps", type=int, default=0, help="steps of FCOS; 0: leave it out")
    parser.add_argument("--detector-weights", type=Path, help="SqueezeNet 1.1 (.safetensors); without it random ones")
    return parser.parse_args()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
