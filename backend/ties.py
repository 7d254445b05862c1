"""What the backend gets from elsewhere: encoders, a project's first version, and wake-ups for the worker."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from labelstudio.config import LabelConfig
from labelstudio.encoding import Extractor
from labelstudio.project import ProjectKey
from model.features.extraction import open_extractor
from store.store import Store
from store.versions import Current
from tagloom_base.settings import Settings
from worker import queue
from worker.training.cold_start import ColdStart, ensure_cold_start


class Encoders(Extractor, Protocol):
    """``model.features.extraction.FeatureExtractor``, or one like it."""

    space: str

    def describe(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Dependencies:
    """The wake-ups take a project key and may fail: no answer depends on them."""

    encoders: Callable[[], Encoders]
    cold_start: Callable[[Store, ProjectKey, LabelConfig, Encoders], Current]
    train: Callable[[str], object]
    encode: Callable[[str], object]
    reconcile: Callable[[str], object]


def dependencies_of(settings: Settings) -> Dependencies:
    """The real ones of these settings."""

    def cold_start(store: Store, project: ProjectKey, config: LabelConfig, encoders: Encoders) -> Current:
        wanted = replace(ColdStart.of(config, encoders.space, settings.training), encoders=encoders.describe())
        return ensure_cold_start(store, settings.paths.checkpoints, str(project), wanted)

    return Dependencies(
        encoders=lambda: open_extractor(settings.encoders),
        cold_start=cold_start,
        train=partial(queue.wake_training, settings),
        encode=partial(queue.wake_encoding, settings),
        reconcile=partial(queue.wake_reconcile, settings),
    )
