"""Tasks → features: cache first, then pictures in parallel and the extractor in batches. Used by backend and worker."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from labelstudio.claims import Claims
from labelstudio.config import LabelConfig
from labelstudio.decoding import ImageUnavailableError, Picture
from labelstudio.project import ProjectKey
from labelstudio.sites import Sites
from labelstudio.tasks import ItemReference, item_key, reference_of
from labelstudio.turns import FairPool
from model.features.item import ItemFeatures
from model.items import Item

LOG = logging.getLogger(__name__)

THREADS = 48  # that fetch pictures; most of them wait for an answer
SHARE = 8  # of them that one project holds at most: pictures that never come are to stop no other project's
POLL_S = 0.05  # between two looks at what others are reading
TEXTS = 16  # tasks whose texts are encoded between two looks at the clock


class ExtractorGoneError(RuntimeError):
    """The extractor takes no more items: the process ends. No task has failed by that."""


class Extractor(Protocol):
    """What turns items into features; ``model.features.extraction.FeatureExtractor`` or a queue in front of it.

    TimeoutError where there was no time for it.
    """

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]: ...


class Cache(Protocol):
    """Features by item key; ``model.features.cache.FeatureCache``."""

    def has(self, key: str) -> bool: ...

    def get(self, key: str) -> ItemFeatures | None: ...

    def put(self, key: str, features: ItemFeatures) -> bool: ...


@dataclass(frozen=True)
class Failure:
    """A task without features. ``late``: the deadline came first; ``permanent``: trying again will not help."""

    reason: str
    permanent: bool = False
    late: bool = False


@dataclass(frozen=True)
class _Batch:
    """Keys that we have claimed with their pictures on the way (None: no picture), and what others have read by now."""

    pictures: "dict[str, Future[Picture] | None]" = field(default_factory=dict)
    known: "dict[str, ItemFeatures | Failure]" = field(default_factory=dict)


class TaskEncoder:
    """Features of tasks. Nothing is cached for a task whose picture could not be had, so that it is tried again.

    ``extractor_of`` gives the extractor for one project until a deadline. ``claims`` are shared with other readers:
    what one of them is reading is waited for. ``batch`` is how many pictures are claimed and read together, and so how
    long others wait for one of them (a larger one saves nothing on a CPU). ``share`` is how many threads one project
    holds at most. ``on_unkept`` is called for each whose features the cache could not keep.
    """

    def __init__(
        self,
        extractor_of: Callable[[str, float | None], Extractor],
        cache: Cache,
        sites: Sites,
        claims: Claims,
        *,
        batch: int = 4,
        share: int = SHARE,
        on_unkept: Callable[[], object] = lambda: None,
    ) -> None:
        self._extractor_of = extractor_of
        self._cache = cache
        self._sites = sites
        self._claims = claims
        self._batch = batch
        self._on_unkept = on_unkept
        self._threads = FairPool(THREADS, share, "fetch")

    def close(self) -> None:
        self._threads.close(wait=False)

    def features(
        self,
        project: ProjectKey,
        config: LabelConfig,
        tasks: Sequence[Mapping[str, Any]],
        deadline: float | None = None,
    ) -> list[ItemFeatures | Failure]:
        """One entry per task, in order. ``deadline`` is a ``time.monotonic()`` moment; what is unread by then is late.

        Tasks are objects with ``id`` and ``data``, as Label Studio sends them. A task that names no picture is encoded
        from its texts.
        """
        asked = [(item_key(project.connection, reference), reference) for reference in _of(project, config, tasks)]
        found: dict[str, ItemFeatures | Failure] = {}
        missing: dict[str, ItemReference] = {}
        for key, reference in dict(asked).items():
            if reference.is_empty:
                found[key] = _nothing(config)
            elif (features := self._cache.get(key)) is not None:
                found[key] = features
            else:
                missing[key] = reference
        if missing:
            found |= self._read(project, missing, deadline)
        return [found[key] for key, _ in asked]

    def unread(self, project: ProjectKey, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Of each task whether its features are not in the cache yet."""
        asked = _of(project, config, tasks)
        return [not self._cache.has(item_key(project.connection, reference)) for reference in asked]

    def kept(
        self, project: ProjectKey, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]
    ) -> list[ItemFeatures | Failure] | None:
        """The same where all of it is in the cache, else None: nothing is waited for."""
        asked = [(item_key(project.connection, reference), reference) for reference in _of(project, config, tasks)]
        seen = {key for key, reference in asked if not reference.is_empty}
        if not all(self._cache.has(key) for key in seen):  # before any of them is read
            return None
        found: dict[str, ItemFeatures | Failure] = {}
        for key in seen:
            if (features := self._cache.get(key)) is None:
                return None
            found[key] = features
        return [found.get(key) or _nothing(config) for key, _ in asked]

    def texts_only(
        self,
        project: ProjectKey,
        config: LabelConfig,
        tasks: Sequence[Mapping[str, Any]],
        deadline: float | None = None,
    ) -> list[ItemFeatures | None]:
        """Features from title, texts and industry alone, never cached: for answers that cannot wait for the picture.

        None for a task without any text, for one that the encoders fail on, and for those that the deadline cut off.
        """
        items = [_item(reference, None) for reference in _of(project, config, tasks)]
        extractor = self._extractor_of(str(project), deadline)
        found: list[ItemFeatures | None] = [None] * len(items)
        spoken = [place for place, item in enumerate(items) if item.title or item.industry or item.texts]
        for start in range(0, len(spoken), TEXTS):
            if _is_over(deadline):
                break
            part = spoken[start : start + TEXTS]
            for place, features in zip(part, _features(extractor, [items[place] for place in part]), strict=True):
                found[place] = None if isinstance(features, Failure) else features
        return found

    def _read(
        self, project: ProjectKey, missing: Mapping[str, ItemReference], deadline: float | None
    ) -> dict[str, ItemFeatures | Failure]:
        """Read what nobody else is reading; then look again and again at what others are at, and at what they left."""
        found = self._round(project, missing, deadline)
        while left := {key: reference for key, reference in missing.items() if key not in found}:
            if _is_over(deadline):
                return found | dict.fromkeys(left, _LATE)
            time.sleep(POLL_S)
            found |= self._round(project, left, deadline)
        return found

    def _round(
        self, project: ProjectKey, missing: Mapping[str, ItemReference], deadline: float | None
    ) -> dict[str, ItemFeatures | Failure]:
        """Until the deadline. While one batch is extracted, the next one's pictures are on their way."""
        keys = list(missing)
        chunks = [keys[start : start + self._batch] for start in range(0, len(keys), self._batch)]
        extractor = self._extractor_of(str(project), deadline)
        found: dict[str, ItemFeatures | Failure] = {}
        batch = ahead = _Batch()
        try:
            ahead = self._order(project, chunks[0], missing)
            for number in range(len(chunks)):
                batch, ahead = ahead, _Batch()
                if _is_over(deadline):
                    break
                if number + 1 < len(chunks):
                    ahead = self._order(project, chunks[number + 1], missing)
                found |= batch.known | self._extract(extractor, batch, missing, deadline)
                self._claims.release(batch.pictures)
        finally:
            self._drop(batch)
            self._drop(ahead)
        return found

    def _order(self, project: ProjectKey, chunk: list[str], missing: Mapping[str, ItemReference]) -> _Batch:
        fetcher = self._sites.fetcher(project.connection)
        batch = _Batch()
        for key in chunk:
            if not self._claims.take(key):
                features = self._cache.get(key)
            elif (features := self._cache.get(key)) is not None:
                self._claims.release([key])
            else:
                fetch = partial(fetcher.fetch, missing[key])
                batch.pictures[key] = self._threads.submit(str(project), fetch) if missing[key].image else None
            if features is not None:
                batch.known[key] = features
        return batch

    def _drop(self, batch: _Batch) -> None:
        for picture in batch.pictures.values():
            if picture is not None:
                picture.cancel()
        self._claims.release(batch.pictures)

    def _extract(
        self, extractor: Extractor, batch: _Batch, missing: Mapping[str, ItemReference], deadline: float | None
    ) -> dict[str, ItemFeatures | Failure]:
        items: dict[str, Item] = {}
        failures: dict[str, ItemFeatures | Failure] = {}
        for key, ordered in batch.pictures.items():
            picture = _await(ordered, deadline) if ordered else None
            if isinstance(picture, Failure):
                failures[key] = picture
            else:
                items[key] = _item(missing[key], picture)
        features = dict(zip(items, _features(extractor, list(items.values())), strict=True))
        for key, entry in features.items():
            if not isinstance(entry, Failure) and not self._cache.put(key, entry):
                self._on_unkept()
        return failures | features


