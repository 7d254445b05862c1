"""Compute the features of tasks, for backend and worker.

Features come from the cache if possible. For the other tasks pictures are fetched in parallel and encoded in batches.
"""

import logging
import time
from collections import Counter
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
from model.items import Item, is_long

LOG = logging.getLogger(__name__)

THREADS = 48  # threads that fetch pictures; most of the time they wait for an answer
SHARE = 8  # threads that one project uses at most, so that its unreachable pictures do not stop other projects
POLL_S = 0.05  # seconds between two checks of the pictures that other readers have claimed
TEXTS = 16  # tasks whose texts are encoded between two checks of the deadline


class ExtractorGoneError(RuntimeError):
    """The extractor accepts no more items because the process is ending. It does not mean that a task failed."""


class Extractor(Protocol):
    """Encodes items: ``model.features.extraction.FeatureExtractor`` or a queue in front of it.

    ``extract`` raises TimeoutError when the deadline passes before the items are encoded.
    """

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]: ...


class Cache(Protocol):
    """Features by item key; ``model.features.cache.FeatureCache``."""

    def has(self, key: str) -> bool: ...

    def get(self, key: str) -> ItemFeatures | None: ...

    def put(self, key: str, features: ItemFeatures) -> bool: ...


@dataclass(frozen=True)
class Failure:
    """The reason why a task has no features.

    ``late``: the deadline passed first. ``permanent``: a later attempt would fail for the same reason.
    """

    reason: str
    permanent: bool = False
    late: bool = False


@dataclass(frozen=True)
class _Batch:
    """Claimed keys with their pictures, which are being fetched (None for a task without a picture).

    ``known`` are the features that are in the cache by now.
    """

    pictures: "dict[str, Future[Picture] | None]" = field(default_factory=dict)
    known: "dict[str, ItemFeatures | Failure]" = field(default_factory=dict)


