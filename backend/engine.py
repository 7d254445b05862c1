"""The loaded backend: encoders, inference thread, versions in memory, and the thread that follows CURRENT."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from backend.answers import Answers
from backend.hot_swap import RETRY_SECONDS, Follower
from backend.inference import Inference
from backend.metrics import Metrics
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
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.items import Item
from model.tagger import Tagger
from store.store import Store
from store.versions import Current, State
from tagloom_base.settings import Settings
from worker.training.cold_start import ColdStart

LOG = structlog.stdlib.get_logger(__name__)

MOST = 10_000  # projects of which something went wrong that are remembered
CANARIES = 8  # items of a project that a new version must answer before it serves


@dataclass(frozen=True)
class Refusal:
    """A version of a project that failed its check, for the status page."""

    version: str
    reason: str


class Engine:
    """Answers from loaded models. Making one takes seconds; afterwards everything is quick."""

    def __init__(
        self, settings: Settings, store: Store, sites: Sites, metrics: Metrics, dependencies: Dependencies
    ) -> None:
        self._training = settings.training
        self._store = store
        self._metrics = metrics
        self._dependencies = dependencies
        self.extractor = dependencies.encoders()
        self.inference = Inference(self.extractor, settings.serving.max_batch)
        cache = FeatureCache(settings.paths.features, self.extractor.space)
        claims = Claims(settings.paths.claims / self.extractor.space)
        unkept = metrics.unkept.labels("features").inc
        self.encoder = TaskEncoder(self.inference.of, cache, sites, claims, on_unkept=unkept)
        self.answers = Answers(self.encoder, self.inference, metrics, store.fast_answers)
        self.shelf = Shelf(settings.serving.models_in_memory)
        metrics.models.set_function(lambda: len(self.shelf.all()))
        self.refusals: Kept[str, Refusal] = Kept(MOST, MOST)
        self._loader = VersionLoader(settings.paths.checkpoints, self.extractor.space)
        self._canaries = _Canaries()
        self._unkept_until: Kept[str, float] = Kept(MOST, MOST)  # project → when keeping its version is tried again
        self._follower = Follower(
            store,
            self.shelf,
            self._loader,
            self._canaries.of,
            settings.serving.poll_seconds,
            self._swapped,
            self._refused,
        )
        self._warm_up()
        self._follower.start()

    def served(self, project: ProjectKey, config: LabelConfig) -> Served:
        """The version that serves a project; its cold start is made if it has none yet."""
        served = self.shelf.get(str(project), lambda: self._load(project, config))
        if not self._is_try_due(project):
            return served
        self._unkept_until.put(str(project), time.monotonic() + RETRY_SECONDS, 1)
        self.shelf.put(str(project), self._load(project, config))
        return self.shelf.get(str(project), lambda: served)

    def in_memory(self, project: ProjectKey) -> Served | None:
        """The same if it is loaded and needs no further try, else None."""
        return None if self._is_try_due(project) else self.shelf.peek(str(project))

    def adopt(self, project: ProjectKey, config: LabelConfig) -> None:
        """The config has changed: a cold start is made anew for its labels; a trained version grows by training."""
        current = self._store.versions.current(str(project))
        if current is None or set(current.labels) == set(config.labels):
            return
        if current.is_cold_start:
            try:
                self._dependencies.cold_start(self._store, project, config, self.extractor)
            except (OSError, SQLAlchemyError) as error:
                self.shelf.put(str(project), self._unkept(project, config, current, error))

    def remember(self, project: ProjectKey, features: Sequence[ItemFeatures]) -> None:
        """Keep some items that were just answered: the next version has to answer them before it serves."""
        self._canaries.add(str(project), features)

    def close(self) -> None:
        self._follower.close()
        self.encoder.close()
        self.inference.close()

    def _is_try_due(self, project: ProjectKey) -> bool:
        """Whether the project's version could not be kept, and it is time to try again."""
        until = self._unkept_until.get(str(project))
        return until is not None and time.monotonic() >= until

    def _load(self, project: ProjectKey, config: LabelConfig) -> Served:
        current = self._store.versions.current(str(project))
        if current is None or current.is_cold_start or current.space != self.extractor.space:
            # No version, perhaps another lexicon than now, or other encoders.
            try:
                current = self._dependencies.cold_start(self._store, project, config, self.extractor)
            except (OSError, SQLAlchemyError) as error:  # the disk is full, or the database is away
                return self._unkept(project, config, current, error)
            self._unkept_until.drop(str(project))
        behind = replace(current, generation=current.generation - 1)  # a fallback's: the follower tries CURRENT again
        for wanted in [current, *self._earlier(str(project), behind)]:
            try:
                return self._loader.load(wanted, self._canaries.of(str(project)))
            except RefusedVersionError as error:
                self._refused(str(project), wanted.version, str(error))
        return self._bare(config, behind)

    def _earlier(self, project: str, current: Current) -> list[Current]:
        """Versions that served before, newest first: what to fall back on when CURRENT cannot be loaded."""
        return [
            Current(entry.version, entry.folder, current.generation, entry.number, entry.space, entry.labels, 0.0)
            for entry in self._store.versions.list(project)
            if entry.state is State.SUPERSEDED and entry.version != current.version
        ]

    def _bare(self, config: LabelConfig, current: Current) -> Served:
        """Cues alone, in memory: no checkpoint can be loaded, and still every task gets an answer."""
        tagger = Tagger.cold_start(config.labels, space=self.extractor.space, seed=self._training.seed)
        version = f"{current.version}+cues"
        LOG.error("no version can be loaded; answering from cues alone", version=version)
        return Served(tagger.named(version), version, current.generation, tagger.labels)

    def _unkept(self, project: ProjectKey, config: LabelConfig, current: Current | None, error: Exception) -> Served:
        """Cues alone, under the name that their checkpoint will get: it cannot be written now, and is tried again."""
        if self._unkept_until.get(str(project)) is None:
            LOG.error("the first version cannot be kept; answering from memory", project=str(project), error=str(error))
        self._unkept_until.put(str(project), time.monotonic() + RETRY_SECONDS, 1)
        self._metrics.unkept.labels("version").inc()
        tagger = ColdStart.of(config, self.extractor.space, self._training).tagger()
        version = checkpoint.version_name(0, tagger)
        return Served(tagger.named(version), version, current.generation if current else 0, tagger.labels)

    def _swapped(self, project: str, _served: Served) -> None:
        self.refusals.drop(project)
        self._metrics.swaps.inc()

    def _refused(self, project: str, version: str, reason: str) -> None:
        self.refusals.put(project, Refusal(version, reason), 1)
        self._metrics.refusals.inc()
        LOG.error("a version is refused, the served one stays", project=project, version=version, reason=reason)

    def _warm_up(self) -> None:
        """Pay for lazy loading (text reader, validator) now and not in somebody's first request."""
        self.inference.extract("", [Item(Image.new("RGB", (320, 320), "white"), "tagloom")])
        xml = '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="a"/></Choices></View>'
        checked(LabelConfig.parse(xml), [], 0.0)
        LOG.info("ready", space=self.extractor.space, **self.extractor.describe())


class _Canaries:
    """The last few items of each project, for the projects used last."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, deque[ItemFeatures]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, project: str, features: Sequence[ItemFeatures]) -> None:
        with self._lock:
            kept = self._items.setdefault(project, deque(maxlen=CANARIES))
            kept.extend(features[-CANARIES:])
            self._items.move_to_end(project)
            if len(self._items) > 100:
                self._items.popitem(last=False)

    def of(self, project: str) -> list[ItemFeatures]:
        with self._lock:
            return list(self._items.get(project, ()))
