"""Which old versions keep their checkpoints, and for how long the event log is kept.

Kept: what serves, what may serve next, the first cold start, and the newest `keep_versions` of those that once served
(to roll back to) and of those that were refused (to look at). Of the others the row stays; the folder and what was kept
to judge successors by go. What a killed training left goes too: candidates that nobody will judge any more, and folders
and files that nobody knows.
"""

import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from store.store import Store
from store.versions import State, Version

EVENT_LOG_S = 30 * 24 * 3600.0
LIVE = frozenset({State.CURRENT, State.ACCEPTED, State.CANDIDATE})
EVIDENCE = "evidence"  # folder beside the checkpoints: one file a version, which the training writes before it serves
NUMBER = re.compile(r"\.?v(\d+)\.")  # of a checkpoint's folder, with a dot before it while it is being written


def prune(store: Store, project_key: str, checkpoints: Path, keep: int) -> list[str]:
    """Delete what the rule no longer keeps; the versions whose folders went."""
    listed = store.versions.list(project_key)
    old = [entry for entry in to_prune(listed, keep) if entry.state is not State.PRUNED]
    # Marked first: from then on nobody can roll back to them, and CURRENT is never marked.
    store.versions.mark_pruned(project_key, [entry.number for entry in old])
    gone = {entry.number: entry for entry in store.versions.list(project_key) if entry.state is State.PRUNED}
    for folder in [*(checkpoints / entry.folder for entry in gone.values()), *_left(checkpoints, listed)]:
        shutil.rmtree(folder, ignore_errors=True)
    for file in _evidence(checkpoints, listed, gone):
        file.unlink(missing_ok=True)
    store.journal.prune(store.now() - EVENT_LOG_S)
    return [entry.version for entry in old if entry.number in gone]


def to_prune(versions: Sequence[Version], keep: int) -> list[Version]:
    """Of versions, newest first, those that the rule does not keep."""
    newest = max((entry.number for entry in versions), default=0)
    left = {entry.number for entry in versions if entry.state is State.CANDIDATE and entry.number < newest}
    ended = [entry for entry in versions if (entry.state not in LIVE or entry.number in left) and entry.number != 0]
    served = [entry for entry in ended if entry.promoted_at]
    others = [entry for entry in ended if not entry.promoted_at]
    return [*served[keep:], *others[keep:]]


def _left(checkpoints: Path, versions: Sequence[Version]) -> list[Path]:
    """Folders of killed trainings: not registered, and of a lower number than a version that is."""
    known = {checkpoints / entry.folder for entry in versions}
    return [path for path in _named(checkpoints, versions) if path not in known]


def _evidence(checkpoints: Path, versions: Sequence[Version], gone: Collection[int]) -> list[Path]:
    """What was kept of versions that are gone, and of killed trainings."""
    kept = {f"{entry.version}.json" for entry in versions if entry.number not in gone}
    return [path for path in _named(checkpoints, versions, EVIDENCE) if path.name not in kept]


def _named(checkpoints: Path, versions: Sequence[Version], folder: str = "") -> list[Path]:
    """What a project's folder of checkpoints, or one in it, holds of versions up to the newest registered one.

    What bears a higher number is being written.
    """
    newest = max(versions, key=lambda entry: entry.number, default=None)
    if newest is None:
        return []
    paths = (checkpoints / newest.folder).parent.joinpath(folder).glob("*")
    return [path for path in paths if (named := NUMBER.match(path.name)) and int(named[1]) <= newest.number]
