"""Claims on pictures that are being read, so that backend and workers do not read the same new picture twice.

A claim is a file per item key on the disk that holds the features. Claims only save work: if a process dies or the file
system fails, the worst result is that a picture is read twice.
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

TTL_S = 60.0  # after this time a claim no longer counts
CLOCKS_S = 5.0  # how far the time of a file may be ahead of this machine's clock


class Claims:
    """One process's claims in ``folder``, which other processes share. Thread-safe.

    A key that one thread has claimed cannot be claimed by another thread of the same process either.
    """

    def __init__(self, folder: Path, ttl: float = TTL_S) -> None:
        self._folder = folder
        self._ttl = ttl
        self._has_warned = False
        self._node = os.uname().nodename
        self._own = f"{self._node} {os.getpid()} {uuid.uuid4().hex}"

    def take(self, key: str) -> bool:
        """Claim a key; return whether the caller is to read the picture.

        A claim that is too old, or whose process has died, is replaced. If the folder cannot be used, the result is
        True and the picture may be read twice.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._create(key) or self._take_over(key)
        except OSError as error:
            # Logged once, because the same error would come with every picture.
            if not self._has_warned:
                LOG.warning("pictures may be read twice: they cannot be claimed in %s (%s)", self._folder, error)
            self._has_warned = True
            return True

    def release(self, keys: Iterable[str]) -> None:
        """Remove this process's claims on these keys; claims of other processes stay."""
        for key in keys:
            path = self._folder / key
            # The file is missing if another process replaced the claim and has already removed it.
            with contextlib.suppress(OSError):
                if path.read_text() == self._own:
                    path.unlink()

    def _create(self, key: str) -> bool:
        """Create the file of a claim; return False if it exists already."""
        path = self._folder / key
        try:
            file = path.open("x")
        except FileExistsError:
            return False
        self._sign(path, file)
        return True

    def _take_over(self, key: str) -> bool:
        """Replace the claim of another reader if it is too old or its process has died; return whether it was."""
        path = self._folder / key
        try:
            if -CLOCKS_S <= time.time() - path.stat().st_mtime <= self._ttl:
                node, _, rest = path.read_text().partition(" ")
                # Only a process of this machine can be looked up.
                if node != self._node:
                    return False
                try:
                    # PermissionError means that the process is alive and belongs to another user.
                    with contextlib.suppress(PermissionError):
                        os.kill(int(rest.partition(" ")[0]), 0)
                    return False
                except ProcessLookupError:  # the process has died
                    pass
        except FileNotFoundError:  # the claim was removed in the meantime
            return self._create(key)
        ours = path.with_name(f"{key}.{uuid.uuid4().hex}")
        self._sign(ours, ours.open("x"))
        os.replace(ours, path)
        return True

    def _sign(self, path: Path, file: TextIO) -> None:
        """Write this process's name into the file of a claim.

        If that fails (the disk is full), the file is removed: other readers would wait for a claim without an owner.
        """
        try:
            with file:
                file.write(self._own)
        except OSError:
            path.unlink(missing_ok=True)
            raise
