"""Compare picture encoders on real pictures, by time, tags and boxes:

    python -m bench.encoders FOLDER --cache CACHE --encoder efficientnet-lite0 --encoder shipped

FOLDER holds items.csv (with the columns product_id and split), boxes.csv and the pictures. Gold = the items of n random
products of `split=labelled` (all of them where n is their number), the same draws for every encoder; test =
`split=validation`. Prints a Markdown row for each encoder and number of products.
"""

import argparse
import time
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from model.boxes.described import RECENT
from model.boxes.effort import Seconds
from model.encoders.catalogue import image_encoder, text_encoder
from model.encoders.grid import GridEncoder
from model.evaluation.corpus import VALIDATION
from model.evaluation.methods import TAGLOOM
from model.evaluation.run import RunPlan, run
from model.features.extraction import FeatureExtractor
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", action="append", required=True, help="name of a picture encoder; several times")
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    parser.add_argument("--products", type=int, nargs="+", default=[0, 17, 50, 94])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = read(options.folder, None)
    baselines = " | ".join(f"effort saved at {prices.draw:g} s" for prices in Seconds().baselines())
    print(f"| encoder | ms a picture | products | macro-F1 | weighted-F1 | mAP@0.5 | {baselines} |")
    print("|---" * (6 + len(Seconds().baselines())) + "|")
    with RECENT.kept_in(options.cache / "descriptions"):
        for name in options.encoder:
            encoder = image_encoder(name)
            spent = 1000 * seconds_of(encoder, data)
            corpus = corpus_of(data, FeatureExtractor(encoder, text_encoder("shipped"), Reader()), options.cache)
            results = run(corpus, RunPlan(options.products, range(options.draws), [TAGLOOM]))
            shown = [result for result in results if result.part == VALIDATION]
            for products, draws in groupby(shown, key=lambda result: result.gold_families):
                found = np.array(
                    [
                        (
                            one.macro_f1,
                            one.weighted_f1,
                            one.boxes[TAGLOOM].mean,
                            *(effort.saved for effort in one.boxes[TAGLOOM].efforts.values()),
                        )
                        for one in draws
                    ]
                )
                cells = [f"{a:.3f} ± {b:.3f}" for a, b in zip(found.mean(0), found.std(0), strict=True)]
                print(f"| {name} | {spent:.1f} | {products} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
