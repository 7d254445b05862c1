"""Features of samples for an evaluation: computed once and cached, by what the encoders see of a sample."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Item
from tagloom.datasets.dataset import Dataset, Sample, left_out
from tagloom.opening import MAX_PIXELS, opened

AT_ONCE = 16
# Part of the cache key: it changes when pictures are read in another way, which gives other features.
READ_AS = "upright, on white"

Progress = Callable[[int, int], None]


def unheard(done: int, of: int) -> None:
    """Ignore the progress: the default of ``on_progress``."""


def key_of(sample: Sample) -> str:
    """Return the cache key of a sample, which changes with its texts, its industry and its picture's file."""
    texts = (sample.title, *_industry(sample), sorted(sample.texts.items()))
    file: list[object] | None = None
    if sample.picture:
        facts = sample.picture.stat()
        file = [str(sample.picture.resolve()), facts.st_size, facts.st_mtime_ns, READ_AS]
    return hashlib.sha256(json.dumps((sample.id, texts, file)).encode()).hexdigest()[:32]


def readable(data: Dataset, cache: FeatureCache, max_pixels: int = MAX_PIXELS) -> Dataset:
    """Return the data without the items whose picture cannot be read; the notes name those.

    Reading a picture takes a small part of the time of encoding it, and pictures with cached features are not read
    again. Raises ValueError when no picture can be read.
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
    notes = left_out(faults, pictured, "write the files again, or name others")
    return replace(data, samples=tuple(kept), notes=notes)


def item_of(sample: Sample, max_pixels: int = MAX_PIXELS) -> Item:
    """Return the sample as the encoders' input. Raises ValueError, which names the picture, when it cannot be read."""
    picture = opened(sample.picture, max_pixels) if sample.picture else None
    image, size, notes = (picture.image, picture.size, picture.notes) if picture else (None, None, ())
    return Item(image, sample.title, _industry(sample), dict(sample.texts), size, notes)


def _industry(sample: Sample) -> tuple[str, ...]:
    """Return the levels that are not empty, as for a task: an empty level would count as a value."""
    return tuple(filter(None, (sample.level1, sample.level2)))


def features_of(
    samples: Sequence[Sample],
    extractor: FeatureExtractor,
    cache: FeatureCache,
    on_progress: Progress = unheard,
    max_pixels: int = MAX_PIXELS,
) -> list[ItemFeatures]:
    """Return the features of each sample, from the cache or computed.

    ``on_progress`` gets the number of computed samples and the number of all that must be computed. Each batch is
    cached at once, so a killed run continues there. Raises ValueError that names a picture which cannot be read.
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
    kept: list[ItemFeatures] = []
    for sample, features in zip(samples, found, strict=True):
        if features is None:
            raise ValueError(f"the features of sample {sample.id} cannot be read: start again, they are computed anew")
        kept.append(features)
    return kept
