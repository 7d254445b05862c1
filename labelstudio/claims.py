"""Who is reading which picture now, so that backend and workers do not read the same new one at once.

A claim is a file per item key on the disk that holds the features. It only saves work: where a claimer dies, or the
file system is in the way, the worst that happens is that a picture is read twice.
"""

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

LOG = logging.getLogger(__name__)

TTL_S = 60.0
CLOCKS_S = 5.0  # by which a file's time may be ahead of ours


class Claims:
    """One reader's claims in ``folder``. Threads and processes share the folder; each process has an object of its own.

    Between the threads of a process a claim counts too: what one has taken, the others do not get.
    """

    def __init__(self, folder: Path, ttl: float = TTL_S) -> None:
        self._folder = folder
        self._ttl = ttl
        self._told = False
        self._node = os.uname().nodename
        self._own = f"{self._node} {os.getpid()} {uuid.uuid4().hex}"

    def take(self, key: str) -> bool:
        """Whether the key is ours to read now. A claim whose process is gone, or that is too old, is taken over."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._create(key) or self._take_over(key)
        except OSError as error:
            if not self._told:  # once: it would come with every picture
                LOG.warning("pictures may be read twice: they cannot be claimed in %s (%s)", self._folder, error)
            self._told = True
            return True

    def release(self, keys: Iterable[str]) -> None:
        """Give claims back; those of others stay."""
        for key in keys:
            path = self._folder / key
            with contextlib.suppress(OSError):  # taken over by another, who has given it back
                if path.read_text() == self._own:
                    path.unlink()

    def _create(self, key: str) -> bool:
        path = self._folder / key
        try:
            file = path.open("x")
        except FileExistsError:
            return False
        self._sign(path, file)
        return True

    def _take_over(self, key: str) -> bool:
        path = self._folder / key
        try:
            if not self._is_stale(path):
                return False
        except FileNotFoundError:
            return self._create(key)  # given back just now
        ours = path.with_name(f"{key}.{uuid.uuid4().hex}")
        self._sign(ours, ours.open("x"))
        os.replace(ours, path)
        return True

    def _sign(self, path: Path, file: TextIO) -> None:
        """Write our name. Where the disk is full none stays without: it would be nobody's, and waited for."""
        try:
            with file:
                file.write(self._own)
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def _is_stale(self, path: Path) -> bool:
        if not -CLOCKS_S <= time.time() - path.stat().st_mtime <= self._ttl:
            return True
        node, _, rest = path.read_text().partition(" ")
        return node == self._node and not _is_alive(int(rest.partition(" ")[0]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
