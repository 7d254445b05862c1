"""One configured Label Studio: where it is, and the token that goes to its own origin and nowhere else."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from labelstudio.project import DEFAULT_CONNECTION
from tagloom_base import values
from tagloom_base.errors import UserError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port: what a token belongs to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, parts: SplitResult) -> "Origin":
        """Origin of a split URL; ValueError for one without an http(s) scheme or a host, or with a bad port."""
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("not an http(s) URL with a host")
        return cls(parts.scheme, parts.hostname.rstrip("."), parts.port or _PORTS[parts.scheme])


@dataclass(frozen=True)
class Connection:
    """``url`` is empty when no Label Studio is configured: then nothing of it can be fetched."""

    name: str = DEFAULT_CONNECTION
    url: str = ""
    token: SecretStr = field(default_factory=lambda: SecretStr(""))

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
    def origin(self) -> Origin | None:
        return Origin.of(urlsplit(self.url)) if self.url else None

    def absolute(self, path: str) -> str:
        """URL of a path on this Label Studio; a base URL with a path keeps it."""
        base = self.url.rstrip("/")
        prefix = urlsplit(base).path
        return base + (path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path)
