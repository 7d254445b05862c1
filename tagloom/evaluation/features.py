"""Features of samples for measuring: computed once, kept by what the encoders see of a sample."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Item
from samples.dataset import Sample

AT_ONCE = 16

Progress = Callable[[int, int], None]


def unheard(done: int, of: int) -> None:
    """For callers that do not follow the progress."""


def key_of(sample: Sample) -> str:
    """Cache key of a sample: another one when its texts, its industry or its picture's file are changed."""
    texts = (sample.title, *_industry(sample), sorted(sample.texts.items()))
    seen = (sample.id, texts, _file(sample.picture) if sample.picture else None)
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]


def _file(picture: Path) -> tuple[str, int, int]:
    facts = picture.stat()
    return str(picture.resolve()), facts.st_size, facts.st_mtime_ns


def item_of(sample: Sample) -> Item:
    """What the encoders see. Raises ValueError naming a picture that cannot be read."""
    picture = sample.open() if sample.picture else None
    return Item(picture, sample.title, _industry(sample), dict(sample.texts))


def _industry(sample: Sample) -> tuple[str, ...]:
    """The levels that are named, as of a task: an empty one would be a value like any other."""
    return tuple(filter(None, (sample.level1, sample.level2)))


def features_of(
    samples: Sequence[Sample], extractor: FeatureExtractor, cache: FeatureCache, on_progress: Progress = unheard
) -> list[ItemFeatures]:
    """Features of each sample, from the cache or computed; ``on_progress`` hears how many are computed, of how many.

    A killed run goes on: each batch is kept as soon as it is there. Raises ValueError naming a picture that cannot be
    read.
    """
    missing = [sample for sample in samples if key_of(sample) not in cache]
    for start in range(0, len(missing), AT_ONCE):
        part = missing[start : start + AT_ONCE]
        for sample, computed in zip(part, extractor.extract([item_of(sample) for sample in part]), strict=True):
            cache.put(key_of(sample), computed)
        on_progress(start + len(part), len(missing))
    return [_kept(sample, cache) for sample in samples]


def _kept(sample: Sample, cache: FeatureCache) -> ItemFeatures:
    features = cache.get(key_of(sample))
    if features is None:
        raise ValueError(f"the features of sample {sample.id} cannot be read: start again, they are computed anew")
    return features
