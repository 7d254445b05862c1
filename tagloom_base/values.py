"""Checks of the values of settings. Each returns the value to use, or raises ValueError that says what is expected."""

import re
import string
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit

# White space of all scripts, Windows' line ends, and invisible characters.
_AROUND = string.whitespace + "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\u200b\u200c\u200d\u2060\ufeff"
_COMMAS = re.compile("[,，、\n]")
_PRINTABLE = re.compile(r"[!-~]+")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_HOSTS = re.compile(r"(?:[A-Za-z0-9_*-]{1,63}\.)*[A-Za-z0-9_*-]{1,63}")
_URL_SECRET = re.compile(r"[A-Za-z0-9_-]{16,}")
_QUEUE = re.compile(r"[^\s,，]+")
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_USER_PART = re.compile(r"(\w+://)[^\s/?#]*@")
_QUERY = re.compile(r"(\w+:/[^\s?#]*)\?\S*")
_SECRET_WORDS = ("pass", "secret", "token")


def trimmed(text: str) -> str:
    """Return the text without white space, line ends and invisible characters around it."""
    return text.strip(_AROUND)


def parts(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas, also full-width ones. ValueError for a list in brackets."""
    if text.startswith("["):
        raise ValueError("should be a list by commas, without brackets")
    return tuple(part for part in map(trimmed, _COMMAS.split(text)) if part)


def unquoted(text: str) -> str:
    """Refuse quotes around a value: Docker's --env-file and similar files make them part of the value."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ValueError("should not stand in quotes")
    return text


def web_url(text: str) -> str:
    """Check the base URL of a Label Studio."""
    example = "such as http://127.0.0.1:8080"
    if not _PRINTABLE.fullmatch(text) or "\\" in text:
        raise ValueError(f"should be a URL of ASCII characters without blanks, {example}")
    parts = _split(text, example)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"should begin with http:// or https://, {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"should hold no user and no password, {example}")
    if not _is_host(parts.hostname or ""):
        raise ValueError(f"should name a host, {example}")
    if "?" in text or "#" in text:
        raise ValueError(f"should end before its ? or #, {example}")
    return text


def api_url(text: str) -> str:
    """Check the base URL of an OpenAI-compatible API, which ends before /chat/completions."""
    text = web_url(text).rstrip("/")
    if text.endswith("/chat/completions"):
        raise ValueError("should end before /chat/completions, such as http://127.0.0.1:11434/v1")
    return text


def redis_url(text: str) -> str:
    """Check the address of a Redis or Valkey server."""
    # Most processes keep the default address and need not load redis.
    from redis import ConnectionPool

    example = "redis://:password@127.0.0.1:6379/0, where / ? # @ of the password are written as %2F %3F %23 %40"
    parts = _split(text, f"such as {example}")
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"should begin with redis://, rediss:// or unix://, such as {example}")
    is_server = parts.scheme != "unix"
    if parts.fragment or (is_server and not (parts.hostname and re.fullmatch(r"(/\d*)?", parts.path))):
        raise ValueError(f"should be such as {example}")
    try:
        # This checks the options and opens no connection.
        ConnectionPool.from_url(text).make_connection()
    except (ValueError, TypeError, OSError) as unknown:
        raise ValueError("should only have options that redis-py knows, such as ?db=1") from unknown
    return text


