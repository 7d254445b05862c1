"""Measure how well and how fast drawn boxes are labelled and fitted: python -m bench.interactive DATA_FOLDER

Each gold box is drawn again with its edges moved by ``--error`` of its sides (normal), and clicked in the middle of
the result, on products that were not trained on, divided as in ``bench.boxes``. ``--loose`` draws too large boxes
instead. Prints a Markdown table. ``--requests N`` then sends N requests over HTTP to a backend process, as Label Studio
does, for pictures of the repository's samples that it has read, and for some that it has not.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from bench.boxes import Data, data_parser, read, splits
from bench.serving import FOLDER, PROJECT, SERVERS, project_of, serving, surroundings
from labelstudio.controls.rectangle_labels import percent
from model import checkpoint
from model.boxes.drawn import Drawn
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.items import Box
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from store.store import Store
from store.versions import NewVersion
from tagloom.datasets import dataset
from tagloom.datasets.dataset import Sample
from tagloom.evaluation.data import gold_picture
from tagloom_base.settings import Settings
from tools.services.stack import Stack

NEVER_SEEN = 20
HALF = 0.5
UNCHANGED = 0.01
LOOSE = (1.4, 3.2)


@dataclass(frozen=True)
class Outcome:
    """Of one drawn box or click; overlaps with the gold box."""

    right: bool
    before: float
    after: float


def moved(box: Box, error: float, chance: np.random.Generator) -> Box:
    """The box as somebody might draw it."""
    width, height = box.width * error, box.height * error
    noise = chance.normal(0, 1, 4) * (width, height, width, height)
    edges = (np.array([box.left, box.top, box.right, box.bottom]) + noise).clip(0, 1)
    left, right = sorted(edges[[0, 2]].tolist())
    top, bottom = sorted(edges[[1, 3]].tolist())
    return Box(left, top, right, bottom)


def loosened(box: Box, chance: np.random.Generator) -> Box:
    """The box as somebody might draw it who leaves the fitting to Tagloom: each side longer, the box inside."""
    longer = np.array([box.width, box.height]) * (chance.uniform(*LOOSE, 2) - 1)
    before = longer * chance.uniform(0.15, 0.85, 2)
    low = np.array([box.left, box.top]) - before
    high = np.array([box.right, box.bottom]) + longer - before
    return Box(*np.concatenate([low, high]).clip(0, 1).tolist())


def middle(box: Box) -> Box:
    """A click in the middle of it."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return Box(x, y, x, y)


def outcomes(
    tagger: Tagger, data: Data, rows: Sequence[int], error: float | None, *, clicks: bool, chosen: bool
) -> Iterator[Outcome]:
    """What the tagger makes of every gold box of these pictures, drawn (or clicked) anew; without ``error`` loosely."""
    assert tagger.box_model is not None
    probabilities_NK = tagger.probabilities([data.features[row] for row in rows])
    for row, likely_K in zip(rows, probabilities_NK, strict=True):
        chance = np.random.default_rng(row)
        gold = [entry for entry in data.gold[row].boxes if entry.box.area > 0]
        boxes = [moved(entry.box, error, chance) if error else loosened(entry.box, chance) for entry in gold]
        places = [middle(box) for box in boxes] if clicks else boxes
        drawn = [
            Drawn(place, (entry.label,) if chosen else data.labels) for place, entry in zip(places, gold, strict=True)
        ]
        found = tagger.box_model.classify_regions(data.features[row], drawn, likely_K)
        for entry, place, answer in zip(gold, places, found, strict=True):
            after = answer.box.iou(entry.box) if answer else 0.0
            yield Outcome(answer is not None and answer.label == entry.label, place.iou(entry.box), after)


