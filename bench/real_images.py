"""Compare Tagloom, its ablations and plain methods on a folder of labelled pictures:

    python -m bench.real_images FOLDER --weights FOLDER/../weights/squeezenet1_1.safetensors --cache CACHE

FOLDER holds items.csv (id, image, title, level1, level2, product_id, split, labels) and the pictures. Gold = the
labelled items of n random products, test = the other products', the same draws for every method; the unlabelled part is
the pool. Results go to CACHE/results.jsonl at once, so a killed run continues there. Prints a Markdown table and paired
intervals.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.evaluation.run import Result, RunPlan, run
from model.evaluation.tables import by_part, f1_table
from model.features.extraction import FeatureExtractor
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read


def tell(measured: Sequence[Result]) -> None:
    for result in measured:
        print(
            f"{result.method}, {result.gold_families} products ({result.gold_items} items), seed {result.seed}, on "
            f"{result.part}: macro-F1 {result.macro_f1:.4f} weighted {result.weighted_f1:.4f} log loss "
            f"{result.log_loss:.4f} in {result.seconds:.1f} s",
            flush=True,
        )


def intervals(results: Sequence[Result], against: Sequence[str]) -> str:
    """Paired difference of Tagloom to each method over the draws, with the 95 % interval of its mean (bootstrap)."""
    lines = []
    for size in sorted({result.gold_families for result in results}):
        ours = {r.seed: r.macro_f1 for r in results if (r.method, r.gold_families) == ("Tagloom", size)}
        for name in against:
            theirs = {r.seed: r.macro_f1 for r in results if (r.method, r.gold_families) == (name, size)}
            gains = np.array([ours[seed] - theirs[seed] for seed in ours.keys() & theirs.keys()])
            if not len(gains):
                continue
            means = np.random.default_rng(0).choice(gains, (2000, len(gains))).mean(1)
            low, high = np.quantile(means, [0.025, 0.975])
            lines.append(f"- {size} products, against {name}: {gains.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--weights", default="", help="file of torchvision's squeezenet1_1; without it the shipped encoder"
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for features and results")
    parser.add_argument("--products", type=int, nargs="+", default=[0, 17, 50])
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--methods", nargs="+", default=None)
    options = parser.parse_args()
    torch.set_num_threads(2)
    options.cache.mkdir(parents=True, exist_ok=True)
    encoder = f"torchvision:squeezenet1_1@{options.weights}" if options.weights else "shipped"
    extractor = FeatureExtractor.from_names(encoder, "shipped")
    results = run(
        corpus_of(read(options.folder, None), extractor, options.cache),
        RunPlan(options.products, range(options.draws), options.methods, options.cache / "results.jsonl"),
        on_results=tell,
    )
    for part, own in by_part(results).items():
        print(f"On {part}:\n\n{f1_table(own).markdown()}\n")
        print(intervals(own, sorted({result.method for result in own} - {"Tagloom"})))


if __name__ == "__main__":
    main()
