"""The proxies of the environment, by one rule for Label Studio's API and for pictures.

``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY`` name the proxy of a scheme, ``NO_PROXY`` the hosts that are asked
without it. Addresses (127.0.0.1, [::1]), localhost and names without a dot are always asked without it: they belong to
this machine or its network, and a proxy must not be a way to them.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from labelstudio.connection import Origin
from tagloom_base import redaction, values
from tagloom_base.errors import UserError


@dataclass(frozen=True)
class Proxy:
    """A proxy's URL without user and password, and these two."""

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)


class Proxies:
    """The proxies that the environment names when this is made. Raises UserError for one that cannot be used."""

    def __init__(self) -> None:
        found = getproxies_environment()
        self._by_scheme: dict[str, Proxy] = {}
        for scheme in ("http", "https"):
            if url := found.get(scheme) or found.get("all"):
                self._by_scheme[scheme] = _proxy(url, f"{scheme.upper()}_PROXY")

    @property
    def every(self) -> frozenset[Proxy]:
        """All proxies."""
        return frozenset(self._by_scheme.values())

    def of(self, origin: Origin) -> Proxy | None:
        """Return the proxy through which an origin is asked; None if it is asked without one."""
        proxy = self._by_scheme.get(origin.scheme)
        is_local = _is_address(origin.host) or "." not in origin.host or origin.host.endswith(".localhost")
        is_direct = proxy is None or is_local or proxy_bypass(f"{origin.host}:{origin.port}")
        return None if is_direct else proxy


def _proxy(url: str, variable: str) -> Proxy:
    full = url if "://" in url else f"http://{url}"
    for password in values.passwords_in(full):
        redaction.keep_out(password)
    try:
        parts = urlsplit(full)
        _ = parts.port  # raises when it is no number
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it is no http proxy")
    except ValueError as error:
        raise UserError(
            f"{variable} (or ALL_PROXY) can't be used: {values.without_password(full)!r} should be a URL such as "
            "http://proxy.example.com:3128; other kinds of proxies are not supported"
        ) from error
    auth = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return Proxy(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", auth)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        # Systems also take 2130706433, 0x7f.1 and 127.1 for addresses. The last part of a name is never a number.
        last = host.rpartition(".")[2].lower()
        return last.isdecimal() or last.startswith("0x")
    return True
