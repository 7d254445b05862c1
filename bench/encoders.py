"""Compare picture encoders on real pictures, by time, tags and boxes:

    python -m bench.encoders FOLDER --cache CACHE --encoder efficientnet-lite0 --encoder shipped

FOLDER holds items.csv (with the columns product_id and split), boxes.csv and the pictures. Gold = the items of n random
products of `split=labelled` (all of them where n is their number); test = `split=validation`; the rest is in the pool.
Every encoder gets the same draws. Prints a Markdown row for each encoder and number of products.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.boxes.described import RECENT
from model.boxes.effort import Seconds
from model.encoders.catalogue import image_encoder, text_encoder
from model.encoders.grid import GridEncoder
from model.evaluation.boxes import box_results
from model.evaluation.corpus import LabelledCorpus, Split
from model.evaluation.methods import TAGLOOM, methods
from model.features.extraction import FeatureExtractor
from model.metrics import macro_f1, weighted_f1
from model.reading.reader import Reader
from tagloom.datasets.dataset import Dataset
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read

# Pictures on which an encoder's time is measured.
TIMED = 48


def seconds_of(encoder: GridEncoder, data: Dataset) -> float:
    """The time that one picture takes, in seconds, without opening and reading it."""
    pictures = [sample.open() for sample in data.samples[:TIMED]]
    encoder.encode(pictures[:16])
    started = time.perf_counter()
    encoder.encode(pictures)
    return (time.perf_counter() - started) / len(pictures)


def drawn(corpus: LabelledCorpus, parts: Sequence[str], products: int, seed: int) -> Split:
    """Gold from the labelled part, and the validation part as test."""
    labelled = [row for row, part in enumerate(parts) if part == "labelled"]
    names = np.unique([corpus.families[row] for row in labelled])
    np.random.RandomState(seed).shuffle(names)
    chosen = set(names[:products].tolist())
    gold = tuple(row for row in labelled if corpus.families[row] in chosen)
    return Split(corpus, gold, tuple(row for row, part in enumerate(parts) if part == "validation"), seed)


def cells(split: Split) -> tuple[float, float, float, float]:
    """Macro-F1, weighted-F1, mAP@0.5 and the share of effort saved."""
    answers = methods()[TAGLOOM](split)
    truth_NK = split.corpus.truth(split.test).numpy()
    boxes = box_results(answers.drawn, split, Seconds())[TAGLOOM]
    given_NK = answers.given_NK.numpy()
    return macro_f1(truth_NK, given_NK), weighted_f1(truth_NK, given_NK), boxes.mean, boxes.effort.saved


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", action="append", required=True, help="name of a picture encoder; several times")
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    parser.add_argument("--products", type=int, nargs="+", default=[0, 17, 50, 94])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = read(options.folder, None)
    parts = [sample.split for sample in data]
    print(
        "| encoder | ms a picture | products | macro-F1 | weighted-F1 | mAP@0.5 | effort saved |\n" + "|---" * 7 + "|"
    )
    with RECENT.kept_in(options.cache / "descriptions"):
        for name in options.encoder:
            encoder = image_encoder(name)
            spent = 1000 * seconds_of(encoder, data)
            corpus = corpus_of(data, FeatureExtractor(encoder, text_encoder("shipped"), Reader()), options.cache)
            for products in options.products:
                draws = range(options.draws if products else 1)
                found = np.array([cells(drawn(corpus, parts, products, seed)) for seed in draws])
                mean, spread = found.mean(0), found.std(0)
                told = " | ".join(f"{one:.3f} ± {about:.3f}" for one, about in zip(mean, spread, strict=True))
                print(f"| {name} | {spent:.1f} | {products} | {told} |", flush=True)


if __name__ == "__main__":
    main()
