"""Which old versions keep their checkpoints, and for how long the event log is kept.

Kept: what serves, what may serve next, the first cold start, and the newest `keep_versions` of those that once served
(to roll back to) and of those that were refused (to look at). Of the others the row stays and the folder goes.
"""

import shutil
import time
from collections.abc import Sequence

from store.store import Store
from store.versions import State, Version
from tagloom.settings import Settings

EVENT_LOG_S = 30 * 24 * 3600.0
LIVE = frozenset({State.CURRENT, State.ACCEPTED, State.CANDIDATE})


def prune(settings: Settings, store: Store, project_key: str) -> list[str]:
    """Delete what the rule no longer keeps; the versions whose folders went."""
    listed = store.versions.list(project_key)
    old = [entry for entry in to_prune(listed, settings.keep_versions) if entry.state is not State.PRUNED]
    # Marked first: from then on nobody can roll back to them, and CURRENT is never marked.
    store.versions.mark_pruned(project_key, [entry.number for entry in old])
    gone = {entry.number: entry for entry in store.versions.list(project_key) if entry.state is State.PRUNED}
    for entry in gone.values():
        shutil.rmtree(settings.checkpoints_folder / entry.folder, ignore_errors=True)
    store.journal.prune(time.time() - EVENT_LOG_S)
    return [entry.version for entry in old if entry.number in gone]


def to_prune(versions: Sequence[Version], keep: int) -> list[Version]:
    """Of versions, newest first, those that the rule does not keep."""
    ended = [entry for entry in versions if entry.state not in LIVE and entry.number != 0]
    served = [entry for entry in ended if entry.promoted_at]
    others = [entry for entry in ended if not entry.promoted_at]
    return [*served[keep:], *others[keep:]]
