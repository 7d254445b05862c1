"""A source that asks a vision model by HTTP: any server of OpenAI's chat completions (vLLM, Ollama, a hosted one).

Pictures, titles and industries are sent to that server. Each request is counted in a ledger before it is sent, so that
the budget holds for all workers together and survives restarts.
"""

import base64
import email.utils
import hashlib
import io
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

import httpx
from PIL import Image

from sources.answers import Kind, Said, SourceTrouble, checked
from sources.interface import Item
from sources.replies import Reply, answer_of, instruction, read_reply

TRIES = 3
# Seconds before the second try; each further pause is twice as long. A longer Retry-After ends the round instead.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
# Seconds that the source rests when the server cannot be used until somebody mends a setting, or adds to the budget.
REST_S = 600.0
# Most tokens of one answer, and most bytes of one response.
MOST_TOKENS, MOST_BYTES = 1000, 1_000_000
# Tokens that a picture counts, and characters of a token, where the server does not say what it has used.
PICTURE_TOKENS, TOKEN_CHARACTERS = 1500, 2
JPEG_QUALITY = 85
# A change of the instruction, or of how answers are read, makes a new version.
FORM = 1


@dataclass(frozen=True)
class Budget:
    """The most requests, tokens and money that may be used in all; 0 means no limit. Prices are per million tokens."""

    requests: int = 0
    tokens: int = 0
    money: float = 0.0
    input_price: float = 0.0
    output_price: float = 0.0

    def exhausted(self, spent: "Spending") -> str:
        """Return which limit is reached, in words with the setting; empty if none is."""
        limits = {
            "requests": (spent.requests, self.requests, "TAGLOOM_VISION_REQUESTS"),
            "tokens": (spent.tokens, self.tokens, "TAGLOOM_VISION_TOKENS"),
            "money": (spent.money, self.money, "TAGLOOM_VISION_MONEY"),
        }
        reached = [
            f"{used:g} of {limit:g} {what} are used: raise {setting} to go on"
            for what, (used, limit, setting) in limits.items()
            if limit and used >= limit
        ]
        return "; ".join(reached)


