"""Checks before anything is started. Each raises UserError with one line that says what to do."""

import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

from tagloom_base.errors import UserError

NEEDED_MB = 500


def require_disk(folder: Path, megabytes: int = NEEDED_MB) -> None:
    """Raise UserError when the disk of ``folder`` (which need not exist yet) is too full to work on."""
    existing = folder.resolve()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free // 2**20
    if free < megabytes:
        raise UserError(
            f"{folder} has {free} MB of free disk, {megabytes} MB are needed: free some or choose another folder"
        )


def require_writable(folder: Path) -> None:
    """Create the folder if it is missing. Raise UserError when that fails, or when files cannot be written there."""
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as refused:
        raise UserError(f"can't write into {folder} ({refused.strerror}): choose another folder") from refused


def require_free(port: int, host: str, variable: str) -> None:
    """Raise UserError when the port is in use. The message says to choose another one with ``variable``."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        # Connections in TIME_WAIT, of a server that has just ended, do not make the port unusable.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as taken:
            raise UserError(
                f"port {port} on {host} can't be used ({taken.strerror}): "
                f"stop what listens there, or choose another one with {variable}={port + 1}"
            ) from taken


def require_pictures(pictures: Iterable[Path]) -> None:
    """Raise UserError, which names the picture, for the first one that is missing, broken or cut off."""
    from PIL import Image, ImageFile

    # The backend's decoder, if this process has loaded it, makes Pillow accept pictures that are cut off.
    lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        for picture in pictures:
            try:
                with Image.open(picture) as image:
                    image.load()
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as broken:
                raise UserError(
                    f"the picture {picture} can't be read ({broken}): replace it or take its row out"
                ) from broken
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient
