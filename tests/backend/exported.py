"""What a scrape of the real backend may show: every metric by name, with the names of its labels."""

from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from tests.backend.parts import running
from worker.measures import FAMILIES, Tally, one
from worker.outcome import Done

KEY = "default/2.1"
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def exported(home: Path, redis_url: str) -> dict[str, set[str]]:
    """Return the names of all samples with their labels, of a backend whose workers have measured something."""
    with running(home, redis_url=redis_url) as backend:
        store = backend.store
        store.projects.ensure(KEY, "<View/>")
        for family in FAMILIES:
            if not family.bounds:
                store.measures.add(one(family, *["x"] * len(family.labels)))
        with Tally().job(store, "train", KEY) as job:
            job.end(Done("trained"))
        text = backend.client.get("/metrics").text
        own = [each for each in vars(backend.app.state.metrics).values() if isinstance(each, MetricWrapperBase)]
    found: dict[str, set[str]] = {}
    for metric in text_string_to_metric_families(text):
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                found.setdefault(sample.name, set()).update(sample.labels)
    # A counter that has counted nothing yet shows no sample.
    for each in own:
        for suffix in _SUFFIXES[str(each._type)]:
            found[each._name + suffix] = {*each._labelnames, *(["le"] if suffix == "_bucket" else [])}
    return found
