"""Measure the gain of trained encoders, on products that neither encoders nor tagger were trained on:

    python -m bench.refined_encoders --cache CACHE --train image --seeds 2

Each draw makes a share of the products gold and trains a tagger on the features of the present encoders. Then encoders
are trained with this tagger on top, all items are encoded anew (the picture is read only once), and a tagger is
trained from the cold start on the new features. Both are tested on the same other products.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from model.encoders.catalogue import image_encoder, text_encoder
from model.encoders.transformer_text import TransformerTextEncoder
from model.evaluation.corpus import LabelledCorpus, Split, families_at, split
from model.evaluation.methods import trained
from model.features.extraction import FeatureExtractor
from model.items import Item, TextBlock
from model.metrics import macro_f1, weighted_f1
from model.reading.reader import Reader, Reading
from model.training.config import TrainConfig
from model.training.encoders import EncoderPair, EncoderTraining, train_encoders
from tagloom.datasets.dataset import Dataset
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read


class Recalled(Reader):
    """Says of each picture what was read in it before, in the order of the pictures."""

    def __init__(self, blocks: Sequence[tuple[TextBlock, ...]]) -> None:
        super().__init__()
        self._blocks = iter(blocks)

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        return [Reading(next(self._blocks)) for _ in images]


def score(drawn: Split) -> tuple[float, float]:
    """Macro-F1 and weighted-F1 on the draw's test items of a tagger trained on its gold."""
    tagger = trained(drawn)
    given_NK = tagger.calibration.decide(tagger.probabilities([drawn.corpus.features[row] for row in drawn.test]))
    truth_NK = drawn.corpus.truth(drawn.test)
    return macro_f1(truth_NK, given_NK), weighted_f1(truth_NK, given_NK)


def encoded_anew(corpus: LabelledCorpus, samples: Dataset, encoders: FeatureExtractor) -> LabelledCorpus:
    """The corpus with the features that other encoders give."""
    items = [Item(sample.open(), sample.title, (sample.level1, sample.level2)) for sample in samples]
    return replace(corpus, features=tuple(encoders.extract(items)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("samples/data"))
    parser.add_argument("--cache", type=Path, required=True, help="folder; features are kept in its part `features`")
    parser.add_argument("--image-encoder", default="shipped")
    parser.add_argument("--text-encoder", default="shipped")
    parser.add_argument("--train", choices=["image", "text"], nargs="+", default=["image"])
    parser.add_argument("--gold", type=float, default=0.1, help="share of the products whose labels are gold")
    parser.add_argument("--seeds", type=int, default=2)
    usual = EncoderTraining()
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--rate", type=float, default=usual.learning_rate)
    parser.add_argument("--share", type=float, default=usual.share, help="of the encoders' layers that learn")
    options = parser.parse_args()
    samples = read(options.data)
    images, texts = image_encoder(options.image_encoder), text_encoder(options.text_encoder)
    corpus = corpus_of(samples, FeatureExtractor(images, texts, Reader()), options.cache)
    blocks = [item.blocks for item in corpus.features]
    if "text" in options.train and not isinstance(texts, TransformerTextEncoder):
        parser.error(f"the text encoder {options.text_encoder} has nothing to train")

    encoders = EncoderPair(
        images if "image" in options.train else None,
        texts if isinstance(texts, TransformerTextEncoder) and "text" in options.train else None,
    )

    def trained_on(drawn: Split) -> EncoderPair:
        return train_encoders(
            trained(drawn),
            drawn.problem,
            lambda row: samples.samples[row].open(),
            encoders,
            EncoderTraining(options.epochs, options.rate, options.share, training=TrainConfig(seed=drawn.seed)),
            on_epoch=lambda r: print(f"  epoch {r.epoch}: loss on gold {r.gold_loss:.3f}, on weak {r.weak_loss:.3f}"),
        )

    gains = []
    for seed in range(options.seeds):
        drawn = split(corpus, families=families_at(corpus, options.gold), seed=seed)
        frozen, started = score(drawn), time.process_time()
        new, took = trained_on(drawn), time.process_time() - started
        extractor = FeatureExtractor(new.images or images, new.texts or texts, Recalled(blocks))
        refined = score(replace(drawn, corpus=encoded_anew(corpus, samples, extractor)))
        gains.append(refined[0] - frozen[0])
        told = (
            f"macro-F1 {frozen[0]:.3f} frozen, {refined[0]:.3f} trained; weighted-F1 {frozen[1]:.3f}, {refined[1]:.3f}"
        )
        print(f"seed {seed}, {len(drawn.gold)} gold: {told}; training {took:.0f} s of processor time", flush=True)
    mean = torch.tensor(gains).mean()
    print(f"{' and '.join(options.train)} trained: macro-F1 {mean:+.3f}, from {min(gains):+.3f} to {max(gains):+.3f}")


if __name__ == "__main__":
    main()
