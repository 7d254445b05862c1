"""Measure how long a webhook waits for the journal: 50 submitters at once, alone and beside a writer of weak labels.

    python -m bench.journal [--folder DIR] [--submitters 50] [--events 40]

Prints p50, p99 and the maximum in ms; exits 1 when a p99 is not under 200 ms. The result depends
on the folder's disk: its fsync takes most of the time.
"""

import multiprocessing
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import click

from labelstudio.changes import change_of
from store.store import Store
from store.weak_labels import WeakLabel

KEY = "default/2.1795288797"
LIMIT_MS = 200.0
LABELS = ("product", "gift", "logo", "copy", "price")


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=None, help="Where the database lies.")
@click.option("--submitters", default=50, show_default=True)
@click.option("--events", default=40, show_default=True, help="Of each submitter.")
@click.option("--weak-rows", default=100_000, show_default=True, help="Weak labels written beside the second run.")
def main(folder: Path | None, submitters: int, events: int, weak_rows: int) -> None:
    """Measure the journal."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        url = f"sqlite:///{place}/tagloom.db"
        alone = _measure(url, submitters, events)
        burst = _measure(url, submitters, events, first=500_000, pause=0.0)
        writer = multiprocessing.get_context("spawn").Process(target=_write_weak_labels, args=(url, weak_rows))
        writer.start()
        _wait_for_weak_labels(url)
        beside = _measure(url, submitters, events, first=1_000_000)
        still_writing = writer.is_alive()
        writer.kill()
        writer.join()
    _print("alone", alone)
    _print("without a pause", burst)
    _print("beside weak labels" + ("" if still_writing else " (writer ended early)"), beside)
    sys.exit(any(_quantile(times, 0.99) > LIMIT_MS for times in (alone, burst, beside)))


def _measure(url: str, submitters: int, events: int, first: int = 0, pause: float = 0.2) -> list[float]:
    store, times = Store.open(url), []

    def submit(number: int) -> None:
        for event in range(events):
            change = change_of(KEY, _body(first + number * 1_000 + event))
            started = time.perf_counter()
            store.journal.record(change)
            times.append((time.perf_counter() - started) * 1000)
            time.sleep(random.random() * pause)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(submitters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    return sorted(times)


def _body(number: int) -> dict[str, object]:
    stamp = f"2026-11-21T10:00:{number % 60:02d}Z"
    result = [
        {"id": f"r{side}", "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": {"x": side}}
        for side in range(4)
    ]
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": number, "task": number, "result": result, "updated_at": stamp, "was_cancelled": False},
        "task": {"id": number, "data": {"image": f"/data/{number}.jpg", "title": "x" * 60}, "updated_at": stamp},
        "project": {"id": 2, "label_config": "<View/>" * 100, "updated_at": stamp, "created_at": stamp},
    }


def _write_weak_labels(url: str, rows: int) -> None:
    store = Store.open(url)
    labels = {label: WeakLabel(0.7, 0.5, {"cues": 1.0, "neighbours": 0.4}) for label in LABELS}
    for revision in range(1_000):
        lease = store.leases.acquire("bench", "writer", ttl=600)
        assert lease
        entries = ((task, labels) for task in range(rows))
        store.weak_labels.replace(KEY, entries, space="s", gold_revision=revision, lease=lease)


def _wait_for_weak_labels(url: str) -> None:
    store = Store.open(url)
    while not store.weak_labels.count(KEY):
        time.sleep(0.1)
    store.close()


def _quantile(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def _print(name: str, times: list[float]) -> None:
    p50, p99 = _quantile(times, 0.5), _quantile(times, 0.99)
    click.echo(f"{name}: {len(times)} events, p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {times[-1]:.1f} ms")


if __name__ == "__main__":
    main()