def accuracy(data: Data, options: argparse.Namespace) -> Tagger:
    """Print the table of the cold start and of taggers that have seen gold; the last of these."""
    error = None if options.loose else options.error
    cold = Tagger.cold_start(data.labels, space=data.space, seed=options.seed)
    parts = splits(data.families, options.gold_share, 1, options.folds)
    taggers = [
        fit(cold, Problem(data.features, data.gold_of(gold), data.families), TrainConfig(seed=options.seed))
        for gold, _ in parts
    ]
    print("| version | given | right label | IoU before | IoU after | after < before | right and IoU > .5 |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, tested in (("no gold", [cold] * len(parts)), (f"{len(parts[0][0])} gold pictures", taggers)):
        for clicks, chosen in ((False, False), (False, True), (True, False), (True, True)):
            found = [
                outcome
                for tagger, (_, test) in zip(tested, parts, strict=True)
                for outcome in outcomes(tagger, data, test, error, clicks=clicks, chosen=chosen)
            ]
            given = ("click" if clicks else "box") + (" and label" if chosen else "")
            print(f"| {name} | {given} | {' | '.join(_cells(found))} |", flush=True)
    return taggers[-1]


def _cells(found: Sequence[Outcome]) -> list[str]:
    before, after = (np.array([getattr(outcome, name) for outcome in found]) for name in ("before", "after"))
    right = np.array([outcome.right for outcome in found])
    shares = (right, before, after, after < before - UNCHANGED, right & (after > HALF))
    cells = [f"{np.mean(share):.3f}" for share in shares]
    return cells if before.any() else [cells[0], "", cells[2], "", cells[4]]  # a click has no overlap before


def latency(tagger: Tagger, requests: int) -> None:
    """Print how long a backend process takes to answer drawn boxes, the given version being CURRENT."""
    items = [sample for sample in dataset.load(FOLDER).samples if sample.boxes]
    with tempfile.TemporaryDirectory() as folder:
        own = Settings(home=Path(folder))
        with Stack(own, surroundings(own)) as stack:
            stack.start_queue()
            settings = Settings(home=own.paths.home, redis_url=stack.environment["REDIS_URL"])
            xml, tasks = project_of(items)
            publish(tagger, settings, xml)
            with (
                serving(SERVERS["tagloom"], settings) as running,
                httpx.Client(base_url=running.url, timeout=60) as client,
            ):
                seen, unseen = items[: len(items) // 4], items[-NEVER_SEEN:]
                numbers = {sample.image: task for sample, task in zip(items, tasks, strict=True)}
                for sample in seen:
                    asked(client, body_of(xml, numbers[sample.image], None))
                known = [seen[number % len(seen)] for number in range(requests)]
                for name, samples in (("features cached", known), ("picture never seen", unseen)):
                    bodies = [body_of(xml, numbers[sample.image], sample) for sample in samples]
                    times = sorted(asked(client, body) for body in bodies)
                    p50, p99 = (times[min(int(len(times) * share), len(times) - 1)] for share in (0.5, 0.99))
                    print(f"/predict with context, {name}: {len(times)} requests, p50 {p50:.0f} ms, p99 {p99:.0f} ms")


def publish(tagger: Tagger, settings: Settings, xml: str) -> None:
    """Make it the version that serves."""
    store = Store.open(settings.paths.database)
    key = f"default/{PROJECT}"
    store.projects.ensure(key, xml)
    number = store.versions.reserve(key)
    version = checkpoint.version_name(number, tagger)
    checkpoint.save(
        tagger, settings.paths.checkpoints / key / version, version=version, about=checkpoint.About(phase="bench")
    )
    new = NewVersion(number, version, "", f"{key}/{version}", "bench", tagger.space, tagger.labels, {}, 0, 0, 0)
    store.versions.install(key, new, generation=0)
    store.close()


def body_of(xml: str, task: dict[str, Any], sample: Sample | None) -> dict[str, Any]:
    """A /predict; with a sample, its first gold box is what was drawn, without label."""
    body = {"tasks": [task], "project": PROJECT, "label_config": xml, "params": {"login": None, "password": None}}
    if sample is None:
        return {**body, "params": {"context": None}}
    drawn = gold_picture(sample.boxes, sample.labels).boxes[0].box
    value = {**percent(moved(drawn, 0.1, np.random.default_rng(task["id"]))), "rotation": 0}
    region = {"id": "drawn", "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": value}
    return {**body, "params": {"context": {"result": [region]}}}


def asked(client: httpx.Client, body: dict[str, Any]) -> float:
    """Milliseconds until the answer, which must hold one rectangle if one was drawn."""
    content = json.dumps(body)
    began = time.perf_counter()
    answer = client.post("/predict", content=content, headers={"Content-Type": "application/json"})
    taken = (time.perf_counter() - began) * 1000
    (result,) = answer.raise_for_status().json()["results"]
    if body["params"]["context"] and [region["type"] for region in result["result"]] != ["rectanglelabels"]:
        raise RuntimeError(f"a drawn box was answered by {result}")
    return taken


def main() -> None:
    """Measure and print."""
    parser = data_parser(__doc__)
    parser.add_argument("--error", type=float, default=0.1, help="of a drawn edge, in sides of the box")
    parser.add_argument("--loose", action="store_true", help="draw each side 1.4 to 3.2 times as long, around the box")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--requests", type=int, default=0, help="for the time they take; shipped encoders only")
    options = parser.parse_args()
    extractor = FeatureExtractor.from_names(options.image_encoder, options.text_encoder)
    data = read(options.data, extractor, FeatureCache(options.cache, extractor.space))
    tagger = accuracy(data, options)
    if options.requests:
        print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        latency(tagger, options.requests)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
