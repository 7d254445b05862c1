"""How long is it from labels to a version, and where does the time go?

    python -m bench.speed.training [--items 640] [--gold 80] [--more 20] --cache CACHE

A project of the drawn samples, repeated with noise until there are ``--items``, in a home of its own: store, features
and gold are real, and the job of the worker runs in this process. Features and candidate boxes are there before. It
learns from ``--gold`` labels first, then ``--more`` come, and the second training is told: seconds and processor
seconds of each stage.
"""

import argparse
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import worker.workplace
from bench.speed.machine import described
from bench.training import SAMPLES, repeated
from labelstudio.changes import annotation_state, tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.boxes.described import RECENT
from model.boxes.roles import RoleReader
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.items import Gold
from model.lexicon.lexicon import Lexicon
from store.store import Store
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from tagloom_base.settings import Settings
from tools.project import label_config
from worker import jobs

KEY = ProjectKey("default", 2, 1795288797)
STEP = 7
"""Every so many tasks get gold, so that it is of many products."""


class Stages:
    """The seconds, and the processor seconds, of each stage that a job reports."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._stage, self._at = "beginning", (time.perf_counter(), time.process_time())

    def report(self, progress: Mapping[str, Any]) -> None:
        """Count the time since the last report for the stage that was running."""
        now = (time.perf_counter(), time.process_time())
        spent = self.seconds.setdefault(self._stage, [0.0, 0.0])
        for place, (after, before) in enumerate(zip(now, self._at, strict=True)):
            spent[place] += after - before
        self._stage, self._at = str(progress.get("stage", self._stage)), now


def annotated(task: int, gold: Gold) -> dict[str, Any]:
    """Return an annotation of a task as Label Studio sends it."""
    tags = {
        "from_name": "elements",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": list(gold.labels or ())},
    }
    boxes: list[dict[str, Any]] = [
        {
            "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "image_rotation": 0,
            "original_width": 100, "original_height": 100,
            "value": {
                "x": 100 * one.box.left, "y": 100 * one.box.top, "width": 100 * one.box.width,
                "height": 100 * one.box.height, "rotation": 0, "rectanglelabels": [one.label],
            },
        }
        for one in gold.boxes or ()
    ]  # fmt: skip
    result = [{"id": f"{task}.{number}", **one} for number, one in enumerate([tags, *boxes])]
    return {"id": task, "task": task, "result": result}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=640)
    parser.add_argument("--gold", type=int, default=80, help="labels of the first training")
    parser.add_argument("--more", type=int, default=20, help="labels that come then")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the samples' features")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    extractor = FeatureExtractor.from_names("shipped", "shipped")
    corpus = corpus_of(read(SAMPLES, None), extractor, options.cache)
    with TemporaryDirectory() as folder:
        os.environ |= {
            "TAGLOOM_HOME": folder, "TAGLOOM_SETTLE_SECONDS": "0", "TAGLOOM_PROMOTION_SECONDS": "0",
            "TAGLOOM_TRAINING_THREADS": str(options.threads), "REDIS_URL": "redis://127.0.0.1:1/0",
        }  # fmt: skip
        settings, xml = Settings(), label_config(corpus.labels)
        config = LabelConfig.parse(xml)
        with closing(Store.open(settings.paths.database)) as store, RECENT.kept_in(settings.paths.descriptions):
            store.projects.ensure(str(KEY), xml)
            cache, reader = FeatureCache(settings.paths.features, extractor.space), RoleReader(Lexicon.load())
            for number, item in enumerate(repeated(corpus.features, options.items), 1):
                task = {"id": number, "data": {"image": f"/{number}.png", "title": f"商品 {number}"}}
                store.tasks.upsert(str(KEY), tasks_of([task]))
                cache.put(item_key(KEY.connection, reference_of(config, task, KEY)), item)
                RECENT.of(item, reader)
            said = corpus.gold_of(range(len(corpus.features)))

            def label(places: Iterable[int]) -> None:
                tasks = [1 + place * STEP % options.items for place in places]
                states = [annotation_state(annotated(task, said[(task - 1) % len(said)])) for task in tasks]
                store.annotations.apply(str(KEY), states)

            # The encoders are never asked: all features are there.
            vars(worker.workplace)["open_extractor"] = lambda _: extractor
            label(range(options.gold))
            jobs.train(str(KEY))
            label(range(options.gold, options.gold + options.more))
            stages, began = Stages(), time.perf_counter()
            jobs._report = stages.report
            told = jobs.train(str(KEY))
            stages.report({})
            whole = time.perf_counter() - began
    print(f"{options.items} items: {told}; {described()}\n\n| stage | s | processor s |\n|---|---:|---:|")
    for stage, (seconds, processor) in stages.seconds.items():
        print(f"| {stage} | {seconds:.2f} | {processor:.2f} |")
    print(f"| all | {whole:.2f} | {sum(spent for _, spent in stages.seconds.values()):.2f} |")


if __name__ == "__main__":
    main()
