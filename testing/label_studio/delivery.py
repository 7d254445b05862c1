"""Send webhooks as Label Studio does: once, during the annotator's Submit, for at most one second; some fail."""

import random
import threading
from dataclasses import dataclass

import httpx

from testing.label_studio.payloads import Json

# Label Studio sends webhooks by requests, with WEBHOOK_TIMEOUT = 1 s each for connecting and for reading.
_HEADERS = {"User-Agent": "python-requests/2.34.2"}
_TIMEOUT = httpx.Timeout(1.0)


@dataclass(frozen=True)
class Faults:
    """The shares of webhooks, each in [0, 1], that are lost, sent twice, or sent up to ``delay`` seconds late."""

    lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    delay: float = 2.0
    seed: int = 7


class Deliveries:
    """Sends webhooks and counts them. ``failed`` counts those that timed out or got an error as answer."""

    def __init__(self, client: httpx.Client, url: str, faults: Faults) -> None:
        self.sent = self.lost = self.failed = 0
        self._url = url
        self._faults = faults
        self._random = random.Random(faults.seed)
        self._client = client
        self._counting = threading.Lock()
        self._late: list[threading.Thread] = []

    def send(self, body: Json) -> None:
        """Send one event, or lose it, at random. Network errors do not raise, as in Label Studio."""
        if self._random.random() < self._faults.lost:
            self.lost += 1
            return
        times = 2 if self._random.random() < self._faults.doubled else 1
        # Whether a copy of a doubled event is late is drawn for each copy.
        for _ in range(times):
            if self._random.random() < self._faults.delayed:
                late = threading.Timer(self._random.uniform(0, self._faults.delay), self._post, [body])
                late.daemon = True
                self._late.append(late)
                late.start()
            else:
                self._post(body)

    def close(self) -> None:
        """Wait until the late webhooks are sent."""
        for thread in self._late:
            thread.join()

    def _post(self, body: Json) -> None:
        try:
            good = self._client.post(self._url, json=body, headers=_HEADERS, timeout=_TIMEOUT).is_success
        except httpx.HTTPError:
            good = False
        with self._counting:
            self.sent += 1
            self.failed += not good
