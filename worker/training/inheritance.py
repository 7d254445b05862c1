"""After a change of labels: the first training for the new ones goes on from what was learned under the old ones."""

import logging

from model import checkpoint
from model.tagger import Tagger
from model.training.relabelling import relabelled
from store.store import Store
from tagloom.settings import Settings

LOG = logging.getLogger(__name__)


def heir(settings: Settings, store: Store, project_key: str, cold: Tagger) -> Tagger:
    """``cold``, the cold start for new labels, with the network of the newest version that served other labels.

    ``cold`` itself when no such version is left that can be read.
    """
    served = [entry for entry in store.versions.list(project_key) if entry.promoted_at and entry.labels != cold.labels]
    for entry in sorted(served, key=lambda entry: -entry.promoted_at):
        try:
            found = relabelled(checkpoint.load(settings.checkpoints_folder / entry.folder, space=cold.space), cold)
        except (ValueError, OSError) as error:
            LOG.info("%s: %s is not inherited from: %s", project_key, entry.version, error)
            continue
        if found.network is not None:
            LOG.info("%s: other labels; training goes on from %s", project_key, entry.version)
            return found
    return cold