_LATE = Failure("the time for this request was over before the picture was read", late=True)


def _of(project: ProjectKey, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> list[ItemReference]:
    return [reference_of(config, task, project) for task in tasks]


def _features(extractor: Extractor, items: Sequence[Item]) -> list[ItemFeatures | Failure]:
    """The items' features; if the encoders fail on the batch, each item alone, so that one spoils no other."""
    if not items:
        return []
    try:
        return list(extractor.extract(items))
    except ExtractorGoneError:
        raise
    except TimeoutError:
        return [_LATE] * len(items)
    except Exception as error:
        if len(items) > 1:
            return [entry for item in items for entry in _features(extractor, [item])]
        LOG.error("the encoders failed on a task: %r", error)
        return [Failure(f"the encoders failed on this task ({type(error).__name__})", permanent=True)]


def _nothing(config: LabelConfig) -> Failure:
    wanted = ", ".join(f"${key}" for key in (config.image_key, config.title_key, *config.text_keys) if key)
    return Failure(f"the task has no data under any key that the labelling config shows ({wanted})", permanent=True)


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _await(picture: "Future[Picture]", deadline: float | None) -> Picture | Failure:
    left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
    try:
        return picture.result(left)
    except ImageUnavailableError as error:
        return Failure(str(error), permanent=error.permanent)
    except TimeoutError:
        return _LATE
    except Exception as error:
        LOG.error("a picture could not be fetched: %r", error)
        return Failure(f"the picture could not be fetched ({type(error).__name__})")


def _item(reference: ItemReference, picture: Picture | None) -> Item:
    image, size = (picture.image, picture.size) if picture else (None, None)
    return Item(image, reference.title, reference.industry, dict(reference.texts), size)