@dataclass(frozen=True)
class Endpoint:
    """A server and how it is asked. ``side`` is the longest side in pixels of the pictures that it gets."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    budget: Budget = Budget()
    per_minute: float = 60.0
    seconds: float = 60.0
    side: int = 768


class Spending(Protocol):
    """What a source has used so far."""

    @property
    def requests(self) -> int: ...

    @property
    def tokens(self) -> int: ...

    @property
    def money(self) -> float: ...


class Ledger(Protocol):
    """Keeps what a source uses, for all workers: `store.sources.Sources`."""

    def spent(self, source: str) -> Spending: ...

    def reserve(self, source: str, pause: float, longest: float) -> float: ...

    def rest(self, source: str, seconds: float) -> None: ...

    def spend(self, source: str, tokens: int, money: float) -> None: ...


class VisionSource:
    """The endpoint as a source. ``wait`` sleeps, and may raise to end the work.

    Raises ValueError for an endpoint without a model.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        *,
        wait: Callable[[float], None] = time.sleep,
        trust: ssl.SSLContext | bool = True,
    ) -> None:
        if not endpoint.model:
            raise ValueError(f"which model is asked at {endpoint.url}? Set TAGLOOM_VISION_MODEL")
        self._endpoint, self._ledger, self._wait = endpoint, ledger, wait
        self.name = ("vision " + re.sub(r"[^\w.-]+", "-", endpoint.model))[:60]
        form = json.dumps([endpoint.model, endpoint.side, FORM])
        self.version = hashlib.sha256(form.encode()).hexdigest()[:8]
        limits = endpoint.budget
        self.about = {
            "from": f"{endpoint.url}, which gets pictures, titles and industries",
            **{name: f"{value:g}" for name in ("requests", "tokens", "money") if (value := getattr(limits, name))},
        }
        headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
        self._http = httpx.Client(headers=headers, timeout=endpoint.seconds, verify=trust)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def ask(self, item: Item) -> Said:
        """Return the model's answer to an item. Raises SourceTrouble, and what ``wait`` raises."""
        body, size = self._question(item)
        answer, dropped = answer_of(self._reply(body), item, size)
        said = checked(answer, item)
        return Said(said.labels, said.boxes, {**said.dropped, **dropped})

    def _question(self, item: Item) -> tuple[dict[str, Any], tuple[int, int]]:
        """Return the body of the request, and the size in pixels of the picture in it."""
        size = (0, 0)
        content: list[dict[str, Any]] = []
        if item.picture:
            with Image.open(item.picture) as picture:
                small = picture.convert("RGB")
            small.thumbnail((self._endpoint.side, self._endpoint.side))
            size = small.size
            written = io.BytesIO()
            small.save(written, "JPEG", quality=JPEG_QUALITY)
            url = f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        content.append({"type": "text", "text": instruction(item)})
        messages = [{"role": "user", "content": content}]
        body = {"model": self._endpoint.model, "messages": messages, "temperature": 0, "max_tokens": MOST_TOKENS}
        return body, size

    def _reply(self, body: Mapping[str, Any]) -> Reply:
        """Ask until an answer comes, TRIES times at most."""
        pause, failure = FIRST_PAUSE_S, ""
        for number in range(TRIES):
            if out := self._endpoint.budget.exhausted(self._ledger.spent(self.name)):
                raise SourceTrouble(Kind.BUDGET, out, REST_S)
            turn = self._ledger.reserve(self.name, 60.0 / self._endpoint.per_minute, LONGEST_PAUSE_S)
            if turn > LONGEST_PAUSE_S:
                raise SourceTrouble(Kind.AWAY, f"it is to be asked again in {turn:.0f} s", turn)
            self._wait(turn)
            try:
                status, headers, content = self._sent(body)
            except httpx.HTTPError as error:
                # The error's own text may hold parts of the request.
                failure, asked_for = f"no answer ({type(error).__name__})", 0.0
            else:
                if status == 200:
                    return self._paid(content, body)
                failure, asked_for = f"status {status}", _retry_after(headers)
                if status in (401, 403):
                    raise SourceTrouble(Kind.AWAY, f"{failure}: correct TAGLOOM_VISION_KEY", REST_S)
                if status == 404 or 300 <= status < 400:
                    advice = "correct TAGLOOM_VISION_URL (it ends before /chat/completions) or TAGLOOM_VISION_MODEL"
                    raise SourceTrouble(Kind.AWAY, f"{failure}: {advice}", REST_S)
                if status < 500 and status not in (408, 409, 425, 429):
                    raise SourceTrouble(Kind.REFUSES, f"{failure}: {content[:200].decode('utf-8', 'replace')}")
            if asked_for > LONGEST_PAUSE_S:
                self._ledger.rest(self.name, asked_for)
                raise SourceTrouble(Kind.AWAY, f"{failure}, asks to wait {asked_for:.0f} s", asked_for)
            if number + 1 < TRIES:
                self._wait(max(pause, asked_for))
                pause *= 2
        advice = "start it, or correct TAGLOOM_VISION_URL"
        raise SourceTrouble(
            Kind.AWAY, f"{failure} after {TRIES} tries at {self._endpoint.url}: {advice}", FIRST_PAUSE_S
        )

    def _sent(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and content of one request, which may take ``Endpoint.seconds`` in all."""
        end = time.monotonic() + self._endpoint.seconds
        url = f"{self._endpoint.url.rstrip('/')}/chat/completions"
        with self._http.stream("POST", url, json=body) as response:
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise SourceTrouble(Kind.NONSENSE, f"a response of more than {MOST_BYTES:,} bytes")
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the whole response takes too long")
            return response.status_code, response.headers, content

    def _paid(self, content: bytes, body: Mapping[str, Any]) -> Reply:
        """Read a response, and add what it has cost, whether it can be used or not."""
        read = read_reply(content)
        asked = len(body["messages"][0]["content"][-1]["text"]) // TOKEN_CHARACTERS
        asked += PICTURE_TOKENS if len(body["messages"][0]["content"]) > 1 else 0
        given, answered = read.tokens or (asked, max(1, len(content) // TOKEN_CHARACTERS))
        prices = self._endpoint.budget
        money = (given * prices.input_price + answered * prices.output_price) / 1_000_000
        self._ledger.spend(self.name, given + answered, money)
        if read.reply is None:
            raise SourceTrouble(Kind.NONSENSE, read.why)
        return read.reply


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return for how many seconds the server asks to wait, in seconds or as a date; 0 where it does not say."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return 0.0
    return seconds if 0 < seconds < inf else 0.0
