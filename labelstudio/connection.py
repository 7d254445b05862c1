"""One configured Label Studio: its URL, and the token that is sent to the URL's origin only."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from labelstudio.project import DEFAULT_CONNECTION
from tagloom_base import values
from tagloom_base.errors import UserError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of a URL. A token is only ever sent to one origin."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, parts: SplitResult) -> "Origin":
        """Return the origin of a split URL.

        Raises ValueError for a URL without an http(s) scheme or a host, or with an invalid port.
        """
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("not an http(s) URL with a host")
        return cls(parts.scheme, parts.hostname.rstrip("."), parts.port or _PORTS[parts.scheme])

    @property
    def place(self) -> tuple[str, str, int]:
        """The origin, with https in the place of http if both have their usual port."""
        return ("https", self.host, 443) if self.port == _PORTS[self.scheme] else (self.scheme, self.host, self.port)


@dataclass(frozen=True)
class Connection:
    """Name, URL and token of a Label Studio.

    ``url`` is empty when no Label Studio is configured; then nothing can be fetched from it. ``further`` are other URLs
    of the same Label Studio (its LABEL_STUDIO_HOST), which stand in task data; they are never asked. Raises UserError
    for a URL or a token that cannot be used.
    """

    name: str = DEFAULT_CONNECTION
    url: str = ""
    token: SecretStr = field(default_factory=lambda: SecretStr(""))
    further: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            values.token(self.token.get_secret_value())
        except ValueError as error:
            raise UserError(f"The token of connection {self.name!r} can't be used: it {error}") from error
        if not self.url:
            return
        try:
            Origin.of(urlsplit(self.url))
        except ValueError as error:
            shown = values.without_password(self.url)
            raise UserError(
                f"The Label Studio URL {shown!r} of connection {self.name!r} cannot be used ({error}): "
                "set LABEL_STUDIO_URL to e.g. http://127.0.0.1:8080."
            ) from error

    @property
    def token_variable(self) -> str:
        """Where the token is set, in words."""
        is_default = self.name == DEFAULT_CONNECTION
        return "LABEL_STUDIO_API_KEY" if is_default else f"the token of {self.name!r} in TAGLOOM_CONNECTIONS"

    @property
    def variable(self) -> str:
        """Where the URL is set, in words."""
        return (
            "LABEL_STUDIO_URL"
            if self.name == DEFAULT_CONNECTION
            else f"the url of {self.name!r} in TAGLOOM_CONNECTIONS"
        )

    @property
    def origin(self) -> Origin | None:
        """The URL's origin; None without a URL."""
        return Origin.of(urlsplit(self.url)) if self.url else None

    def absolute(self, path: str) -> str:
        """Return the URL of a path on this Label Studio. A path in the base URL is kept and not doubled."""
        base = self.url.rstrip("/")
        prefix = urlsplit(base).path
        return base + (path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path)

    def at_home(self, url: str) -> str | None:
        """Return where this Label Studio serves a URL that is under its URL or one of the further ones; else None.

        On the usual ports http and https count as the same, since servers lead from one to the other. Raises ValueError
        for what is no URL.
        """
        parts = urlsplit(url)
        for base in map(urlsplit, (self.url, *self.further) if self.url else ()):
            prefix = base.path.rstrip("/")
            is_under = parts.path.startswith(prefix + "/") and parts.scheme in _PORTS and bool(parts.hostname)
            if is_under and parts.username is None and Origin.of(parts).place == Origin.of(base).place:
                query = f"?{parts.query}" if parts.query else ""
                return self.url.rstrip("/") + parts.path[len(prefix) :] + query
        return None
