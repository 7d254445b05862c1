"""The rule by which checkpoints of old versions are deleted, and the time for which the event log is kept.

Checkpoints are kept of the served version, of versions that may serve next, of the first cold start, and of the newest
`keep_versions` versions that once served (for a rollback) and that were refused (for inspection). For all other
versions the row in the database stays, and checkpoint and out-of-fold answers are deleted. The remains of killed
trainings are deleted too: candidates that will not be judged any more, and folders and files of unregistered versions.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from store.store import Store
from store.versions import State, Version

EVENT_LOG_S = 30 * 24 * 3600.0
LIVE = frozenset({State.CURRENT, State.ACCEPTED, State.CANDIDATE})
# The folder beside the checkpoints for out-of-fold answers: one file per version, written before the version may serve.
EVIDENCE = "evidence"
# The number in the name of a checkpoint's folder, which begins with a dot while it is being written.
NUMBER = re.compile(r"\.?v(\d+)\.")


def prune(store: Store, project_key: str, checkpoints: Path, keep: int) -> list[str]:
    """Delete the folders and files that the rule does not keep; return the versions whose folders were deleted."""
    listed = store.versions.list(project_key)
    old = [entry for entry in to_prune(listed, keep) if entry.state is not State.PRUNED]
    # Marked before deleting: an operator can no longer roll back to them, and CURRENT is never marked.
    store.versions.mark_pruned(project_key, [entry.number for entry in old])
    gone = {entry.number: entry for entry in store.versions.list(project_key) if entry.state is State.PRUNED}
    # Folders of killed trainings: not registered, though a version with the same or a higher number is.
    known = {checkpoints / entry.folder for entry in listed}
    left = [path for path in _named(checkpoints, listed) if path not in known]
    for folder in [*(checkpoints / entry.folder for entry in gone.values()), *left]:
        shutil.rmtree(folder, ignore_errors=True)
    # Out-of-fold answers of pruned versions, and of killed trainings.
    kept = {f"{entry.version}.json" for entry in listed if entry.number not in gone}
    for file in [path for path in _named(checkpoints, listed, EVIDENCE) if path.name not in kept]:
        file.unlink(missing_ok=True)
    store.journal.prune(store.now() - EVENT_LOG_S)
    return [entry.version for entry in old if entry.number in gone]


def to_prune(versions: Sequence[Version], keep: int) -> list[Version]:
    """Return those of the versions (newest first) that the rule does not keep."""
    newest = max((entry.number for entry in versions), default=0)
    # A candidate that is not the newest version was left by a killed training.
    left = {entry.number for entry in versions if entry.state is State.CANDIDATE and entry.number < newest}
    ended = [entry for entry in versions if (entry.state not in LIVE or entry.number in left) and entry.number != 0]
    served = [entry for entry in ended if entry.promoted_at]
    others = [entry for entry in ended if not entry.promoted_at]
    return [*served[keep:], *others[keep:]]


def _named(checkpoints: Path, versions: Sequence[Version], folder: str = "") -> list[Path]:
    """Return the paths in a project's folder of checkpoints, or in its ``folder``, up to the newest registered version.

    Paths with a higher number are left out, because a training may be writing them.
    """
    newest = max(versions, key=lambda entry: entry.number, default=None)
    if newest is None:
        return []
    paths = (checkpoints / newest.folder).parent.joinpath(folder).glob("*")
    return [path for path in paths if (named := NUMBER.match(path.name)) and int(named[1]) <= newest.number]
