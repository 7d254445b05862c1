"""What a job works with: settings, store, Label Studios, encoders. Opened in the work horse, never before the fork."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch

from labelstudio.api import LabelStudioClient
from labelstudio.claims import Claims
from labelstudio.config import LabelConfig
from labelstudio.encoding import THREADS, TaskEncoder
from labelstudio.project import ProjectKey
from labelstudio.sites import Sites
from model.boxes.described import RECENT
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor, open_extractor
from store.projects import Project
from store.store import Store
from store.versions import Current
from tagloom_base import logs
from tagloom_base.settings import Settings

PART = 16  # tasks that are read together; on 2 cores that takes two to eight seconds, describing them 0.4


@dataclass(frozen=True)
class Workplace:
    """One process's tools. Encoders are loaded when first asked for."""

    settings: Settings
    store: Store
    sites: Sites

    @cached_property
    def extractor(self) -> FeatureExtractor:
        return open_extractor(self.settings.encoders)

    @cached_property
    def cache(self) -> FeatureCache:
        return FeatureCache(self.settings.paths.features, self.extractor.space)

    @cached_property
    def encoder(self) -> TaskEncoder:
        claims = Claims(self.settings.paths.claims / self.extractor.space)
        # All pictures of a part are on their way at once: one that does not come keeps no other waiting.
        return TaskEncoder(lambda *_: self.extractor, self.cache, self.sites, claims, batch=PART, share=THREADS)

    def client_of(self, project: Project) -> LabelStudioClient:
        """API client of the project's Label Studio; its connection's URL is empty when none is configured."""
        return self.sites.client(ProjectKey.parse(project.key).connection)

    def config_of(self, project: Project) -> LabelConfig:
        """The project's parsed label config; ConfigError when it is unusable."""
        return LabelConfig.parse(project.label_config, project.industry_keys or self.settings.tasks.industry_keys)

    def serving(self, project: Project) -> Current:
        """The version that serves the project; ValueError when there is none, or none of this workplace's encoders."""
        current = self.store.versions.current(project.key)
        if current is None:
            raise ValueError(f"no version serves {project.key} yet: open it in Label Studio once")
        if current.space != self.extractor.space:
            raise ValueError(
                f"{current.version}, which serves {project.key}, was made with other encoders than these: give this "
                "command the backend's TAGLOOM_IMAGE_ENCODER and TAGLOOM_TEXT_ENCODER"
            )
        return current


@contextmanager
def open_workplace(settings: Settings | None = None) -> Iterator[Workplace]:
    """A workplace of these settings (default: the environment's), closed afterwards."""
    settings = settings or Settings()
    logs.guard(settings.secrets)
    torch.set_num_threads(settings.training.training_threads or max(1, (os.cpu_count() or 2) // 2))
    store, sites = Store.open(settings.paths.database), Sites(settings.studios, settings.pictures)
    workplace = Workplace(settings, store, sites)
    try:
        with RECENT.kept_in(settings.paths.descriptions):
            yield workplace
    finally:
        if "encoder" in vars(workplace):
            workplace.encoder.close()
        sites.close()
        store.close()
