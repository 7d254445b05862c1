"""Publish a trained tagger: write its checkpoint, register the version, and do what the gate's verdict says."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model import checkpoint
from model.tagger import Tagger
from store.database import is_over
from store.leases import Lease
from store.projects import Project
from store.store import Store
from store.versions import Conflict, Current, NewVersion, State
from worker.cold_start import version_folder
from worker.measures import VERSIONS, count
from worker.promotion.gate import Verdict

LOG = logging.getLogger(__name__)


@dataclass
class Publisher:
    """Publishes the versions of one training. `current` is the served version as far as this training knows."""

    checkpoints: Path
    promotion_seconds: float
    store: Store
    project: Project
    lease: Lease
    current: Current
    encoders: Mapping[str, str]
    counts: Mapping[str, int]
    promoted: list[str] = field(default_factory=list)

    def due_at(self) -> float:
        """Return the earliest time of the next promotion (as `Store.now`); 0 after a cold start."""
        return 0.0 if self.current.is_cold_start else self.current.since + self.promotion_seconds

    def may_promote(self) -> bool:
        """Return whether a version may be promoted now."""
        return is_over(self.store.now(), self.due_at(), self.promotion_seconds)

    def publish(self, phase: str, tagger: Tagger, verdict: Verdict, written: Callable[[str], None]) -> NewVersion:
        """Write the checkpoint, register the version, and promote, postpone or refuse it as the verdict says.

        ``written`` is called with the version's name after its checkpoint is written and before it may serve. Raises
        LeaseLost when another worker has taken the lease, and Conflict when CURRENT was changed meanwhile, so that the
        candidate was judged against a version that no longer serves.
        """
        new = self._write(phase, tagger, verdict.metrics)
        written(new.version)
        self.store.versions.add(self.project.key, new, self.lease)
        if not verdict.accepted:
            self._decide(new, State.REFUSED, verdict.reason)
        elif not self.may_promote():
            self._decide(new, State.ACCEPTED, verdict.reason, due_at=self.due_at())
        else:
            try:
                self.current = self.store.versions.promote(
                    self.project.key, new.number, self.lease, generation=self.current.generation, reason=verdict.reason
                )
            except Conflict as conflict:
                self._decide(new, State.REFUSED, f"judged against a version that no longer serves ({conflict})")
                raise
            self.promoted.append(new.version)
            count(self.store, VERSIONS, "promoted")
        LOG.info("%s %s: %s", self.project.key, new.version, verdict.reason, extra={"version": new.version})
        return new

    def _decide(self, new: NewVersion, state: State, reason: str, *, due_at: float = 0.0) -> None:
        self.store.versions.decide(self.project.key, new.number, self.lease, state=state, reason=reason, due_at=due_at)
        count(self.store, VERSIONS, state)

    def _write(self, phase: str, tagger: Tagger, metrics: Mapping[str, Any]) -> NewVersion:
        key = self.project.key
        number = self.store.versions.reserve(key)
        version = checkpoint.version_name(number, tagger)
        folder = version_folder(key, version)
        about = checkpoint.About(
            parent=self.current.version,
            encoders=self.encoders,
            metrics={name: value for name, value in metrics.items() if isinstance(value, float)},
            phase=phase,
            **self.counts,
        )
        checkpoint.save(tagger.named(version), self.checkpoints / folder, version=version, about=about)
        return NewVersion(
            number=number,
            version=version,
            parent=self.current.version,
            folder=folder,
            phase=phase,
            space=tagger.space,
            labels=tagger.labels,
            metrics=metrics,
            gold_revision=self.project.gold_revision,
            judged_generation=self.current.generation,
            **self.counts,
        )


def promote_due(store: Store, project_key: str, lease: Lease, promotion_seconds: float) -> Current | None:
    """Promote the newest accepted version if its time has come, and supersede older ones; None if none was promoted."""
    accepted = [entry for entry in store.versions.list(project_key) if entry.state is State.ACCEPTED]
    current = store.versions.current(project_key)
    if not accepted or current is None:
        return None
    newest, *older = accepted
    for entry in older:
        store.versions.decide(
            project_key, entry.number, lease, state=State.SUPERSEDED, reason="overtaken while it waited"
        )
    if newest.judged_generation != current.generation:
        reason = "judged against a version that no longer serves"
        store.versions.decide(project_key, newest.number, lease, state=State.REFUSED, reason=reason)
        return None
    if not is_over(store.now(), newest.due_at, promotion_seconds):
        return None
    try:
        promoted = store.versions.promote(
            project_key, newest.number, lease, generation=newest.judged_generation, reason=newest.reason
        )
    except Conflict:
        # The next call compares the generations again.
        return None
    count(store, VERSIONS, "promoted")
    return promoted
