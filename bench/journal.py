"""Measure how long a webhook waits for the journal: 50 submitters at once, alone and beside a writer of kept answers.

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
from store.answers import Answer
from store.store import Store

KEY = "default/2.1795288797"
LIMIT_MS = 200.0
PART = 64  # answers that a worker stores at a time
LABELS = ("product", "gift", "logo", "copy", "price")


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=None, help="Where the database lies.")
@click.option("--submitters", default=50, show_default=True)
@click.option("--events", default=40, show_default=True, help="Of each submitter.")
@click.option("--answers", default=100_000, show_default=True, help="Answers written beside the second run.")
def main(folder: Path | None, submitters: int, events: int, answers: int) -> None:
    """Measure the journal."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        url = f"sqlite:///{place}/tagloom.db"
        alone = _measure(url, submitters, events)
        burst = _measure(url, submitters, events, first=500_000, pause=0.0)
        writer = multiprocessing.get_context("spawn").Process(target=_write_answers, args=(url, answers))
        writer.start()
        _wait_for_answers(url)
        beside = _measure(url, submitters, events, first=1_000_000)
        still_writing = writer.is_alive()
        writer.kill()
        writer.join()
    _print("alone", alone)
    _print("without a pause", burst)
    _print("beside answers" + ("" if still_writing else " (writer ended early)"), beside)
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


def _write_answers(url: str, rows: int) -> None:
    store = Store.open(url)
    lease = store.leases.acquire("bench", "writer", ttl=600)
    assert lease
    scores, boxes = dict.fromkeys(LABELS, 0.5), tuple((label, 0.1, 0.1, 0.5, 0.5, 0.9) for label in LABELS)
    for version in range(1_000):
        for first in range(0, rows, PART):
            answers = [
                Answer(task, f"v{version}", "k" * 32, 0.5, LABELS, scores, boxes, task, False, (800, 800))
                for task in range(first, first + PART)
            ]
            store.answers.put(KEY, answers, lease)


def _wait_for_answers(url: str) -> None:
    store = Store.open(url)
    while not store.answers.keys(KEY, "v0", [0]):
        time.sleep(0.1)
    store.close()


def _quantile(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def _print(name: str, times: list[float]) -> None:
    p50, p99 = _quantile(times, 0.5), _quantile(times, 0.99)
    click.echo(f"{name}: {len(times)} events, p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {times[-1]:.1f} ms")


if __name__ == "__main__":
    main()
