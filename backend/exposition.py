"""What /metrics shows beside the backend's own counters: what the workers have measured, the queue, and projects.

Numbers of the whole installation have no names in them. Numbers of projects are those of the connection that asks, and
at most MOST_PROJECTS, so that a scrape stays fast and small.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from store.measures import Amount
from worker import queue
from worker.measures import FAMILIES, SUM, Family
from worker.webhooks import TROUBLES

if TYPE_CHECKING:
    from backend.service import Service

LOG = structlog.stdlib.get_logger(__name__)

MOST_PROJECTS = 200


class Exposition(Collector):
    """The collector of one scrape, for one connection."""

    def __init__(self, service: "Service", connection: str) -> None:
        self._service = service
        self._connection = connection

    def describe(self) -> list[Metric]:
        """Return nothing: what is collected needs no look at the database beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; without those of a database or queue that is away, which ``tagloom_reachable`` tells."""
        reachable = GaugeMetricFamily(
            "tagloom_reachable", "Whether the backend reaches what it needs: database, queue", labels=["part"]
        )
        try:
            kept = self._service.store.measures.all()
            projects = list(self._projects())
        except SQLAlchemyError as error:
            LOG.error("the metrics of workers and projects cannot be read", error=str(error))
            reachable.add_metric(["database"], 0)
        else:
            reachable.add_metric(["database"], 1)
            yield from (_metric(family, kept) for family in FAMILIES)
            yield from projects
        figures = queue.figures(self._service.settings)
        reachable.add_metric(["queue"], figures is not None)
        yield reachable
        if figures is None:
            return
        waiting = GaugeMetricFamily("tagloom_queue_jobs", "Jobs that wait for a worker", labels=["kind"])
        for kind, count in sorted(figures.waiting.items()):
            waiting.add_metric([kind], count)
        yield waiting
        yield GaugeMetricFamily("tagloom_queue_age_seconds", "Time that the oldest waiting job waits", figures.oldest_s)
        yield GaugeMetricFamily("tagloom_workers", "Workers that listen to the queue", figures.workers)
        yield GaugeMetricFamily("tagloom_failed_jobs", "Failed jobs that RQ keeps", figures.failed)

    def _projects(self) -> Iterator[Metric]:
        """Yield the gauges of the connection's projects."""
        gold = GaugeMetricFamily(
            "tagloom_gold_waiting", "Changes of gold labels that no training has used yet", labels=["project"]
        )
        trained = GaugeMetricFamily(
            "tagloom_gold_trained", "Changes of gold labels that the last training has used", labels=["project"]
        )
        failed = GaugeMetricFamily("tagloom_training_failed", "Whether the last training failed", labels=["project"])
        troubles = GaugeMetricFamily(
            "tagloom_webhook_trouble",
            f"What keeps a project's labels from arriving by webhook: {', '.join(TROUBLES)}; 0 if nothing does",
            labels=["project", "reason"],
        )
        for one in self._service.store.measures.waiting(self._connection, MOST_PROJECTS):
            gold.add_metric([one.project_key], one.behind)
            trained.add_metric([one.project_key], one.trained)
            failed.add_metric([one.project_key], one.has_failed)
            trouble = self._service.webhooks.troubles.get(one.project_key)
            troubles.add_metric([one.project_key, trouble.name if trouble else ""], trouble is not None)
        yield from (gold, trained, failed, troubles)


def _metric(family: Family, kept: Mapping[Amount, float]) -> Metric:
    """Return a family with all its kept amounts."""
    mine = {amount.labels: value for amount, value in sorted(kept.items()) if amount.name == family.name}
    if not family.bounds:
        counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
        for labels, value in mine.items():
            counter.add_metric(labels, value)
        if not family.labels and not mine:
            counter.add_metric((), 0)
        return counter
    histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    observed: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for labels, value in mine.items():
        observed[labels[:-1]][labels[-1]] = value
    for labels, buckets in observed.items():
        total, cumulated = 0.0, []
        for bound in [*map(str, family.bounds), "+Inf"]:
            total += buckets.get(bound, 0.0)
            cumulated.append((bound, total))
        histogram.add_metric(labels, cumulated, buckets.get(SUM, 0.0))
    return histogram
