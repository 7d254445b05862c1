"""The functions by which the backend depends on other parts: encoders, cold starts and wake-ups of the worker.

Tests replace them.
"""

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
from tagloom_base.groups import EncoderSettings
from tagloom_base.settings import Settings
from worker import queue
from worker.cold_start import ColdStart, ensure_cold_start


class Encoders(Extractor, Protocol):
    """An extractor of features, like ``model.features.extraction.FeatureExtractor``."""

    space: str

    def describe(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Dependencies:
    """Functions that load encoders, make a project's first version, and wake the worker.

    ``train``, ``encode`` and ``reconcile`` take a project key. They may raise: no answer depends on them.
    """

    encoders: Callable[[EncoderSettings], Encoders]
    cold_start: Callable[[Store, ProjectKey, LabelConfig, Encoders], Current]
    train: Callable[[str], object]
    encode: Callable[[str], object]
    reconcile: Callable[[str], object]


def dependencies_of(settings: Settings) -> Dependencies:
    """Return the real functions for these settings; the wake-ups go to the worker's queue."""

    def cold_start(store: Store, project: ProjectKey, config: LabelConfig, encoders: Encoders) -> Current:
        wanted = ColdStart.of(str(project), config, encoders.space, settings)
        wanted = replace(wanted, encoders=encoders.describe())
        return ensure_cold_start(store, settings.paths.checkpoints, str(project), wanted)

    return Dependencies(
        encoders=open_extractor,
        cold_start=cold_start,
        train=partial(queue.wake_training, settings),
        encode=partial(queue.wake_encoding, settings),
        reconcile=partial(queue.wake_reconcile, settings),
    )
