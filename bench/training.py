"""Measure the time and memory of a training on cached features:

    python -m bench.training --items 4492 --gold 0.1 --cache CACHE

The drawn samples are repeated, with noise on their features, until there are ``--items`` items. Each repeat is a new
product family. Features of the samples, and descriptions of all items, are computed and cached in CACHE if missing.
Under torchrun the processes share each batch: torchrun --nproc-per-node 2 -m bench.training …
"""

import argparse
import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, distributed

from model.boxes.described import RECENT
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Gold
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import STUDY, epochs
from model.training.processes import Processes
from model.training.progressive import EpochReport, fit
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read

SAMPLES = Path("samples/data")
NOISE = 0.1  # of a vector's norm


def noisy(item: ItemFeatures, random: torch.Generator) -> ItemFeatures:
    """The same item as the encoders might have seen it in another photograph."""
    vectors = ("grid_RC", "image_C", "tokens_TE", "title_E", "reading_E")
    return replace(item, **{name: _shaken(getattr(item, name), random) for name in vectors})  # type: ignore[arg-type]


def _shaken(vectors_ND: Tensor, random: torch.Generator) -> Tensor:
    values_ND = vectors_ND.float()
    spread = NOISE * values_ND.square().mean(-1, keepdim=True).sqrt()
    return (values_ND + spread * torch.randn(values_ND.shape, generator=random)).half()


def repeated(items: Sequence[ItemFeatures], wanted: int) -> list[ItemFeatures]:
    """So many items: the given ones, then noisy copies of them."""
    random = torch.Generator().manual_seed(1)
    copies = [noisy(items[n % len(items)], random) for n in range(len(items), wanted)]
    return [*items[:wanted], *copies]


def told(starts: Sequence[float], reports: Sequence[EpochReport]) -> str:
    """Seconds by phase; what comes before the first epoch is told apart from it by the other epochs of its phase."""
    took = [after - before for before, after in pairwise(starts)]
    base = [seconds for seconds, report in zip(took, reports, strict=True) if report.phase == reports[0].phase]
    first = sum(base[1:]) / max(len(base) - 1, 1)
    lines = [f"before the first epoch: {took[0] - first:.1f} s"]
    for name in dict.fromkeys(report.phase for report in reports):
        seconds = [s for s, report in zip([first, *took[1:]], reports, strict=True) if report.phase == name]
        lines.append(f"{name}: {len(seconds)} epochs in {sum(seconds):.1f} s")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=4492)
    parser.add_argument("--gold", type=float, default=0.1, help="share of the items that is gold")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the samples' features")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("gloo")
    extractor = FeatureExtractor.from_names("shipped", "shipped")
    corpus = corpus_of(read(SAMPLES, None), extractor, options.cache)
    items, owners = repeated(corpus.features, options.items), [n % len(corpus.features) for n in range(options.items)]
    families = [f"{corpus.families[owner]} {n // len(corpus.features)}" for n, owner in enumerate(owners)]
    said = corpus.gold_of(range(len(corpus.features)))
    gold = {n: said[owners[n]] for n in range(0, options.items, max(1, round(1 / options.gold)))}
    cold = Tagger.cold_start(corpus.labels, space=extractor.space, seed=7)
    with RECENT.kept_in(options.cache / "descriptions"):
        train(cold, items, gold, families, options)


def train(
    cold: Tagger,
    items: Sequence[ItemFeatures],
    gold: Mapping[int, Gold],
    families: Sequence[str],
    options: argparse.Namespace,
) -> None:
    """Train once, and print what it took."""
    assert cold.box_model
    for item in items:
        cold.box_model.see([item])
    features_only = peak()
    starts, reports = [time.perf_counter()], list[EpochReport]()

    def on_epoch(report: EpochReport) -> None:
        starts.append(time.perf_counter())
        reports.append(report)

    began = time.process_time()
    fit(cold, Problem(items, gold, families), TrainConfig(device=options.device), on_epoch=on_epoch)
    whole, computed = time.perf_counter() - starts[0], time.process_time() - began
    if Processes.current().rank == 0:
        print(f"{len(items)} items, {len(gold)} gold, {len(epochs(STUDY))} epochs, {options.threads} threads")
        print(told(starts, reports))
        print(f"whole: {whole:.1f} s, processor time {computed:.1f} s")
        print(f"peak memory: {peak():.2f} GiB, of which the program and its features {features_only:.2f} GiB")
    if distributed.is_initialized():
        distributed.destroy_process_group()


def peak() -> float:
    """GiB that the process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
