"""Checks before anything is started. Each raises UserError with one line that says what to do."""

import shutil
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
