"""Remove secrets from texts that are logged or shown: known secrets by value, others by the words around them.

All functions take linear time, because strangers can write parts of the text.
"""

import re
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
# Least characters of a secret. A shorter one occurs in too many words to be removed.
SHORTEST = 4
# Least characters of a secret from a request, which must not make ordinary words unreadable.
SHORTEST_PASSING = 16
LONGEST = 1_000  # characters that are logged of one value
LONGEST_TRACE = 20_000  # characters that are logged of a traceback
# Number of secrets from requests that are remembered; the oldest is forgotten first.
PASSING = 64
_WORDS = ("token", "secret", "password", "authorization", "api_key")

_PLACES = (
    (re.compile(r"(://)[^\s/?#'\"]{1,2000}@"), rf"\1{HIDDEN}@"),  # user and password
    (
        re.compile(r"(://[^\s?#'\"]{1,2000})\?[^\s'\"]*"),
        rf"\1?{HIDDEN}",
    ),  # signed addresses have their key in the query
    (re.compile(r"\b(Token|Bearer|Basic) [^\s'\"\\]{16,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"), HIDDEN),  # a JWT
    (
        re.compile(r"((?:password|passwd|secret|token|api_key)s?(?:=|['\"]:\s?)['\"]?)[^\s'\",;&]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class _Known:
    """The known secrets of this process. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lasting: set[str] = set()
        self._passing: deque[str] = deque(maxlen=PASSING)
        self._plain: tuple[str, ...] = ()
        self._written: re.Pattern[str] | None = None

    def add(self, secrets: tuple[str, ...], passing: bool) -> None:
        shortest = SHORTEST_PASSING if passing else SHORTEST
        new = [secret for secret in secrets if len(secret) >= shortest and secret not in self._plain]
        if not new:
            return
        with self._lock:
            if passing:
                self._passing.extend(new)
            else:
                self._lasting.update(new)
            # The longest first, because one secret may contain another.
            self._plain = tuple(sorted({*self._lasting, *self._passing}, key=lambda secret: (-len(secret), secret)))
            self._written = re.compile("|".join("".join(map(_written, secret)) for secret in self._plain))

    def without(self, text: str) -> str:
        for secret in self._plain:
            text = text.replace(secret, HIDDEN)
        if self._written and ("%" in text or "\\" in text):
            text = self._written.sub(HIDDEN, text)
        return text


_KNOWN = _Known()


def keep_out(*secrets: str, passing: bool = False) -> None:
    """Let `redacted` hide these values from now on. ``passing`` ones are forgotten after ``PASSING`` newer ones."""
    _KNOWN.add(secrets, passing)


def redacted(text: str) -> str:
    """Return the text without known secrets, in any encoding, and without values in places where secrets occur."""
    text = _KNOWN.without(text)
    for pattern, instead in _PLACES:
        text = pattern.sub(instead, text)
    return text


def loggable(value: Any, longest: int = LONGEST) -> Any:
    """Return a value for a line of a log: redacted, shortened, without control characters. Small containers remain."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and len(repr(value)) <= longest:
        return {str(name): HIDDEN if is_secret(str(name)) else loggable(held) for name, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and len(repr(value)) <= longest:
        return [loggable(held) for held in value]
    text = value if isinstance(value, str) else repr(value)
    return _CONTROL.sub(_escaped, shortened(_KNOWN.without(text), longest))


def trace(text: str) -> str:
    """Return a traceback for a log: redacted, shortened in its middle, with its line breaks."""
    lines = shortened(_KNOWN.without(text), LONGEST_TRACE).split("\n")
    return "\n".join(_CONTROL.sub(_escaped, line) for line in lines)


def shortened(text: str, longest: int) -> str:
    """Return the redacted text. A longer one loses its middle, and the result says how many characters are missing."""
    half = longest // 2
    if len(text) > longest:
        text = f"{text[:half]} …{len(text) - 2 * half} characters… {text[-half:]}"
    return redacted(text)


def is_secret(name: str) -> bool:
    """Return whether a field's name says that its value is a secret."""
    return any(word in name.lower() for word in _WORDS)


def _written(character: str) -> str:
    """Return a pattern of all forms of a character in a log: itself, percent-encoded (also twice), or escaped."""
    percent = "".join(f"%(?:25)*{_either_case(f'{byte:02x}')}" for byte in character.encode("utf-8", "surrogateescape"))
    ways = [re.escape(character), percent]
    if character == " ":
        ways.append(r"\+")
    if not (character.isascii() and character.isalnum()):
        code = ord(character)
        ways.append(re.escape("\\") + f"u{_either_case(f'{code:04x}')}")
        ways.append(re.escape(character.encode("unicode_escape").decode()))
        ways.append(re.escape(repr(character.encode("utf-8", "surrogateescape"))[2:-1]))
    return f"(?:{'|'.join(dict.fromkeys(ways))})"


def _either_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode()
