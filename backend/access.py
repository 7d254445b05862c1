"""Who may ask: Basic auth as Label Studio sends it, a secret first part of the URL, a header on webhooks.

Label Studio's own webhooks carry no Authorization header, but they keep the URL that the backend was added with: the
secret prefix is what guards them. It also names the connection that a request belongs to.
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from labelstudio.project import DEFAULT_CONNECTION
from tagloom_base.errors import UserError
from tagloom_base.settings import AccessSettings, StudioSettings

LOG = structlog.stdlib.get_logger(__name__)

TOO_LARGE = "The request is larger than TAGLOOM_MAX_REQUEST_BYTES."
_DEPTH = 8  # parts of a path among which a secret is looked for, so that a long path costs nothing
_LIKE_A_SECRET = re.compile(r"[A-Za-z0-9_-]{16,}")  # perhaps one that was replaced, or is misspelt by a letter


@dataclass(frozen=True)
class Guards:
    """What is asked of a request, from the settings. ``prefixes`` pairs each secret with its connection."""

    prefixes: tuple[tuple[bytes, str], ...]
    basic: tuple[bytes, bytes] | None
    bearer: bytes | None
    default_needs_prefix: bool

    @classmethod
    def of(cls, access: AccessSettings, studios: StudioSettings) -> "Guards":
        """Guards of these settings. UserError when they would leave the backend open, or lose webhooks."""
        secrets = [(secret, DEFAULT_CONNECTION) for secret in access.url_secrets]
        for name, connection in studios.connections.items():
            secrets += [(secret, name) for secret in connection.url_secrets]
        password = access.basic_password.get_secret_value().encode()
        guards = cls(
            prefixes=tuple((secret.get_secret_value().encode(), name) for secret, name in secrets),
            basic=(access.basic_user.encode(), password) if access.basic_user else None,
            bearer=access.webhook_secret.get_secret_value().encode() or None,
            default_needs_prefix=bool(access.url_secrets),
        )
        guards.check(access)
        return guards

    def check(self, access: AccessSettings) -> None:
        """Raises UserError naming the setting to change."""
        if bool(access.basic_user) != bool(access.basic_password.get_secret_value()):
            raise UserError("Of TAGLOOM_BASIC_USER and TAGLOOM_BASIC_PASSWORD only one is set: set both")
        if self.basic and not (self.default_needs_prefix or self.bearer):
            raise UserError(
                "Basic auth alone would turn away Label Studio's annotation webhooks, which carry none: also set "
                "TAGLOOM_URL_SECRETS (a secret first part of the URL) or TAGLOOM_WEBHOOK_SECRET (a webhook's header)"
            )
        guarded = self.basic or self.default_needs_prefix
        if not guarded and not access.allow_open and not is_loopback(access.host):
            raise UserError(
                f"The backend would be open to everybody on {access.host}: set TAGLOOM_URL_SECRETS, or "
                "TAGLOOM_BASIC_USER and TAGLOOM_BASIC_PASSWORD, or TAGLOOM_ALLOW_OPEN=true if that is meant"
            )

    def connection(self, part: str) -> str | None:
        """Connection of a secret first part of the URL; all secrets are compared, in constant time each."""
        found = None
        for secret, name in self.prefixes:
            if hmac.compare_digest(secret, part.encode("utf-8", "surrogateescape")):
                found = name
        return found

    def admits(self, path: str, connection: str | None, authorization: bytes | None) -> bool:
        """Whether a request for ``path`` (its secret taken off) may pass; no ``connection``: no valid secret."""
        basic = self.basic is not None and _is_basic(authorization, self.basic)
        bearer = self.bearer is not None and _same(authorization, b"Bearer " + self.bearer)
        if path == "/webhook":
            return connection is not None or basic or bearer or self._open_default()
        prefix_ok = connection is not None or not self.default_needs_prefix
        return prefix_ok and (self.basic is None or basic)

    def _open_default(self) -> bool:
        """No guard is configured for the default connection; the secrets belong to further ones."""
        return not (self.default_needs_prefix or self.basic or self.bearer)


class Access:
    """ASGI middleware: takes the secret off the path, turns strangers and bodies that announce too much away.

    What comes without an announced length is counted where it is read (``backend.bodies``).
    """

    def __init__(self, app: ASGIApp, guards: Guards, max_bytes: int) -> None:
        self._app = app
        self._guards = guards
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = self._take_secret(scope)
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization")
        if not (self._guards.admits(scope["path"], connection, authorization) or _is_probe(scope, authorization)):
            self._tell(scope)
            await _refuse(
                send, 401, "This backend asks for credentials: its secret URL, and Basic auth where configured."
            )
            return
        if _length(headers) > self._max_bytes:
            await _refuse(send, 413, TOO_LARGE)
            return
        scope["state"]["connection"] = connection or DEFAULT_CONNECTION
        await self._app(scope, receive, send)

    def _take_secret(self, scope: Scope) -> str | None:
        """Connection of the request. The scope itself is changed, so that no access log ever sees the secret."""
        asked = re.sub("/+", "/", scope["path"]).lstrip("/")
        head, _, rest = asked.partition("/")
        connection = self._guards.connection(head) if self._guards.prefixes else None
        path = "/" + (asked if connection is None else rest)
        # A route answers with and without a slash at its end: a redirect would go where the Host header says.
        scope["path"] = path.rstrip("/") or "/"
        scope.setdefault("state", {})["slash"] = path != scope["path"]
        if connection is not None:
            scope["raw_path"] = b"/" + scope.get("raw_path", b"").lstrip(b"/").partition(b"/")[2]
        return connection

    def _tell(self, scope: Scope) -> None:
        """Log who was turned away. A path may hold a secret at any place; those in use are blanked in every log."""
        parts = scope["path"].split("/")
        if any(self._guards.connection(part) for part in parts[:_DEPTH]):
            hint = "the URL's secret stands behind a prefix: let the proxy take the prefix off"
            LOG.warning("turned away", hint=hint, client=_client(scope))
        else:
            path = "/".join(_LIKE_A_SECRET.sub("***", part) for part in parts)
            LOG.warning("turned away", path=path, client=_client(scope))


def is_loopback(host: str) -> bool:
    """Whether a host to listen on can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_basic(authorization: bytes | None, expected: tuple[bytes, bytes]) -> bool:
    scheme, _, value = (authorization or b"").partition(b" ")
    try:
        given = base64.b64decode(value, validate=True)
    except binascii.Error:
        given = b""
    return scheme.lower() == b"basic" and hmac.compare_digest(given, b":".join(expected))


def _same(given: bytes | None, expected: bytes) -> bool:
    return hmac.compare_digest(given or b"", expected)


def _is_probe(scope: Scope, authorization: bytes | None) -> bool:
    """A container's own health check: /health from this machine, without credentials."""
    return scope["path"] == "/health" and authorization is None and is_loopback(_client(scope))


def _client(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _length(headers: Mapping[bytes, bytes]) -> int:
    value = headers.get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="tagloom"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