class TaskEncoder:
    """Computes features of tasks. A task whose picture cannot be fetched is not cached, so the next request retries it.

    ``extractor_of`` returns the extractor for a project and a deadline. ``claims`` are shared with other readers: if
    another reader has claimed a picture, the encoder waits for its features. ``batch`` is the number of pictures that
    are claimed and encoded together; it also determines how long other readers wait for one of them (a larger batch
    saves nothing on a CPU). ``share`` is the number of threads that one project uses at most. ``on_unkept`` is called
    for each task whose features the cache could not store; ``on_notes`` with the project and its notes on pictures
    (``ItemFeatures.notes``), each with the number of pictures that were read now.
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
        on_notes: Callable[[str, Mapping[str, int]], object] = lambda _project, _notes: None,
    ) -> None:
        self._extractor_of = extractor_of
        self._cache = cache
        self._sites = sites
        self._claims = claims
        self._batch = batch
        self._on_unkept = on_unkept
        self._on_notes = on_notes
        self._threads = FairPool(THREADS, share, "fetch")

    def close(self) -> None:
        """Stop fetching pictures, without waiting for the pictures that are being fetched."""
        self._threads.close(wait=False)

    def features(
        self,
        project: ProjectKey,
        config: LabelConfig,
        tasks: Sequence[Mapping[str, Any]],
        deadline: float | None = None,
    ) -> list[ItemFeatures | Failure]:
        """Return the features of each task, or why it has none, in the tasks' order.

        Tasks are objects with ``id`` and ``data``, as Label Studio sends them. A task without a picture is encoded from
        its texts. ``deadline`` is a value of ``time.monotonic()``; tasks that are not encoded by then are late.
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
            found |= self._round(project, missing, deadline)
        # Tasks that another reader has claimed are tried again, until the reader is done or has dropped its claim.
        while left := {key: reference for key, reference in missing.items() if key not in found}:
            if _is_over(deadline):
                found |= dict.fromkeys(left, _LATE)
                break
            time.sleep(POLL_S)
            found |= self._round(project, left, deadline)
        return [found[key] for key, _ in asked]

    def unread(self, project: ProjectKey, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Return for each task whether its features are missing in the cache."""
        asked = _of(project, config, tasks)
        return [not self._cache.has(item_key(project.connection, reference)) for reference in asked]

    def keys(self, project: ProjectKey, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the key of each task's features; "" for a task without picture and texts, which has none."""
        asked = _of(project, config, tasks)
        return ["" if one.is_empty else item_key(project.connection, one) for one in asked]

    def kept(
        self, project: ProjectKey, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]
    ) -> list[ItemFeatures | Failure] | None:
        """Return the same as ``features`` if the cache holds all of it, otherwise None. Never waits."""
        asked = [(item_key(project.connection, reference), reference) for reference in _of(project, config, tasks)]
        seen = {key for key, reference in asked if not reference.is_empty}
        # All keys are checked before any features are read, because reading is slower.
        if not all(self._cache.has(key) for key in seen):
            return None
        found: dict[str, ItemFeatures | Failure] = {}
        for key in seen:
            # The cache may have evicted the entry since the check.
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
        """Return features from title, texts and industry alone, for answers that cannot wait for the picture.

        These features are never cached. An entry is None for a task without any text, for a task on which the encoders
        fail, and for tasks that are not encoded by the deadline.
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

    def _round(
        self, project: ProjectKey, missing: Mapping[str, ItemReference], deadline: float | None
    ) -> dict[str, ItemFeatures | Failure]:
        """Encode the tasks that no other reader has claimed, until the deadline.

        While one batch is encoded, the pictures of the next batch are fetched.
        """
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
                read = self._extract(extractor, batch, missing, deadline)
                notes = Counter(
                    note for entry in read.values() if not isinstance(entry, Failure) for note in entry.notes
                )
                if notes:
                    self._on_notes(str(project), notes)
                found |= batch.known | read
                self._claims.release(batch.pictures)
        # After an error or at the deadline the claims must not stay: other readers would wait for them.
        finally:
            self._drop(batch)
            self._drop(ahead)
        return found

    def _order(self, project: ProjectKey, chunk: list[str], missing: Mapping[str, ItemReference]) -> _Batch:
        """Claim the keys of a batch and start to fetch their pictures."""
        fetcher = self._sites.fetcher(project.connection)
        batch = _Batch()
        for key in chunk:
            if not self._claims.take(key):
                features = self._cache.get(key)
            # Another reader may have encoded the task between the caller's look into the cache and the claim.
            elif (features := self._cache.get(key)) is not None:
                self._claims.release([key])
            else:
                fetch = partial(fetcher.fetch, missing[key])
                batch.pictures[key] = self._threads.submit(str(project), fetch) if missing[key].image else None
            if features is not None:
                batch.known[key] = features
        return batch

    def _drop(self, batch: _Batch) -> None:
        """Cancel the fetching of a batch's pictures and release its claims."""
        for picture in batch.pictures.values():
            if picture is not None:
                picture.cancel()
        self._claims.release(batch.pictures)

    def _extract(
        self, extractor: Extractor, batch: _Batch, missing: Mapping[str, ItemReference], deadline: float | None
    ) -> dict[str, ItemFeatures | Failure]:
        """Wait for a batch's pictures until the deadline, encode the tasks and store their features in the cache."""
        items: dict[str, Item] = {}
        failures: dict[str, ItemFeatures | Failure] = {}
        for key, ordered in batch.pictures.items():
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            try:
                picture = ordered.result(left) if ordered else None
            except ImageUnavailableError as error:
                failures[key] = Failure(str(error), permanent=error.permanent)
            except TimeoutError:
                failures[key] = _LATE
            except Exception as error:
                LOG.error("a picture could not be fetched: %r", error)
                failures[key] = Failure(f"the picture could not be fetched ({type(error).__name__})")
            else:
                items[key] = _item(missing[key], picture)
        features: dict[str, ItemFeatures | Failure] = {}
        # A long picture takes as long as many others: it is kept at once, and its lateness is its own.
        long = [[key] for key, item in items.items() if is_long(item.size)]
        for keys in [[key for key, item in items.items() if not is_long(item.size)], *long]:
            read = dict(zip(keys, _features(extractor, [items[key] for key in keys]), strict=True))
            for key, entry in read.items():
                if not isinstance(entry, Failure) and not self._cache.put(key, entry):
                    self._on_unkept()
            features |= read
        return failures | features


_LATE = Failure("the time for this request was over before the picture was read", late=True)


def _of(project: ProjectKey, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> list[ItemReference]:
    return [reference_of(config, task, project) for task in tasks]


def _features(extractor: Extractor, items: Sequence[Item]) -> list[ItemFeatures | Failure]:
    """Return the items' features.

    If the encoders fail on the whole batch, each item is encoded alone, so that one bad item does not affect others.
    """
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
    """Return the failure of a task without a picture and texts."""
    wanted = ", ".join(f"${key}" for key in (config.image_key, config.title_key, *config.text_keys) if key)
    return Failure(f"the task has no data under any key that the labelling config shows ({wanted})", permanent=True)


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _item(reference: ItemReference, picture: Picture | None) -> Item:
    image, size, notes = (picture.image, picture.size, picture.notes) if picture else (None, None, ())
    return Item(image, reference.title, reference.industry, dict(reference.texts), size, notes)
