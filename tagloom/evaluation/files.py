"""Which file is the picture of an exported task: the export has addresses, the files lie in a folder."""

import os
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

Place = tuple[str, ...]

_PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|bmp|avif)(\?|$)", re.IGNORECASE)
_MARKED = re.compile(r"[0-9a-f]{8}-(.+)")  # what Label Studio makes of an uploaded file's name
_QUERIES = {"local-files": "d", "uploaded": "filepath"}
"""The addresses of Label Studio's own that hold the path in their query."""


class MissingPictureError(ValueError):
    """No file below the folder is the picture of an address."""


def names_a_picture(value: object) -> bool:
    """Whether this is the name or the address of a picture file."""
    return isinstance(value, str) and _PICTURE.search(value) is not None


class PictureFiles:
    """The pictures below a folder. A file is found by the end of its path: by as many parts as any has in common with
    the address, at least by its name. An uploaded file may have the name that it had before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_end: dict[Place, list[Path]] = {}
        self._taken: dict[Path, tuple[Place, str]] = {}
        for path in sorted(folder.rglob("*")):
            parts = path.absolute().parts if names_a_picture(path.name) and os.path.isfile(path) else ()
            for start in range(len(parts)):
                self._by_end.setdefault(parts[start:], []).append(path)

    def of(self, address: str) -> Path:
        """The file of this address.

        Raises MissingPictureError where there is none, and ValueError saying what to do where it may be one or another,
        or where it is the file of another address already.
        """
        place, shown = _place(address), address[:200]
        files = self._ending(place) or self._ending(_before_upload(place))
        if not files:
            raise MissingPictureError(f"picture {shown} is in no folder below {self.folder}")
        remedy = f"put each below {self.folder} at the path that its address has, such as {'/'.join(place)}"
        if len(files) > 1:
            raise ValueError(f"picture {shown} may be {files[0]} or {files[1]}: leave one of them there, or {remedy}")
        known, other = self._taken.setdefault(files[0], (place, shown))
        if known != place:
            raise ValueError(f"pictures {other} and {shown} would both be {files[0]}: {remedy}")
        return files[0]

    def _ending(self, place: Place) -> list[Path]:
        ends = (place[start:] for start in range(len(place)))
        return next((self._by_end[end] for end in ends if end in self._by_end), [])


def _place(address: str) -> Place:
    """Host or bucket, folders and name. Label Studio on Windows writes a path with backslashes."""
    try:
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:  # no address at all, such as `http://[`
        return ()
    query = _QUERIES.get(parts.path.rstrip("/").rpartition("/")[2], "")
    for inner in parse_qs(parts.query).get(query, ()):
        return tuple(filter(None, inner.replace("\\", "/").split("/")))
    return tuple(filter(None, (parts.netloc, *unquote(parts.path).replace("\\", "/").split("/"))))


def _before_upload(place: Place) -> Place:
    """The name alone, without the mark; nothing where the file was not uploaded."""
    marked = _MARKED.fullmatch(place[-1]) if "upload" in place[-3:-1] else None
    return (marked[1],) if marked else ()
