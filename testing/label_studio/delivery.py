"""How webhooks travel: in the annotator's Submit, with a second of patience, once; and how they can get lost."""

import random
import threading
import time
from dataclasses import dataclass

import httpx

from testing.label_studio.payloads import Json

# Label Studio sends webhooks with requests' defaults and WEBHOOK_TIMEOUT = 1 s for connecting and for reading each.
_HEADERS = {"User-Agent": "python-requests/2.34.2"}
_TIMEOUT = httpx.Timeout(1.0)


@dataclass(frozen=True)
class Faults:
    """Shares of webhooks, each in [0, 1], that are lost, sent twice, or sent late by up to ``delay`` seconds."""

    lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    delay: float = 2.0
    seed: int = 7


class Deliveries:
    """Sends webhooks and counts them: of those ``sent``, ``failed`` timed out or were answered by an error."""

    def __init__(self, client: httpx.Client, url: str, faults: Faults) -> None:
        self.sent = self.lost = self.failed = 0
        self._url = url
        self._faults = faults
        self._random = random.Random(faults.seed)
        self._client = client
        self._counting = threading.Lock()
        self._late: list[threading.Thread] = []

    def send(self, body: Json) -> None:
        """Send one event, as its fate decides; never raises for a network error, as Label Studio does not."""
        if self._random.random() < self._faults.lost:
            self.lost += 1
            return
        times = 2 if self._random.random() < self._faults.doubled else 1
        for _ in range(times):
            if self._random.random() < self._faults.delayed:
                self._send_late(body)
            else:
                self._post(body)

    def close(self) -> None:
        """Wait for the late ones."""
        for thread in self._late:
            thread.join()

    def _send_late(self, body: Json) -> None:
        wait = self._random.uniform(0, self._faults.delay)

        def later() -> None:
            time.sleep(wait)
            self._post(body)

        thread = threading.Thread(target=later, daemon=True)
        self._late.append(thread)
        thread.start()

    def _post(self, body: Json) -> None:
        try:
            good = self._client.post(self._url, json=body, headers=_HEADERS, timeout=_TIMEOUT).is_success
        except httpx.HTTPError:
            good = False
        with self._counting:
            self.sent += 1
            self.failed += not good
