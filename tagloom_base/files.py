"""Files and folders that appear whole or not at all: written beside their place, then renamed into it."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield the name of a file to write; it takes the place of ``path`` when the block ends.

    When the block raises, ``path`` stays as it was and nothing half-written is left. The folder is made when it is
    missing. Raises OSError when the disk refuses.
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
    """Yield an empty folder to fill with files; it becomes ``folder`` when the block ends, and is then on the disk.

    When the block raises, nothing is left. Raises FileExistsError if ``folder`` exists, OSError when the disk refuses.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield beside
        beside.chmod(0o755)
        # First what the files hold, then their names, then the folder's: a power cut leaves no folder with holes.
        for path in [*beside.iterdir(), beside]:
            _sync(path)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
