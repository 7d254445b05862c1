"""Write files and folders that appear complete or not at all: written under another name, then renamed."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield the name of a file to write; it replaces ``path`` when the block ends.

    When the block raises, ``path`` remains as it was and no incomplete file is left. A missing folder is created.
    Raises OSError when the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill with files; it becomes ``folder`` when the block ends, synced to the disk.

    When the block raises, nothing is left. Raises FileExistsError if ``folder`` exists, and OSError when it cannot be
    written.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield beside
        beside.chmod(0o755)
        # First the files' contents, then their names, then the folder's name: after a power cut no folder lacks files.
        for path in [*beside.iterdir(), beside]:
            _sync(path)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    _sync(folder.parent)


def _sync(path: Path) -> None:
    """Wait until the file, or the names in the folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
