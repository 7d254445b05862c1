"""The parent of a training after labels, lexicon or settings have changed: it keeps what earlier versions learned."""

import logging
from dataclasses import replace
from pathlib import Path

from model import checkpoint
from model.lexicon.lexicon import Lexicon
from model.tagger import Tagger
from model.training.relabelling import relabelled
from store.store import Store

LOG = logging.getLogger(__name__)


def parent_for_new_labels(checkpoints: Path, store: Store, project_key: str, cold: Tagger) -> Tagger:
    """Return ``cold``, the cold start for new labels, with the network of the newest version that served other labels.

    Versions without a readable checkpoint are skipped; without any such version the result is ``cold`` itself.
    """
    served = [entry for entry in store.versions.list(project_key) if entry.promoted_at and entry.labels != cold.labels]
    for entry in sorted(served, key=lambda entry: -entry.promoted_at):
        try:
            found = relabelled(checkpoint.load(checkpoints / entry.folder, space=cold.space), cold)
        except (ValueError, OSError) as error:
            LOG.info("%s: %s is not inherited from: %s", project_key, entry.version, error)
            continue
        if found.network is not None:
            LOG.info("%s: other labels; training goes on from %s", project_key, entry.version)
            return found
    return cold


def with_lexicon(parent: Tagger, lexicon: Lexicon) -> Tagger:
    """Return ``parent`` with the cues of this lexicon, or ``parent`` itself if it has this lexicon already."""
    if parent.sources.cues.lexicon == lexicon:
        return parent
    LOG.info("the lexicon is another: training goes on from %s with its cues", parent.version)
    cold = Tagger.cold_start(parent.labels, space=parent.space, seed=parent.seed, lexicon=lexicon)
    return relabelled(parent, cold).named(parent.version)


def with_draw_seconds(parent: Tagger, seconds: float) -> Tagger:
    """Return ``parent`` with boxes that will be shown where they save time against drawing one in these seconds."""
    if parent.box_model is None:
        return parent
    return replace(parent, box_model=replace(parent.box_model, draw_seconds=seconds))
