"""Rules for the hosts that pictures may come from, and connections that open only to checked addresses or to a proxy.

A host name is resolved once and each of its addresses is checked. The socket then opens to a checked address, not to
the name, so a DNS answer that changes between check and connection (DNS rebinding) has no effect. TLS still verifies
the name.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from ssl import SSLContext
from typing import Any, TypeAlias

import httpcore

from labelstudio.connection import Origin
from labelstudio.kept import Kept

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # NAT64, RFC 6052: the IPv4 address is in the last 32 bits

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291
# Blocks in IANA's registries of special addresses that Python 3.11 nevertheless calls global.
_SPECIAL = tuple(ipaddress.ip_network(block) for block in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))


_UNKNOWN_KEPT = 1_000  # hosts that this machine cannot look up


class ForbiddenAddressError(Exception):
    """A host that pictures may not come from; the message says why and which setting allows the host."""


class AddressRules:
    """The hosts and addresses that pictures may come from.

    ``own`` is the origin of the configured Label Studio, which may have a private address. ``allowed`` are patterns of
    public hosts (``*.a.com``).
    """

    def __init__(self, own: Origin | None, allowed: Iterable[str]) -> None:
        self._own = own
        self._allowed = tuple(pattern.lower() for pattern in allowed)
        self._unknown: Kept[str, bool] = Kept(_UNKNOWN_KEPT, _UNKNOWN_KEPT)

    def check_name(self, origin: Origin) -> None:
        """Raise ForbiddenAddressError for a host that is neither Label Studio's nor on the allow list."""
        if origin != self._own and not any(fnmatch(origin.host.lower(), pattern) for pattern in self._allowed):
            raise ForbiddenAddressError(
                f"host {origin.host!r} is not allowed: add it to TAGLOOM_IMAGE_HOSTS if its pictures may be fetched"
            )

    def check_through_proxy(self, origin: Origin) -> None:
        """Raise ForbiddenAddressError for a host that may not be asked through a proxy.

        The proxy looks the name up by itself, so the host must be listed by its name, and must not be known here as
        private. A name that only the proxy knows passes.
        """
        if origin == self._own:
            return
        if not any(fnmatch(origin.host.lower(), pattern) for pattern in self._allowed if pattern.strip("*.?")):
            raise ForbiddenAddressError(
                f"host {origin.host!r} is not asked through a proxy: name it in TAGLOOM_IMAGE_HOSTS, `*` does not do"
            )
        if self._unknown.get(origin.host) is None:
            try:
                self.resolve(origin.host, origin.port)
            except OSError:
                # Networks that have a proxy often look up no names, and may take seconds to say so.
                self._unknown.put(origin.host, True, 1)

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host.

        Raises ForbiddenAddressError if one of them is private and the host is not the configured Label Studio, and
        OSError for an unknown name.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if self._own and (host.rstrip("."), port) == (self._own.host, self._own.port):
            return addresses
        if not addresses or not all(is_public(ipaddress.ip_address(address.split("%")[0])) for address in addresses):
            raise ForbiddenAddressError(f"host {host!r} has a private address: only the configured Label Studio may")
        return addresses


def is_public(address: Address) -> bool:
    """Return whether an address is on the public internet.

    An IPv6 address that contains an IPv4 address is public only if the IPv4 address is public.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _TRANSLATED:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if not all(is_public(part) for part in inner if part is not None):
            return False
        # In these two forms only the IPv4 address matters.
        if address.ipv4_mapped or address in _TRANSLATED:
            return True
        # Other IPv6 addresses must be global unicast: Python also calls forms global that hold a private IPv4 address.
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in block for block in _SPECIAL)


class _Clock(threading.local):
    """The time by which the calling thread's request must end."""

    end: float = float("inf")

    def left(self, timeout: float | None) -> float:
        """Return the seconds left, at most ``timeout``. Raises httpcore.ReadTimeout when the time is over."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for this picture is over")
        return left if timeout is None else min(left, timeout)


class TimedBackend(httpcore.NetworkBackend):
    """A network backend that ends each wait at the thread's deadline. It opens sockets to any address."""

    def __init__(self, clock: _Clock | None = None) -> None:
        self._plain = httpcore.SyncBackend()
        self._clock = clock or _Clock()

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """End this thread's requests inside the block within ``seconds``, even if bytes keep arriving slowly."""
        self._clock.end = time.monotonic() + seconds
        try:
            yield
        finally:
            self._clock.end = float("inf")

    def unpinned(self) -> "TimedBackend":
        """Return a backend with the same deadlines for connections to a proxy, whose address is not checked."""
        return TimedBackend(self._clock)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the host; httpcore calls this for every new connection."""
        stream = self._plain.connect_tcp(host, port, self._clock.left(timeout), local_address, socket_options)
        return _TimedStream(stream, self._clock)


class PinnedBackend(TimedBackend):
    """A network backend that opens sockets only to checked addresses."""

    def __init__(self, rules: AddressRules) -> None:
        super().__init__()
        self._rules = rules

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the host's first checked address that accepts."""
        problem: Exception = httpcore.ConnectError(f"no address for {host!r}")
        for address in self._rules.resolve(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                problem = error
        raise problem


class _TimedStream(httpcore.NetworkStream):
    """A stream whose waits end at the thread's deadline at the latest."""

    def __init__(self, stream: httpcore.NetworkStream, clock: _Clock) -> None:
        self._stream = stream
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._clock.left(timeout))
        return _TimedStream(stream, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
