"""The counters of the backend, which Prometheus reads from /metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector


class Metrics:
    """The counters of one application, in its own registry, so that two applications in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("tagloom_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "tagloom_request_seconds",
            "Time to answer",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 100),
            registry=self.registry,
        )
        self.tasks = Counter(
            "tagloom_tasks",
            "Tasks answered: full, text (picture not to be had), fast (asked again), empty, silent (nothing was drawn)",
            ["outcome"],
            registry=self.registry,
        )
        self.problems = Counter(
            "tagloom_task_problems", "Why tasks got less than a full answer", ["reason"], registry=self.registry
        )
        self.events = Counter("tagloom_webhooks", "Webhooks by action", ["action"], registry=self.registry)
        self.swaps = Counter("tagloom_swaps", "Versions swapped in", registry=self.registry)
        self.refusals = Counter("tagloom_refused_versions", "Versions that failed their check", registry=self.registry)
        self.unkept = Counter(
            "tagloom_unkept",
            "What the disk or the database could not keep, and was answered all the same",
            ["what"],
            registry=self.registry,
        )
        self.models = Gauge("tagloom_models_in_memory", "Projects whose version is loaded", registry=self.registry)

    def text(self, further: Collector) -> bytes:
        """Return these counters and what a further collector yields, in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(further)
        return generate_latest(self.registry) + generate_latest(registry)
