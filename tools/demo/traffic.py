"""The second client: it requests predictions without pause and counts the failures that an annotator would notice."""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from testing.label_studio.payloads import Json
from testing.label_studio.simulator import BackendFailed, SimulatedLabelStudio

# Answers for tasks whose picture is not read yet have version names with this end.
FAST = "+fast"


@dataclass
class Tally:
    """Counts of a client: sent requests, reasons of failures, seconds of the answers, and versions in them."""

    sent: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    versions: dict[str, None] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def succeeded(self, results: Sequence[Json], seconds: float) -> None:
        with self._changing:
            self.sent += 1
            self.seconds.append(seconds)
            self.versions |= dict.fromkeys(str(one["model_version"]).removesuffix(FAST) for one in results)

    def failed(self, reason: str) -> None:
        with self._changing:
            self.sent += 1
            self.failures.append(reason)

    def quantile(self, share: float) -> float:
        """Return the time in seconds within which this share of the answers came, or 0 without answers."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Traffic:
    """A context manager: within, a thread requests predictions of a few tasks, one request after the other.

    It chooses among the tasks in ``ids``, to which the story adds tasks whose pictures have been read.
    """

    # Tasks per request. If the answer is empty for all of several tasks, something is wrong.
    TASKS = 4

    def __init__(self, studio: SimulatedLabelStudio, ids: list[int], tally: Tally, seed: int = 7) -> None:
        self._studio, self._ids, self._tally = studio, ids, tally
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="second-client", daemon=True)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            ask(self._studio, self._random.sample(self._ids, min(self.TASKS, len(self._ids))), self._tally, keep=False)
            if self._tally.failures:
                # A dead backend refuses thousands of requests per second; some of them are enough.
                self._over.wait(0.2)


def ask(studio: SimulatedLabelStudio, ids: Sequence[int], tally: Tally, *, keep: bool = True) -> list[Json] | None:
    """Send one /predict and count it. Returns None when it failed, or was empty for all of several tasks."""
    begin = time.monotonic()
    try:
        results = studio.predict(ids, keep=keep)
    except BackendFailed as failure:
        tally.failed(str(failure))
        return None
    if len(ids) > 1 and not any(result["result"] for result in results):
        tally.failed(f"/predict answered nothing at all for {len(ids)} tasks")
        return None
    tally.succeeded(results, time.monotonic() - begin)
    return results
