"""The corpus of an evaluation or of an encoders' training: labelled pictures with their features and gold."""

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from model.evaluation.corpus import LabelledCorpus, require_families
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.lexicon.lexicon import Lexicon
from model.lexicon.names import with_names
from tagloom.datasets.dataset import Dataset
from tagloom.evaluation.data import gold_picture
from tagloom.evaluation.features import features_of
from tagloom.opening import MAX_PIXELS

FEATURES = "features"

Say = Callable[[str], None]


def corpus_of(
    samples: Dataset,
    extractor: FeatureExtractor,
    out: Path,
    lexicon: Lexicon | None = None,
    max_pixels: int = MAX_PIXELS,
) -> LabelledCorpus:
    """Return the data with their features, which are computed once and cached in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    labels = samples.labels()
    # Faults in the gold must show before the pictures are encoded, which takes long.
    gold = tuple(frozenset(sample.labels) if sample.labelled else None for sample in samples)
    boxes = tuple(gold_picture(sample.boxes, labels) if sample.boxed else None for sample in samples)
    with tqdm(desc="pictures read and encoded", unit="", disable=None, leave=False) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        cache = FeatureCache(out / FEATURES, extractor.space)
        features = features_of(samples.samples, extractor, cache, progress, max_pixels)
    return LabelledCorpus(
        labels,
        tuple(features),
        gold,
        tuple(sample.product_id for sample in samples),
        boxes,
        with_names(lexicon or Lexicon.load(), dict.fromkeys(labels, ())),
        tuple(sample.unknown for sample in samples),
        frozenset(row for row, sample in enumerate(samples) if sample.labelled and sample.for_measuring),
    )


def require_gold(samples: Dataset) -> None:
    """Raise ValueError when nothing can be learned: the data have no label, or only one product."""
    if not samples.labels():
        raise ValueError("no item has a label: fill the labels column, or label some tasks and export again")
    require_families(sample.product_id for sample in samples.labelled())


def tell_notes(samples: Dataset, say: Say) -> None:
    """Say how the data were read, and what is missing in them."""
    for note in samples.notes:
        say(note)
