"""The workplace of a job: settings, store, Label Studios, encoders. It is opened in the work horse, after the fork."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import torch

from labelstudio.api import LabelStudioClient
from labelstudio.claims import Claims
from labelstudio.config import LabelConfig
from labelstudio.encoding import THREADS, TaskEncoder
from labelstudio.project import ProjectKey
from labelstudio.sites import Sites
from model.boxes.described import RECENT
from model.encoders.joint import JointEncoder, open_joint
from model.encoders.kept import PLACES
from model.encoders.machine import this_machine
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor, open_extractor
from store.projects import Project
from store.store import Store
from store.versions import Current
from tagloom_base import logs
from tagloom_base.settings import Settings
from worker.encoders import settled
from worker.measures import Tally, TimedExtractor

# Tasks whose pictures are read together. On 2 cores that takes 2 to 8 s, and 0.4 s more for their candidate boxes.
# A process that judges beside a training takes half a gigabyte; machines with less than this in all go without it.
ENOUGH_MEMORY = 4 * 2**30

PART = 16


@dataclass(frozen=True)
class Workplace:
    """The tools of one process. ``settings`` name the encoders, which are loaded when they are first used.

    ``tally`` holds what its job has measured.
    """

    settings: Settings
    store: Store
    sites: Sites
    tally: Tally = field(default_factory=Tally)

    @cached_property
    def extractor(self) -> FeatureExtractor:
        return open_extractor(self.settings.encoders)

    @cached_property
    def joint(self) -> JointEncoder | None:
        return open_joint(self.settings.encoders)

    @cached_property
    def cache(self) -> FeatureCache:
        return FeatureCache(self.settings.paths.features, self.extractor.space)

    @cached_property
    def encoder(self) -> TaskEncoder:
        claims = Claims(self.settings.paths.claims / self.extractor.space)
        # All pictures of a part are fetched at once, so that one that does not arrive delays no other.
        told = self.store.picture_notes.add
        timed = TimedExtractor(self.extractor, self.tally)
        return TaskEncoder(lambda *_: timed, self.cache, self.sites, claims, batch=PART, share=THREADS, on_notes=told)

    def close(self) -> None:
        """Close the encoder, if it was used."""
        if "encoder" in vars(self):
            self.encoder.close()

    def client_of(self, project: Project) -> LabelStudioClient:
        """Return the API client of the project's Label Studio; its connection has no URL when none is configured."""
        return self.sites.client(ProjectKey.parse(project.key).connection)

    def config_of(self, project: Project) -> LabelConfig:
        """Return the project's parsed label config; ConfigError when it is unusable."""
        return LabelConfig.parse(project.label_config, project.industry_keys or self.settings.tasks.industry_keys)

    def serving(self, project: Project) -> Current:
        """Return the served version; ValueError when none serves, or it was made with other encoders than these."""
        current = self.store.versions.current(project.key)
        if current is None:
            raise ValueError(f"no version serves {project.key} yet: open it in Label Studio once")
        if current.space != self.extractor.space:
            raise ValueError(
                f"{current.version}, which serves {project.key}, was made with other encoders than these: give this "
                "command the backend's TAGLOOM_IMAGE_ENCODER and TAGLOOM_TEXT_ENCODER, or start the backend again if "
                "`tagloom encoders use` has changed them"
            )
        return current


@contextmanager
def open_workplace(settings: Settings | None = None) -> Iterator[Workplace]:
    """Open a workplace with these settings (by default those of the environment), and close it afterwards."""
    settings = settings or Settings()
    logs.guard(settings.secrets)
    torch.set_num_threads(_threads(settings) - threads_aside(settings))
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store.open(settings.paths.database)))
        sites = stack.enter_context(closing(Sites(settings.studios, settings.pictures)))
        workplace = Workplace(settled(settings, store.encoders), store, sites)
        stack.callback(workplace.close)
        stack.enter_context(RECENT.kept_in(settings.paths.descriptions))
        stack.enter_context(PLACES.kept_in(settings.paths.ways))
        yield workplace


def threads_aside(settings: Settings) -> int:
    """Return how many of a training's threads judge in a process beside it: half, and none where memory is short."""
    return 0 if this_machine().memory < ENOUGH_MEMORY else _threads(settings) // 2


def _threads(settings: Settings) -> int:
    return settings.training.training_threads or os.cpu_count() or 1
