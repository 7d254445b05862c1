"""Train the forest of `model.boxes.prior` on drawn pictures, and write it:

    python -m tools.samples.draw --seed 7101 --count 640 --quality 80 --out FOLDER
    python -m tools.boxes.train FOLDER --cache CACHE

The pictures must be others than those of `samples/data`, on which the product is measured: another seed draws other
products. Grids of both encoders that come with the product are used, so that the forest does not hang on one.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from model.boxes.describe import KINDS
from model.boxes.described import RECENT
from model.boxes.forest import Floats, Forest
from model.boxes.head import Example, quality_of
from model.boxes.prior import FILE
from model.boxes.roles import RoleReader
from model.evaluation.corpus import LabelledCorpus
from model.features.extraction import FeatureExtractor
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read

ENCODERS = ("efficientnet-lite0", "shipped")
TREES = 48
SEED = 7


def learned_from(corpus: LabelledCorpus) -> tuple[list[Floats], list[Floats]]:
    """Return descriptors (N, D) and qualities (N, kinds) of the candidates of each picture with gold boxes."""
    label_of = {corpus.lexicon.kind_of(label).name: label for label in corpus.labels}
    labels, reader = tuple(label_of[kind] for kind in KINDS), RoleReader(corpus.lexicon)
    inputs, targets = [], []
    for item, picture, family in zip(corpus.features, corpus.boxes, corpus.families, strict=True):
        if picture is not None:
            seen = RECENT.of(item, reader)
            nothing_NK = np.zeros((len(seen.boxes_N4), len(labels)), dtype=np.float32)
            example = Example(seen.boxes_N4, seen.inputs_ND, nothing_NK, picture.boxes, family)
            inputs.append(seen.inputs_ND)
            targets.append(quality_of(example, labels))
    return inputs, targets


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    options = parser.parse_args()
    data = read(options.folder, None)
    data = replace(data, samples=tuple(data.labelled()))
    inputs: list[Floats] = []
    targets: list[Floats] = []
    with RECENT.kept_in(options.cache / "descriptions"):
        for encoder in ENCODERS:
            corpus = corpus_of(data, FeatureExtractor.from_names(encoder, "shipped"), options.cache)
            found = learned_from(corpus)
            inputs += found[0]
            targets += found[1]
    torch.set_num_threads(2)
    forest = Forest.grow(np.concatenate(inputs), np.concatenate(targets), trees=TREES, seed=SEED)
    save_file(forest.state(), FILE)
    print(f"{FILE.name}: {TREES} trees from {sum(map(len, inputs))} candidates, {FILE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
