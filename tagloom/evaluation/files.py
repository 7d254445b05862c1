"""Find the picture file of an exported task: the export has addresses, and the files are in a folder."""

import os
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

Place = tuple[str, ...]

_PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|bmp|avif)(\?|$)", re.IGNORECASE)
# Label Studio puts eight digits in front of an uploaded file's name.
_MARKED = re.compile(r"[0-9a-f]{8}-(.+)")
# The end of Label Studio's own addresses that have the path in their query → the query's parameter.
_QUERIES = {"local-files": "d", "uploaded": "filepath"}


class MissingPictureError(ValueError):
    """Raised when no file below the folder is the picture of an address."""


def names_a_picture(value: object) -> bool:
    """Return whether this is the name or the address of a picture file."""
    return isinstance(value, str) and _PICTURE.search(value) is not None


class PictureFiles:
    """The pictures below a folder.

    A file matches an address by the end of its path: by its name, and by as many folders before it as possible. A file
    that was uploaded to Label Studio also matches by the name that it had before the upload.
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
        """Return the file of this address.

        Raises MissingPictureError when no file matches. Raises ValueError, which says what to do, when several files
        match, or when the file already belongs to another address.
        """
        place, shown = _place(address), address[:200]
        files = self._ending(place)
        uploaded = _MARKED.fullmatch(place[-1]) if "upload" in place[-3:-1] else None
        if not files and uploaded:
            files = self._ending((uploaded[1],))
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
        """Return the files that match the longest end of the place."""
        ends = (place[start:] for start in range(len(place)))
        return next((self._by_end[end] for end in ends if end in self._by_end), [])


def _place(address: str) -> Place:
    """Return the address as host or bucket, folders and name; empty for what is no address."""
    try:
        # Label Studio on Windows writes paths with backslashes.
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:
        # The text is no address, such as `http://[`.
        return ()
    query = _QUERIES.get(parts.path.rstrip("/").rpartition("/")[2], "")
    for inner in parse_qs(parts.query).get(query, ()):
        return tuple(filter(None, inner.replace("\\", "/").split("/")))
    return tuple(filter(None, (parts.netloc, *unquote(parts.path).replace("\\", "/").split("/"))))
