"""When the served version's checkpoint is spoilt on the disk: training goes on from the newest one that can be read.

Backends serve on from memory, or from an earlier version, by themselves; but a training has to start somewhere, and it
would fail for ever on a checkpoint that cannot be read.
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
    """``current``, or when its checkpoint is spoilt the newest version that served before and can be read.

    That one is made CURRENT and the spoilt one refused; ``cold`` makes a cold start where none is left. LeaseLost and
    Conflict as from `Versions.promote`.
    """
    wrong = _problem(checkpoints, current.folder, current.space)
    if not wrong:
        return current
    LOG.error("%s: %s %s (%s)", project_key, current.version, SPOILT, wrong)
    takes_over = _earlier(checkpoints, store, project_key, lease, current) or cold(current)
    store.versions.decide(project_key, current.number, lease, state=State.REFUSED, reason=f"{SPOILT}: {wrong}")
    return takes_over


def _earlier(checkpoints: Path, store: Store, project_key: str, lease: Lease, current: Current) -> Current | None:
    served = [
        entry for entry in store.versions.list(project_key) if entry.state is State.SUPERSEDED and entry.promoted_at
    ]
    for entry in sorted(served, key=lambda entry: -entry.promoted_at):
        fits = (entry.space, entry.labels) == (current.space, current.labels)
        if fits and not _problem(checkpoints, entry.folder, entry.space):
            reason = f"takes over from {current.version}, which {SPOILT}"
            return store.versions.promote(
                project_key, entry.number, lease, generation=current.generation, reason=reason
            )
    return None


def _problem(checkpoints: Path, folder: str, space: str) -> str:
    """Why a checkpoint cannot be read; empty when it can."""
    try:
        checkpoint.load(checkpoints / folder, space=space)
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        return f"{error}"
    return ""
