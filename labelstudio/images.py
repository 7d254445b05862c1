"""Fetch a task's picture from an allowed place, within limits of bytes, pixels and time."""

import base64
import binascii
import io
import logging
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

import httpcore

from labelstudio.addresses import AddressRules, ForbiddenAddressError, PinnedBackend
from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.connection import Origin
from labelstudio.decoding import ImageUnavailableError, Picture, decode
from labelstudio.proxies import Proxies, Proxy
from labelstudio.tasks import MAX_URL, ItemReference

LOG = logging.getLogger(__name__)

_LONGEST_NAME = 253  # characters of a host name (RFC 1035)
_LONGEST_FOLDER = 300  # characters of a folder's name that are told
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 5
_CONNECTIONS = 64  # more than the threads that fetch, so that no thread waits for another project's connection
_CLOUD = re.compile(r"(s3|gs|gcs|azure-blob|redis|s3s|azure-spi)://", re.IGNORECASE)
# Addresses at which Label Studio serves pictures of a storage that somebody has to connect to the project.
_CONNECTED = re.compile(r"/(resolve|data/local-files)/\?")
_ADVICE = ": connect its storage to the project (Settings, Cloud Storage) and check that the key's user sees it there"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.IGNORECASE)


@dataclass(frozen=True)
class ImageLimits:
    """Limits for one picture: its file's bytes, its pixels, and the seconds for fetching it."""

    max_bytes: int = 30_000_000
    max_pixels: int = 40_000_000
    seconds: float = 20.0