def database_url(text: str) -> str:
    """Check SQLAlchemy's address of the database."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    example = "sqlite:////folder/tagloom.db or postgresql://user:password@host/tagloom"
    if not text.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError(f"should be such as {example}")
    if text.startswith("sqlite:///~"):
        raise ValueError("should name the folder in full: ~ is not known here")
    try:
        make_url(text)
    except (ArgumentError, ValueError) as wrong:
        raise ValueError(f"should be such as {example}, where / ? # @ of the password are written as %2F …") from wrong
    return text


def listen_host(text: str) -> str:
    """Check a host or address to listen on."""
    if not _is_host(text):
        raise ValueError("should be a host alone, without scheme and port, such as 127.0.0.1 or 0.0.0.0")
    return text


def host_pattern(text: str) -> str:
    """Check a host that pictures may come from; it may contain ``*``."""
    if _HOSTS.fullmatch(text) or _is_address(text):
        return text
    # What stands between the scheme and the port or the path may be the host that is meant.
    meant = re.sub(r"^\w+://|[:/?#].*$", "", text.rpartition("@")[2])
    example = meant if _HOSTS.fullmatch(meant) else "img.example.com,*.cdn.example.com"
    raise ValueError(f"should be hosts alone, by commas, without scheme, port and path, such as {example}")


def path(value: Path) -> Path:
    """Return the path with ``~`` replaced by the home folder."""
    try:
        return value.expanduser()
    except RuntimeError as nobody:
        raise ValueError("should be written without ~: there is no such user here") from nobody


def home(value: Path) -> Path:
    """Check a folder that exists or can be created."""
    value = path(value)
    if value.exists() and not value.is_dir():
        raise ValueError("should be a folder; a file has this name")
    return value


def folder(value: Path) -> Path:
    """Check a folder that must exist."""
    value = path(value)
    if not value.is_dir():
        raise ValueError("should be folders that are there, by commas; make them, or mount them into the container")
    return value


def one_folder(value: Path) -> Path:
    """Check one folder that must exist."""
    value = path(value)
    if not value.is_dir():
        raise ValueError("should be a folder that is there; make it, or mount it into the container")
    return value


def file(value: Path) -> Path:
    """Check a file that must exist."""
    value = path(value)
    if not value.is_file():
        raise ValueError(f"{value} is no file: name one that is there")
    return value


def queue(text: str) -> str:
    """Check the name of an RQ queue."""
    if not _QUEUE.fullmatch(text):
        raise ValueError("should be one name, without blanks and commas")
    return text


def device(text: str) -> str:
    """Check the device of PyTorch."""
    if not _DEVICE.fullmatch(text):
        raise ValueError("should be cpu, cuda or cuda:1 (with the GPU's number)")
    return text


def user(text: str) -> str:
    """Check the user name of Basic auth."""
    if ":" in text:
        raise ValueError("should hold no colon: Basic auth ends the name there")
    return text


def token(text: str) -> str:
    """Check a token for an HTTP header: one word."""
    if text and not _PRINTABLE.fullmatch(text):
        raise ValueError("should be the token alone: printable ASCII characters without blanks, nothing before it")
    return text


def url_secret(text: str) -> str:
    """Check a secret for the first part of the URL."""
    if not _URL_SECRET.fullmatch(text):
        raise ValueError(
            "should be 16 or more letters, digits, - and _: make one with "
            "`python -c 'import secrets; print(secrets.token_urlsafe(24))'`"
        )
    return text


def without_password(url: str) -> str:
    """Return the URL without user, password and options, so that it may be shown."""
    return _QUERY.sub(r"\1?***", _USER_PART.sub(r"\1***@", url))


def passwords_in(url: str) -> tuple[str, ...]:
    """Return the secrets in a URL, both percent-encoded and decoded."""
    user_part, found, _ = urlsplit(url).netloc.rpartition("@")
    options = [option.partition("=") for option in urlsplit(url).query.split("&")]
    held = [user_part.partition(":")[2] or user_part] if found else []
    held += [value for name, _, value in options if any(word in name.lower() for word in _SECRET_WORDS)]
    return tuple(dict.fromkeys([*held, *map(unquote, held), *map(unquote_plus, held)]))


def _split(text: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is no number
    except ValueError as wrong:
        raise ValueError(f"should be a URL, {example}") from wrong
    return parts


def _is_host(text: str) -> bool:
    return _is_address(text) or (len(text) <= 253 and _HOST.fullmatch(text) is not None)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
