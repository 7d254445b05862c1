"""Recovery when the served version's checkpoint cannot be read: an older version becomes the parent of the training.

A backend continues to serve from memory, or loads an earlier version itself. But a training needs a readable parent;
without this module it would fail again and again.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from model import checkpoint
from store.leases import Lease
from store.store import Store
from store.versions import Current, State

LOG = logging.getLogger(__name__)

SPOILT = "cannot be read"


def readable(
    checkpoints: Path,
    store: Store,
    project_key: str,
    lease: Lease,
    current: Current,
    cold: Callable[[Current], Current],
) -> Current:
    """Return ``current``, or if its checkpoint is spoilt, the newest readable version that served before.

    That version becomes CURRENT and the spoilt one is refused. If there is no such version, ``cold`` makes a cold
    start. Raises LeaseLost and Conflict like `Versions.promote`.
    """
    wrong = _problem(checkpoints, current.folder, current.space)
    if not wrong:
        return current
    LOG.error("%s: %s %s (%s)", project_key, current.version, SPOILT, wrong)
    served = [
        entry for entry in store.versions.list(project_key) if entry.state is State.SUPERSEDED and entry.promoted_at
    ]
    takes_over = None
    for entry in sorted(served, key=lambda entry: -entry.promoted_at):
        fits = (entry.space, entry.labels) == (current.space, current.labels)
        if fits and not _problem(checkpoints, entry.folder, entry.space):
            reason = f"takes over from {current.version}, which {SPOILT}"
            takes_over = store.versions.promote(
                project_key, entry.number, lease, generation=current.generation, reason=reason
            )
            break
    takes_over = takes_over or cold(current)
    # Done after the promotion, which would mark the spoilt version as superseded.
    store.versions.decide(project_key, current.number, lease, state=State.REFUSED, reason=f"{SPOILT}: {wrong}")
    return takes_over


def _problem(checkpoints: Path, folder: str, space: str) -> str:
    """Return why a checkpoint cannot be read; empty if it can."""
    try:
        checkpoint.load(checkpoints / folder, space=space)
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        return f"{error}"
    return ""
