"""The loaded backend: encoders, inference threads, versions in memory, and the thread that follows CURRENT.

CURRENT is the store's record of which version of a project serves.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from backend.ahead import Ahead
from backend.answers import Answered, Answers, Question
from backend.hot_swap import RETRY_SECONDS, Follower
from backend.inference import Inference
from backend.metrics import Metrics
from backend.remembered import Memory
from backend.ties import Dependencies
from backend.versions import RefusedVersionError, Served, Shelf, VersionLoader
from labelstudio.claims import Claims
from labelstudio.config import LabelConfig
from labelstudio.encoding import TaskEncoder
from labelstudio.kept import Kept
from labelstudio.project import ProjectKey
from labelstudio.results import checked
from labelstudio.sites import Sites
from model import checkpoint
from model.boxes.worth import DRAW
from model.encoders.auto import advice
from model.encoders.joint import open_joint
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.items import Item
from model.tagger import Tagger
from store.store import Store
from store.versions import Conflict, Current, State
from tagloom_base import clock
from tagloom_base.settings import Settings
from worker import labels
from worker.cold_start import ColdStart
from worker.lexicon import read_lexicon
from worker.search.finding import Finder

LOG = structlog.stdlib.get_logger(__name__)

# Projects whose refused or unsaved version is remembered.
MOST = 10_000
# Items of a project that a new version must answer before it serves.
CANARIES = 8
# Projects whose items are kept, the ones used last.
CANARY_PROJECTS = 100


@dataclass(frozen=True)
class Refusal:
    """A version of a project that failed its check, and why. The status page shows it."""

    version: str
    reason: str


class Engine:
    """The loaded models, and the objects that answer with them. Construction takes seconds: it loads the encoders."""

    def __init__(
        self, settings: Settings, store: Store, sites: Sites, metrics: Metrics, dependencies: Dependencies
    ) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._dependencies = dependencies
        self.extractor = dependencies.encoders(settings.encoders)
        self.better_encoders = advice(settings.encoders.image_encoder, settings.encoders.text_encoder)
        self.inference = Inference(self.extractor)
        cache = FeatureCache(settings.paths.features, self.extractor.space)
        claims = Claims(settings.paths.claims / self.extractor.space)
        unkept = metrics.unkept.labels("features").inc
        told = store.picture_notes.add
        self.encoder = TaskEncoder(self.inference.of, cache, sites, claims, on_unkept=unkept, on_notes=told)
        memory = Memory(store.answers)
        self.answers = Answers(self.encoder, self.inference, metrics, store.fast_answers, store.source_opinions, memory)
        self.shelf = Shelf(settings.serving.models_in_memory)
        metrics.models.set_function(lambda: len(self.shelf.all()))
        self.refusals: Kept[str, Refusal] = Kept(MOST, MOST)
        joint = open_joint(settings.encoders)
        self.finder = Finder(store, settings.paths.search, self.extractor.space, joint)
        self._loader = VersionLoader(settings.paths.checkpoints, self.extractor.space)
        self._canaries = _Canaries(cache)
        self._ahead = Ahead(self.answers, store.tasks)
        # Project → the `clock.monotonic` from which saving its first version is tried again.
        self._unkept_until: Kept[str, float] = Kept(MOST, MOST)
        self._follower = Follower(
            store,
            self.shelf,
            self._loader,
            self._canaries.of,
            self._ahead.answer,
            self._swapped,
            self._refused,
        )
        # Text reader and validator load when they are first used: here, and not in the first request.
        (blank,) = self.inference.extract("", [Item(Image.new("RGB", (320, 320), "white"), "tagloom")])
        self._warm(blank)
        xml = '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="a"/></Choices></View>'
        checked(LabelConfig.parse(xml), [], 0.0)
        labels.warm(read_lexicon(settings.training.lexicon))
        loaded = {**self.extractor.describe(), **({"joint": joint.describe()} if joint else {})}
        LOG.info("ready", space=self.extractor.space, **loaded)
        for line in self.better_encoders:
            LOG.info("better encoders can be had", what=line)
        self._follower.start()

    def served(self, project: ProjectKey, config: LabelConfig) -> Served:
        """Return the version that serves a project. A project without a version gets its cold start now."""
        served = self.shelf.get(str(project), lambda: self._load(project, config))
        if not self._is_try_due(project):
            return served
        # The version could not be saved before. Put off the next try first, so that other requests do not try too.
        self._unkept_until.put(str(project), clock.monotonic() + RETRY_SECONDS, 1)
        self.shelf.put(str(project), self._load(project, config))
        return self.shelf.get(str(project), lambda: served)

    def in_memory(self, project: ProjectKey) -> Served | None:
        """Return the served version if it is in memory and no try to save it is due, else None."""
        return None if self._is_try_due(project) else self.shelf.peek(str(project))

    def adopt(self, project: ProjectKey, config: LabelConfig) -> None:
        """Follow a changed labelling config: make a new cold start for its labels.

        A trained version stays as it is, and the next training adds the labels.
        """
        current = self._store.versions.current(str(project))
        if current is None or set(current.labels) == set(config.labels):
            return
        if current.is_cold_start:
            try:
                self._dependencies.cold_start(self._store, project, config, self.extractor)
            except (OSError, SQLAlchemyError, Conflict) as error:
                self.shelf.put(str(project), self._unkept(project, config, current, error))

    def remember(self, question: Question, answered: Answered) -> None:
        """Note what was just answered: the project's next version must answer some of it, and what may come next."""
        self._canaries.add(str(question.project), answered.keys)
        self._ahead.note(question)

    def close(self) -> None:
        self._ahead.close()
        self._follower.close()
        self.encoder.close()
        self.inference.close()

    def _warm(self, item: ItemFeatures) -> None:
        """Load the trained versions that were made last, and let each answer this item: a first answer is slow."""
        try:
            current = self._store.versions.all_current()
        except SQLAlchemyError as error:
            LOG.warning("no version is loaded ahead", error=str(error))
            return
        trained = [entry for entry in current.items() if not entry[1].is_cold_start]
        newest = sorted(trained, key=lambda entry: entry[1].since)[-self._settings.serving.models_in_memory :]
        for project, wanted in newest:
            # The first request of the project says why a version cannot be loaded, and gets an earlier one.
            with suppress(RefusedVersionError):
                self.shelf.put(project, self._loader.load(wanted, [item]))

    def _is_try_due(self, project: ProjectKey) -> bool:
        """Return whether the project's version could not be saved and the next try is due."""
        until = self._unkept_until.get(str(project))
        return until is not None and clock.monotonic() >= until

    def _load(self, project: ProjectKey, config: LabelConfig) -> Served:
        """Load CURRENT, else the newest earlier version that can be loaded, else answer from cues alone."""
        key = str(project)
        current = self._store.versions.current(key)
        if current is None or current.is_cold_start or current.space != self.extractor.space:
            # The project has no version, its cold start may be from another lexicon, or the encoders have changed.
            try:
                current = self._dependencies.cold_start(self._store, project, config, self.extractor)
            except (OSError, SQLAlchemyError, Conflict) as error:
                # The disk is full, the database is away, or the project was forgotten since this request began.
                return self._unkept(project, config, current, error)
            self._unkept_until.drop(key)
        earlier = [
            Current(entry.version, entry.folder, current.generation, entry.number, entry.space, entry.labels, 0.0)
            for entry in self._store.versions.list(key)
            if entry.state is State.SUPERSEDED and entry.version != current.version
        ]
        for wanted in [current, *earlier]:
            try:
                served = self._loader.load(wanted, self._canaries.of(key))
                return replace(served, is_fallback=wanted is not current)
            except RefusedVersionError as error:
                self._refused(key, wanted.version, str(error))
        # No checkpoint can be loaded, but every task must get an answer.
        tagger = Tagger.cold_start(
            config.labels,
            space=self.extractor.space,
            seed=self._settings.training.seed,
            draw_seconds=self._settings.training.draw_seconds or DRAW,
        )
        version = f"{current.version}+cues"
        LOG.error("no version can be loaded; answering from cues alone", version=version)
        return Served(tagger.named(version), version, current.generation, tagger.labels, is_fallback=True)

    def _unkept(self, project: ProjectKey, config: LabelConfig, current: Current | None, error: Exception) -> Served:
        """Return a cold start in memory, whose checkpoint cannot be saved now, and note when to try again.

        It has the version name that its checkpoint will get.
        """
        if self._unkept_until.get(str(project)) is None:
            LOG.error("the first version cannot be kept; answering from memory", project=str(project), error=str(error))
        self._unkept_until.put(str(project), clock.monotonic() + RETRY_SECONDS, 1)
        self._metrics.unkept.labels("version").inc()
        tagger = ColdStart.of(str(project), config, self.extractor.space, self._settings).tagger()
        version = checkpoint.version_name(0, tagger)
        return Served(tagger.named(version), version, current.generation if current else 0, tagger.labels)

    def _swapped(self, project: str, _served: Served) -> None:
        self.refusals.drop(project)
        self._metrics.swaps.inc()

    def _refused(self, project: str, version: str, reason: str) -> None:
        self.refusals.put(project, Refusal(version, reason), 1)
        self._metrics.refusals.inc()
        LOG.error("a version is refused, the served one stays", project=project, version=version, reason=reason)


class _Canaries:
    """The keys of the last ``CANARIES`` items of each project, for the projects used last. Threads may share it."""

    def __init__(self, cache: FeatureCache) -> None:
        self._cache = cache
        self._items: OrderedDict[str, deque[str]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, project: str, keys: Sequence[str]) -> None:
        with self._lock:
            kept = self._items.setdefault(project, deque(maxlen=CANARIES))
            kept.extend(keys[-CANARIES:])
            self._items.move_to_end(project)
            if len(self._items) > CANARY_PROJECTS:
                self._items.popitem(last=False)

    def of(self, project: str) -> list[ItemFeatures]:
        """Return the features of these items, without those that are gone from the cache."""
        with self._lock:
            keys = list(self._items.get(project, ()))
        return [features for key in keys if (features := self._cache.get(key)) is not None]
