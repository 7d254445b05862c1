"""Access control: Basic auth as Label Studio sends it, a secret first part of the URL, or a header on webhooks.

Label Studio's own webhooks carry no Authorization header, but they keep the URL under which the backend was added. So
the secret in the URL protects them. The secret also names the connection that a request belongs to.

The pages for people ask for none of these: people sign in to them (``backend.pages.sessions``).
"""

import base64
import binascii
import hmac
import json
import re
from dataclasses import dataclass
from ipaddress import ip_address

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from labelstudio.project import DEFAULT_CONNECTION
from tagloom_base.errors import UserError
from tagloom_base.groups import AccessSettings, StudioSettings

LOG = structlog.stdlib.get_logger(__name__)

TOO_LARGE = "The request is larger than TAGLOOM_MAX_REQUEST_BYTES."
PAGES = "/pages"
# Most parts of a refused path that are compared with the secrets, so that a long path costs nothing.
_DEPTH = 8
# A part of this form may be a secret that was replaced, or one with a typing error. It is not logged.
_LIKE_A_SECRET = re.compile(r"[A-Za-z0-9_-]{16,}")


@dataclass(frozen=True)
class Guards:
    """The credentials that requests must carry, from the settings. ``prefixes`` pairs URL secrets with connections."""

    prefixes: tuple[tuple[bytes, str], ...]
    basic: tuple[bytes, bytes] | None
    bearer: bytes | None
    default_needs_prefix: bool

    @classmethod
    def of(cls, access: AccessSettings, studios: StudioSettings) -> "Guards":
        """Return the guards for these settings.

        Raises UserError when the settings would leave the backend open, or would turn away Label Studio's webhooks.
        """
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
        """Raise UserError, which names the setting to change, unless the settings protect the backend."""
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
        """Return the connection whose secret is this part of the URL, or None."""
        found = None
        # The loop does not stop at a match: the time must not show which secret matched, or how much of it.
        for secret, name in self.prefixes:
            if hmac.compare_digest(secret, part.encode("utf-8", "surrogateescape")):
                found = name
        return found

    def admits(self, path: str, connection: str | None, authorization: bytes | None) -> bool:
        """Return whether a request for ``path`` may pass.

        ``path`` no longer contains the secret. ``connection`` is None when the URL held no valid secret.
        """
        scheme, _, value = (authorization or b"").partition(b" ")
        try:
            login = base64.b64decode(value, validate=True)
        except binascii.Error:
            login = b""
        basic = (
            self.basic is not None and scheme.lower() == b"basic" and hmac.compare_digest(login, b":".join(self.basic))
        )
        bearer = self.bearer is not None and hmac.compare_digest(authorization or b"", b"Bearer " + self.bearer)
        if path == "/webhook":
            # URL secrets may belong to other connections only. Then nothing guards the default connection.
            is_open = not (self.default_needs_prefix or self.basic or self.bearer)
            return connection is not None or basic or bearer or is_open
        prefix_ok = connection is not None or not self.default_needs_prefix
        return prefix_ok and (self.basic is None or basic)


class Access:
    """ASGI middleware: removes the secret from the path and refuses requests without credentials or with large bodies.

    A body without a Content-Length header is counted where it is read (``backend.bodies``).
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
        # A container's health check asks for /health from this machine and carries no credentials.
        is_probe = scope["path"] == "/health" and authorization is None and is_loopback(_client(scope))
        is_open = is_probe or is_page(scope["path"], headers.get(b"accept", b""))
        if not (self._guards.admits(scope["path"], connection, authorization) or is_open):
            self._log_refusal(scope)
            await _refuse(
                send, 401, "This backend asks for credentials: its secret URL, and Basic auth where configured."
            )
            return
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            await _refuse(send, 413, TOO_LARGE)
            return
        scope["state"]["connection"] = connection or DEFAULT_CONNECTION
        await self._app(scope, receive, send)

    def _take_secret(self, scope: Scope) -> str | None:
        """Return the request's connection, and remove the secret from the scope itself, so that no log can show it."""
        requested = re.sub("/+", "/", scope["path"]).lstrip("/")
        head, _, rest = requested.partition("/")
        connection = self._guards.connection(head) if self._guards.prefixes else None
        path = "/" + (requested if connection is None else rest)
        # Routes answer with and without a final slash. A redirect would use the Host header, which anybody can set.
        scope["path"] = path.rstrip("/") or "/"
        scope.setdefault("state", {})["slash"] = path != scope["path"]
        if connection is not None:
            scope["raw_path"] = b"/" + scope.get("raw_path", b"").lstrip(b"/").partition(b"/")[2]
        return connection

    def _log_refusal(self, scope: Scope) -> None:
        """Log the address of a refused client, and the path without anything that may be a secret."""
        parts = scope["path"].split("/")
        if any(self._guards.connection(part) for part in parts[:_DEPTH]):
            hint = "the URL's secret stands behind a prefix: let the proxy take the prefix off"
            LOG.warning("turned away", hint=hint, client=_client(scope))
        else:
            path = "/".join(_LIKE_A_SECRET.sub("***", part) for part in parts)
            LOG.warning("turned away", path=path, client=_client(scope))


def is_page(path: str, accept: bytes) -> bool:
    """Return whether a path is of the pages: theirs, and ``/`` for a browser; Label Studio gets its health there."""
    return path == PAGES or path.startswith(f"{PAGES}/") or (path == "/" and b"text/html" in accept)


def is_loopback(host: str) -> bool:
    """Return whether a host to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _client(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="tagloom"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
