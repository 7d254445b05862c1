"""Why a Label Studio cannot be used at its URL: one sentence for each cause, with what to change."""

import os
import ssl
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx

from labelstudio.connection import Connection
from tagloom_base import values
from tagloom_base.errors import UserError
from tagloom_base.settings import CERTIFICATES

# OpenSSL's numbers (x509_vfy.h) of what may be wrong with a certificate.
_UNTRUSTED = {18, 19, 20, 21}
_OTHER_NAME = {62, 64}


def trusted() -> ssl.SSLContext:
    """Return the context of TLS connections, which trusts the usual certificates and those that CERTIFICATES name.

    Raises UserError when these can't be read.
    """
    context = httpx.create_ssl_context(trust_env=False)
    for name, argument in zip(CERTIFICATES, ("cafile", "capath"), strict=True):
        if not (path := os.environ.get(name)):
            continue
        try:
            # Beside the usual ones: public hosts of pictures must not be lost by naming an authority of one's own.
            context.load_verify_locations(**{argument: path})
        except OSError as unreadable:
            raise UserError(
                f"{name}={path} can't be read as certificates ({unreadable.strerror or unreadable}): name a file in "
                "PEM form, or take the variable away"
            ) from unreadable
    return context


def unanswered(connection: Connection, error: Exception) -> str:
    """Return the sentence for a request without an answer. The error's own text may hold a header, and is left out."""
    place = f"Label Studio at {connection.url}"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code in _UNTRUSTED:
                return (
                    f"{place} has a certificate that is not trusted here ({cause.verify_message}): set SSL_CERT_FILE, "
                    "for the backend and all workers, to a file with the certificate of who signed it"
                )
            change = f"{connection.variable} to a host that it names" if cause.verify_code in _OTHER_NAME else ""
            return f"{place} has a certificate that can't be used ({cause.verify_message.rstrip('.')}): " + (
                f"set {change}" if change else "renew it"
            )
        if isinstance(cause, ssl.SSLError):
            http = connection.url.replace("https://", "http://", 1)
            return f"{place} does not speak TLS: set {connection.variable} to {http} if it is served without"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) and connection.url.startswith("http://"):
        https = connection.url.replace("http://", "https://", 1)
        return f"{place} ends the connection unanswered: set {connection.variable} to {https} if it is served by TLS"
    return f"{place} does not answer ({type(error).__name__}): start it, or correct {connection.variable}"


def redirected(connection: Connection, path: str, location: str) -> str:
    """Return the sentence for a redirect of ``path``: no redirect is followed, since the token is for one origin."""
    place = values.without_password(urljoin(connection.url, location).partition("?")[0])
    base, found, _ = place.rpartition(path.rstrip("/"))
    if found and urlsplit(base).hostname:
        return f"Label Studio at {connection.url} redirects to {base}: set {connection.variable} to {base}"
    return (
        f"{connection.url} redirects to {place[:200]}, so it is no address of Label Studio's API: "
        f"set {connection.variable} to the address at which Label Studio opens in a browser"
    )


def strange(connection: Connection, answer: httpx.Response) -> str:
    """Return the sentence for an answer that is not of Label Studio's API: the path of the URL may be wrong."""
    path = urlsplit(connection.url).path.rstrip("/")
    advice = f"is the path {path} right?" if path else "is a path missing, such as /label-studio?"
    return f"{connection.url} is no Label Studio ({answer.status_code}, no JSON): check {connection.variable}; {advice}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
