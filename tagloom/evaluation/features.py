"""Features of samples for measuring: computed once, kept by what the encoders see of a sample."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Item
from tagloom.datasets.dataset import Dataset, Sample, left_out
from tagloom.opening import MAX_PIXELS, opened

AT_ONCE = 16
READ_AS = "upright, on white"  # a picture that is read otherwise has other features

Progress = Callable[[int, int], None]


def unheard(done: int, of: int) -> None:
    """For callers that do not follow the progress."""


def key_of(sample: Sample) -> str:
    """Cache key of a sample: another one when its texts, its industry or its picture's file are changed."""
    texts = (sample.title, *_industry(sample), sorted(sample.texts.items()))
    seen = (sample.id, texts, [*_file(sample.picture), READ_AS] if sample.picture else None)
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]


def _file(picture: Path) -> tuple[str, int, int]:
    facts = picture.stat()
    return str(picture.resolve()), facts.st_size, facts.st_mtime_ns


def readable(data: Dataset, cache: FeatureCache, max_pixels: int = MAX_PIXELS) -> Dataset:
    """The items without those whose picture cannot be read, which the notes tell.

    Reading a picture takes a small part of the time of encoding it, and what is cached is not read again. Raises
    ValueError where none can be read.
    """
    kept: list[Sample] = []
    faults: list[str] = []
    for sample in data:
        try:
            if sample.picture and key_of(sample) not in cache:
                opened(sample.picture, max_pixels)
        except (ValueError, OSError) as fault:
            faults.append(f"{sample.id}: {fault}")
        else:
            kept.append(sample)
    pictured = sum(sample.picture is not None for sample in data)
    told = left_out(faults, pictured, "write the files again, or name others")
    return replace(data, samples=tuple(kept), notes=told)


def item_of(sample: Sample, max_pixels: int = MAX_PIXELS) -> Item:
    """What the encoders see. Raises ValueError naming a picture that cannot be read."""
    picture = opened(sample.picture, max_pixels) if sample.picture else None
    image, size = (picture.image, picture.size) if picture else (None, None)
    return Item(image, sample.title, _industry(sample), dict(sample.texts), size)


def _industry(sample: Sample) -> tuple[str, ...]:
    """The levels that are named, as of a task: an empty one would be a value like any other."""
    return tuple(filter(None, (sample.level1, sample.level2)))


def features_of(
    samples: Sequence[Sample],
    extractor: FeatureExtractor,
    cache: FeatureCache,
    on_progress: Progress = unheard,
    max_pixels: int = MAX_PIXELS,
) -> list[ItemFeatures]:
    """Features of each sample, from the cache or computed; ``on_progress`` hears how many are computed, of how many.

    A killed run goes on: each batch is kept as soon as it is there. Raises ValueError naming a picture that cannot be
    read.
    """
    found = [cache.get(key_of(sample)) for sample in samples]
    missing = [row for row, features in enumerate(found) if features is None]
    for start in range(0, len(missing), AT_ONCE):
        rows = missing[start : start + AT_ONCE]
        items = [item_of(samples[row], max_pixels) for row in rows]
        for row, computed in zip(rows, extractor.extract(items), strict=True):
            cache.put(key_of(samples[row]), computed)
            found[row] = cache.get(key_of(samples[row]))
        on_progress(start + len(rows), len(missing))
    return [_kept(sample, features) for sample, features in zip(samples, found, strict=True)]


def _kept(sample: Sample, features: ItemFeatures | None) -> ItemFeatures:
    if features is None:
        raise ValueError(f"the features of sample {sample.id} cannot be read: start again, they are computed anew")
    return features