class ImageFetcher:
    """Fetches pictures for one connection. Thread-safe.

    ``allowed_hosts`` are patterns of public hosts that may serve pictures besides Label Studio. ``roots`` are the
    folders that file:// references may point into. Which hosts are asked through a proxy, the environment says
    (``labelstudio.proxies``).
    """

    def __init__(
        self,
        client: LabelStudioClient,
        *,
        allowed_hosts: Iterable[str] = (),
        roots: Iterable[Path] = (),
        limits: ImageLimits | None = None,
    ) -> None:
        self._client = client
        self._own = client.connection.origin
        self._rules = AddressRules(self._own, allowed_hosts)
        self._roots = tuple(root.resolve() for root in roots)
        self._limits = limits or ImageLimits()
        self._network = PinnedBackend(self._rules)
        self._proxies = Proxies()
        self._pools = {proxy: self._new_pool(proxy) for proxy in (None, *self._proxies.every)}

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def fetch(self, reference: ItemReference) -> Picture:
        """Return the reduced, upright RGB picture.

        The only error raised is ImageUnavailableError; its message says what to fix.
        """
        place = reference.image
        if not place:
            raise ImageUnavailableError("the task names no picture", permanent=True)
        try:
            if place[:5].lower() == "data:":
                content = self._inline(place)
            elif place[:7].lower() == "file://":
                content = self._local(place)
            else:
                with self._network.deadline(self._limits.seconds):
                    content = self._download(self._url(place, reference))
            return decode(content, self._limits.max_pixels)
        except ImageUnavailableError:
            raise
        # The reference is untrusted input, so any error that it causes counts as a failure of this picture alone.
        except Exception as error:
            LOG.warning("a picture cannot be fetched: %r", error)
            reason = f"the picture cannot be fetched ({type(error).__name__}): check its address"
            raise ImageUnavailableError(reason, permanent=isinstance(error, ValueError)) from error

    def _url(self, place: str, reference: ItemReference) -> str:
        """Return the URL to request.

        An absolute URL stays as it is, a URL without a scheme gets https, a path is completed by Label Studio's URL,
        and a URI of cloud storage becomes a request to Label Studio's resolver.
        """
        if _CLOUD.match(place):
            self._need_label_studio()
            kind, number = ("tasks", reference.task_id) if reference.task_id else ("projects", reference.project_id)
            if not number:
                raise ImageUnavailableError("a cloud picture needs its task's id to be resolved", permanent=True)
            encoded = quote(base64.urlsafe_b64encode(place.encode()).decode())
            return self._client.connection.absolute(f"/{kind}/{number}/resolve/?fileuri={encoded}")
        if re.match(r"https?://", place, re.IGNORECASE):
            return place
        if place.startswith("//"):
            # Such an address takes the scheme of the page that shows it.
            own = (self._at_home(f"{scheme}:{place}") for scheme in ("https", "http"))
            return next((url for url in own if url), f"https:{place}")
        if not place.startswith("/"):
            reason = "the picture's address is neither a URL nor a path of Label Studio: write it with https:// or a /"
            raise ImageUnavailableError(reason, permanent=True)
        self._need_label_studio()
        return self._client.connection.absolute(place)

    def _need_label_studio(self) -> None:
        if self._own is None:
            raise ImageUnavailableError("set LABEL_STUDIO_URL so that its pictures can be fetched", permanent=False)

    def _download(self, url: str) -> bytes:
        """Return the content at a URL. Each redirect's target passes the same checks as the URL itself."""
        for _ in range(_MAX_REDIRECTS + 1):
            url, origin = self._checked(self._at_home(url) or url)
            header = self._authorization() if origin == self._own else None
            status, target, content = self._get(url, origin, header)
            # Label Studio's access token may have expired: the request is repeated once with a new one.
            if status == 401 and header and (renewed := self._authorization(header)) != header:
                status, target, content = self._get(url, origin, renewed)
            if status in _REDIRECTS and target:
                try:
                    url = urljoin(url, target)
                except ValueError as error:
                    reason = f"{origin.host} redirects the picture to what is no URL"
                    raise ImageUnavailableError(reason, permanent=True) from error
            elif status == 200:
                return content
            elif status == 401 and origin == self._own:
                raise ImageUnavailableError(
                    f"Label Studio refuses the token (401): set {self._client.connection.token_variable} to a personal "
                    "access token of its",
                    permanent=False,
                )
            else:
                advice = _ADVICE if origin == self._own and _CONNECTED.search(url) else ""
                reason = f"{origin.host} answered {status} for the picture{advice}"
                raise ImageUnavailableError(reason, permanent=status in (400, 404, 410))
        raise ImageUnavailableError("the picture's URL is redirected too often", permanent=True)

    def _at_home(self, url: str) -> str | None:
        """Return ``Connection.at_home``; None for what is no URL."""
        with suppress(ValueError):
            return self._client.connection.at_home(url)
        return None

    def _checked(self, url: str) -> tuple[str, Origin]:
        """Check a URL before it is requested; return it as a browser sends it, and its origin.

        Raises ImageUnavailableError.
        """
        # Browsers skip these characters wherever they stand.
        url = url.translate(dict.fromkeys(map(ord, "\t\r\n")))
        try:
            if len(url) > MAX_URL:
                raise ValueError("longer than any server takes")
            parts = urlsplit(url)
            # The codec refuses host names with an empty label or a label of more than 63 characters.
            host = (parts.hostname or "").encode("idna").decode()
            if len(host) > _LONGEST_NAME or not _HOST.fullmatch(host):
                raise ValueError("no name of a host")
            netloc = f"[{host}]" if ":" in host else host
            parts = parts._replace(netloc=netloc if parts.port is None else f"{netloc}:{parts.port}")
            origin = Origin.of(parts)
            # A lone surrogate cannot be sent; encoding it fails.
            url.encode()
        except ValueError as error:
            # Not the address: each would be a reason of its own, and its query may hold a signature.
            reason = "the picture's address is no URL that can be fetched: correct it in the task"
            raise ImageUnavailableError(reason, permanent=True) from error
        # Browsers take a backslash before the query for a slash, and what follows for a user or a host.
        if _UNSAFE.search(url) or "\\" in url.partition("?")[0] or "@" in urlsplit(url).netloc:
            reason = "a URL with backslashes, control characters or a user name is not fetched"
            raise ImageUnavailableError(reason, permanent=True)
        try:
            self._rules.check_name(origin)
            if self._proxies.of(origin):
                self._rules.check_through_proxy(origin)
        except ForbiddenAddressError as error:
            raise ImageUnavailableError(str(error), permanent=True) from error
        # As in a browser: blanks and characters outside ASCII are percent-encoded, what is encoded already stays as it
        # is, and the fragment is not sent.
        path, query = (quote(part, safe="!$%&'()*+,/:;=?@[]~|") for part in (parts.path, parts.query))
        return urlunsplit(parts._replace(path=path, query=query, fragment="")), origin

    def _authorization(self, stale: str | None = None) -> str | None:
        """Return ``LabelStudioClient.authorization``, with its error as an ImageUnavailableError."""
        try:
            return self._client.authorization(stale)
        except LabelStudioError as error:
            raise ImageUnavailableError(str(error), permanent=False) from error

    def _new_pool(self, proxy: Proxy | None) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            # The same certificates count for pictures as for the API, also those of SSL_CERT_FILE.
            self._client.trust,
            httpcore.Proxy(proxy.url, auth=proxy.auth) if proxy else None,
            max_connections=_CONNECTIONS,
            network_backend=self._network.unpinned() if proxy else self._network,
        )

    def _get(self, url: str, origin: Origin, header: str | None) -> tuple[int, str | None, bytes]:
        """Send one GET request; return the status, the Location header and the content (empty unless 200)."""
        proxy = self._proxies.of(origin)
        # "identity" refuses compression, by which a small answer could grow without bound. "Accept" is not "image/*",
        # because Label Studio answers 406 to that: its API chooses a JSON renderer before it looks at the file.
        headers = [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", "tagloom")]
        headers += [("Authorization", header)] if header else []
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._limits.seconds)
        extensions = {"timeout": timeouts}
        try:
            with self._pools[proxy].stream("GET", url, headers=headers, extensions=extensions) as answer:
                found = {name.lower(): value for name, value in answer.headers}
                content = self._read(answer) if answer.status == 200 else b""
                if proxy and answer.status == 407:
                    raise httpcore.ProxyError("407")
                return answer.status, _location(found.get(b"location", b"")), content
        except httpcore.ProxyError as error:
            refused = str(error).partition(" ")[0]
            reason = f"the proxy refuses to ask {origin.host} ({refused}): allow it there, or name it in NO_PROXY"
            raise ImageUnavailableError(reason, permanent=False) from error
        except ForbiddenAddressError as error:
            raise ImageUnavailableError(str(error), permanent=True) from error
        except httpcore.TimeoutException as error:
            reason = f"the picture did not arrive within {self._limits.seconds:g} s"
            raise ImageUnavailableError(reason, permanent=False) from error
        # The text of these errors may show a header, so the reason names only their type.
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            reason = f"the picture's host cannot be asked ({type(error).__name__})"
            raise ImageUnavailableError(reason, permanent=False) from error
        except (httpcore.NetworkError, OSError) as error:
            raise ImageUnavailableError(f"the picture's host cannot be reached ({error})", permanent=False) from error

    def _read(self, answer: httpcore.Response) -> bytes:
        """Read an answer's content. Raises ImageUnavailableError as soon as it exceeds the limit."""
        content = io.BytesIO()  # getvalue makes no copy of it
        for part in answer.iter_stream():
            if content.tell() + len(part) > self._limits.max_bytes:
                raise self._too_big()
            content.write(part)
        return content.getvalue()

    def _inline(self, place: str) -> bytes:
        """Return the content of a data: URI."""
        head, comma, body = place.partition(",")
        if not comma or len(body) > 2 * self._limits.max_bytes:
            raise self._too_big() if comma else ImageUnavailableError("the data: URI holds no data", permanent=True)
        try:
            raw = unquote_to_bytes(body)
            content = base64.b64decode(raw, validate=False) if head.lower().endswith(";base64") else raw
        except (binascii.Error, ValueError) as error:
            raise ImageUnavailableError("the data: URI is not valid base64", permanent=True) from error
        if len(content) > self._limits.max_bytes:
            raise self._too_big()
        return content

    def _local(self, place: str) -> bytes:
        """Return the content of a regular file below a configured root; links are followed before the check."""
        folder = place.rpartition("/")[0].removeprefix("file://")[:_LONGEST_FOLDER] or "/"
        reason = f"the file in {folder!r} is not below a folder of TAGLOOM_IMAGE_ROOTS, or is not there"
        try:
            parts = urlsplit(place)
            path = Path(unquote_to_bytes(parts.path).decode()).resolve(strict=True)
            inside = any(path.is_relative_to(root) for root in self._roots)
            if not inside or parts.netloc not in ("", "localhost") or not stat.S_ISREG(path.stat().st_mode):
                raise ImageUnavailableError(reason, permanent=True)
            with path.open("rb") as file:
                content = file.read(self._limits.max_bytes + 1)
        except (OSError, ValueError, RuntimeError) as error:
            raise ImageUnavailableError(reason, permanent=True) from error
        if len(content) > self._limits.max_bytes:
            raise self._too_big()
        return content

    def _too_big(self) -> ImageUnavailableError:
        size = self._limits.max_bytes / 1e6
        return ImageUnavailableError(
            f"the picture is larger than {size:g} MB: make it smaller or raise TAGLOOM_IMAGE_MAX_BYTES", permanent=True
        )


def _location(header: bytes) -> str | None:
    """Return where an answer redirects to; servers write characters outside ASCII as UTF-8 or Latin-1."""
    try:
        return header.decode() or None
    except UnicodeDecodeError:
        return header.decode("latin-1")
