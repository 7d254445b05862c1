"""Which old versions keep their checkpoints, and for how long the event log is kept.

Kept: what serves, what may serve next, the first cold start, and the newest `keep_versions` of those that once served
(to roll back to) and of those that were refused (to look at). Of the others the row stays and the folder goes. What a
killed training left goes too: candidates that nobody will judge any more, and folders that nobody knows.
"""

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from store.store import Store
from store.versions import State, Version
from tagloom.settings import Settings

EVENT_LOG_S = 30 * 24 * 3600.0
LIVE = frozenset({State.CURRENT, State.ACCEPTED, State.CANDIDATE})
NUMBER = re.compile(r"\.?v(\d+)\.")  # of a checkpoint's folder, with a dot before it while it is being written


def prune(settings: Settings, store: Store, project_key: str) -> list[str]:
    """Delete what the rule no longer keeps; the versions whose folders went."""
    listed = store.versions.list(project_key)
    old = [entry for entry in to_prune(listed, settings.keep_versions) if entry.state is not State.PRUNED]
    # Marked first: from then on nobody can roll back to them, and CURRENT is never marked.
    store.versions.mark_pruned(project_key, [entry.number for entry in old])
    gone = {entry.number: entry for entry in store.versions.list(project_key) if entry.state is State.PRUNED}
    for folder in [*(settings.checkpoints_folder / entry.folder for entry in gone.values()), *_left(settings, listed)]:
        shutil.rmtree(folder, ignore_errors=True)
    store.journal.prune(time.time() - EVENT_LOG_S)
    return [entry.version for entry in old if entry.number in gone]


def to_prune(versions: Sequence[Version], keep: int) -> list[Version]:
    """Of versions, newest first, those that the rule does not keep."""
    newest = max((entry.number for entry in versions), default=0)
    left = {entry.number for entry in versions if entry.state is State.CANDIDATE and entry.number < newest}
    ended = [entry for entry in versions if (entry.state not in LIVE or entry.number in left) and entry.number != 0]
    served = [entry for entry in ended if entry.promoted_at]
    others = [entry for entry in ended if not entry.promoted_at]
    return [*served[keep:], *others[keep:]]


def _left(settings: Settings, versions: Sequence[Version]) -> list[Path]:
    """Folders of killed trainings: not registered, and of a lower number than a version that is."""
    if not versions:
        return []
    known = {settings.checkpoints_folder / entry.folder for entry in versions}
    newest = max(versions, key=lambda entry: entry.number)
    return [
        folder
        for folder in (settings.checkpoints_folder / newest.folder).parent.glob("*")
        if folder not in known and (named := NUMBER.match(folder.name)) and int(named[1]) < newest.number
    ]
