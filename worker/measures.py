"""What jobs measure: the metrics with their labels, and a tally that a job writes into the store while it runs.

`backend.exposition` shows them under /metrics. Values of labels are kinds, outcomes, stages and names of errors, which
the code lists, and never projects: a scrape would show one Label Studio's projects to another
(docs/decisions/0057-observability.md).
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Item
from store.measures import Amount
from store.store import Store
from worker.outcome import Done, Outcome, Postponed

LOG = logging.getLogger(__name__)

# Seconds after which a running job writes what it has measured: a killed one loses at most so much, and one step.
EVERY_S = 5.0


@dataclass(frozen=True)
class Family:
    """One metric: its name as exposed, what it tells, the names of its labels, and the bounds of a histogram's buckets.

    Without bounds it is a counter, whose name ends in ``_total``.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


JOB_SECONDS = Family(
    "tagloom_job_seconds",
    "Time of a job from its lease to its end: done, unfinished (goes on in a later job), postponed, failed",
    ("kind", "outcome"),
    (0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 3600, 14400),
)
JOB_FAILURES = Family("tagloom_job_failures_total", "Failed jobs by the name of the error", ("kind", "reason"))
JOBS_KILLED = Family(
    "tagloom_jobs_killed_total", "Jobs whose process died; the next one of the project notes it", ("kind",)
)
STAGE_SECONDS = Family("tagloom_job_stage_seconds_total", "Time of jobs by their stage", ("kind", "stage"))
VERSIONS = Family(
    "tagloom_versions_total",
    "Trained versions by what became of them: promoted, refused, accepted (waits, and counts again as promoted)",
    ("state",),
)
ITEMS = Family(
    "tagloom_items_read_total", "Items that workers have encoded: with their picture, or texts alone", ("content",)
)
ENCODER_SECONDS = Family("tagloom_encoder_seconds_total", "Time that workers have spent in encoders and reader")
SWITCHED_ON = Family("tagloom_webhooks_switched_on_total", "Webhooks that were off and were switched on again")
MISSED = Family("tagloom_labels_without_webhook_total", "Labels that a reconcile found and no webhook had told")

FAMILIES = (
    JOB_SECONDS, JOB_FAILURES, JOBS_KILLED, STAGE_SECONDS, VERSIONS, ITEMS, ENCODER_SECONDS, SWITCHED_ON, MISSED,
)  # fmt: skip

SUM = "sum"
"""The last label value of a histogram's kept amount that is the sum; those of its buckets are their bounds."""


def one(family: Family, *labels: str, amount: float = 1.0) -> dict[Amount, float]:
    """Return the amount of a counter to be added to the store. Raises ValueError unless each label has its value."""
    if len(labels) != len(family.labels):
        raise ValueError(f"{family.name} has the labels {family.labels}, not {labels}")
    return {Amount(family.name, labels): amount}


def count(store: Store, family: Family, *labels: str, amount: float = 1.0) -> None:
    """Add to a counter at once. While the database is away it is only logged: no work depends on a number."""
    try:
        store.measures.add(one(family, *labels, amount=amount))
    except SQLAlchemyError as error:
        LOG.warning("%s cannot be counted: %s", family.name, error)


class Tally:
    """What one process has measured and not yet written. It does one job at a time."""

    def __init__(self) -> None:
        self._amounts: defaultdict[Amount, float] = defaultdict(float)
        self._kind = self._stage = ""
        self._stage_began = self._written = 0.0

    @contextmanager
    def job(self, store: Store, kind: str, project_key: str) -> Iterator["Running"]:
        """Measure the block as a job that holds its lease; the caller says with which outcome it ended.

        An error of the block counts as a failure and is passed on. An error of the database is logged alone.
        """
        began = time.monotonic()
        self._kind, self._stage, self._stage_began, self._written = kind, "beginning", began, began
        try:
            if store.measures.begin_job(kind, project_key, Amount(JOBS_KILLED.name, (kind,))):
                LOG.warning("the %s of %s before this one never ended: its process died", kind, project_key)
        except SQLAlchemyError as error:
            LOG.warning("the job is not noted as running: %s", error)
        running = Running()
        try:
            yield running
        except Exception as error:
            self._count(JOB_FAILURES, kind, type(error).__name__)
            raise
        finally:
            self._end_stage("")
            self._observe(JOB_SECONDS, (kind, running.outcome), time.monotonic() - began)
            amounts, self._amounts = self._amounts, defaultdict(float)
            try:
                store.measures.end_job(kind, project_key, amounts)
            except SQLAlchemyError as error:
                LOG.warning("what the job has measured is lost: %s", error)

    def reach(self, store: Store, stage: str) -> None:
        """Count the time since the last call for the stage that it named, and write all after EVERY_S seconds."""
        self._end_stage(stage)
        if time.monotonic() - self._written < EVERY_S:
            return
        self._written = time.monotonic()
        try:
            store.measures.add(self._amounts)
        except SQLAlchemyError as error:
            # Kept for the next time.
            LOG.warning("what the job has measured is not written yet: %s", error)
        else:
            self._amounts = defaultdict(float)

    def encoded(self, items: Sequence[Item], seconds: float) -> None:
        """Count items that were encoded, and the time it took."""
        for item in items:
            self._count(ITEMS, "picture" if item.image is not None else "texts")
        self._count(ENCODER_SECONDS, amount=seconds)

    def _count(self, family: Family, *labels: str, amount: float = 1.0) -> None:
        for counted, more in one(family, *labels, amount=amount).items():
            self._amounts[counted] += more

    def _end_stage(self, next_stage: str) -> None:
        now = time.monotonic()
        self._count(STAGE_SECONDS, self._kind, self._stage, amount=now - self._stage_began)
        self._stage, self._stage_began = next_stage, now

    def _observe(self, family: Family, labels: tuple[str, ...], value: float) -> None:
        bound = next((str(bound) for bound in family.bounds if value <= bound), "+Inf")
        self._amounts[Amount(family.name, (*labels, bound))] += 1
        self._amounts[Amount(family.name, (*labels, SUM))] += value


@dataclass
class Running:
    """A job that is measured. Until its outcome is known it counts as failed."""

    outcome: str = "failed"

    def end(self, outcome: Outcome) -> Outcome:
        """Note the outcome, and return it."""
        if isinstance(outcome, Postponed):
            self.outcome = "postponed"
        else:
            self.outcome = "done" if isinstance(outcome, Done) else "unfinished"
        return outcome


@dataclass(frozen=True)
class TimedExtractor:
    """An extractor whose work is counted in a tally."""

    extractor: FeatureExtractor
    tally: Tally

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        """Return the features of the items, as the extractor does."""
        began = time.monotonic()
        found = self.extractor.extract(items)
        self.tally.encoded(items, time.monotonic() - began)
        return found
