"""The cold start: version 0 of a project, which serves before there is any gold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labelstudio.config import LabelConfig
from model import checkpoint
from model.boxes.worth import DRAW
from model.lexicon.lexicon import Lexicon
from model.tagger import Tagger
from store.store import Store
from store.versions import COLD_START, Current, NewVersion
from tagloom_base.settings import Settings
from worker.labels import project_lexicon


@dataclass(frozen=True)
class ColdStart:
    """The inputs of a project's cold start. ``encoders`` describes the encoders of ``space`` for people."""

    labels: tuple[str, ...]
    space: str
    seed: int
    lexicon: Lexicon
    draw_seconds: float
    encoders: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, project_key: str, config: LabelConfig, space: str, settings: Settings) -> "ColdStart":
        """Return the cold start of a project with this label config."""
        lexicon = project_lexicon(settings, project_key, config)
        training = settings.training
        return cls(tuple(config.labels), space, training.seed, lexicon, training.draw_seconds or DRAW)

    def tagger(self) -> Tagger:
        """Make the tagger, which answers from cues and priors alone."""
        return Tagger.cold_start(
            self.labels, space=self.space, seed=self.seed, lexicon=self.lexicon, draw_seconds=self.draw_seconds
        )


def ensure_cold_start(
    store: Store, checkpoints: Path, project_key: str, wanted: ColdStart, *, instead_of: Current | None = None
) -> Current:
    """Return the served version; make a cold start if no version serves these labels in this space.

    A cold start whose lexicon or seconds of a drawn box have changed since is replaced by a new one; a trained version
    gets them with its next training. ``instead_of`` is a version that must no longer serve. Backend and worker may call
    this at the same time: one of them installs its version, and both get that one.
    """
    current = store.versions.current(project_key)
    if current and (instead_of is None or current.generation != instead_of.generation):
        fits = current.space == wanted.space and set(current.labels) == set(wanted.labels)
        if fits and (not current.is_cold_start or _is_as(wanted, checkpoints / current.folder)):
            return current
    tagger = wanted.tagger()
    number = store.versions.reserve(project_key) if current else 0
    version = checkpoint.version_name(number, tagger)
    folder = version_folder(project_key, version)
    try:
        checkpoint.save(
            tagger.named(version),
            checkpoints / folder,
            version=version,
            about=checkpoint.About(encoders=wanted.encoders, phase=COLD_START),
        )
    except OSError:
        # Another process may have been faster with the same content; renaming onto its folder fails in several ways.
        if not (checkpoints / folder).is_dir():
            raise
    new = NewVersion(
        number=number,
        version=version,
        parent="",
        folder=folder,
        phase=COLD_START,
        space=wanted.space,
        labels=tagger.labels,
        metrics={},
        gold_revision=0,
        gold_count=0,
        weak_count=0,
    )
    return store.versions.install(project_key, new, generation=current.generation if current else 0)


def version_folder(project_key: str, version: str) -> str:
    """Return where a version's checkpoint lies, relative to the folder of checkpoints."""
    return f"{project_key}/{version}"


def _is_as(wanted: ColdStart, folder: Path) -> bool:
    """Return whether a checkpoint has the wanted lexicon and seconds of a drawn box.

    True if it is spoilt, since `training.recovery` replaces it.
    """
    try:
        tagger = checkpoint.load(folder)
    except ValueError:
        return True
    draws = tagger.box_model.draw_seconds if tagger.box_model else wanted.draw_seconds
    return tagger.sources.cues.lexicon == wanted.lexicon and draws == wanted.draw_seconds
