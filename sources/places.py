"""Where sources lie: files of the operator's folder, and entry points of installed packages.

Files are listed and entry points are looked up here, but nothing is imported: only a child process does that
(``sources.child``).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

GROUP = "tagloom.sources"
"""The group of entry points. One names a source, a class of sources, or a module of them."""


@dataclass(frozen=True)
class Place:
    """One file, or one entry point ``module:object``, from which sources are loaded.

    ``digest`` stands for the version of sources that name none. ``shown`` is what the log calls the place.
    """

    shown: str
    file: Path | None = None
    entry: str = ""
    digest: str = ""


def places(folder: Path | None) -> list[Place]:
    """Return all places: entry points by name, then the files of the folder by name; ``_helpers.py`` is no place."""
    installed = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return [*map(_of_entry, installed), *(_files(folder) if folder else ())]


def _files(folder: Path) -> Sequence[Place]:
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
    return [
        Place(file.name, file=file.resolve(), digest=hashlib.sha256(file.read_bytes()).hexdigest()[:8])
        for file in files
    ]


def _of_entry(entry: EntryPoint) -> Place:
    release = entry.dist.version if entry.dist else ""
    return Place(f"{entry.name} ({entry.value})", entry=entry.value, digest=release)
