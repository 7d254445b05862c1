"""The pictures that pages show: fetched as the person who looks, made small, and kept in memory within a bound.

They are fetched by the guarded reader of ``labelstudio.images`` with the person's own token: what Label Studio does not
show to them is not shown here. They are kept in memory and not on disk, because they are customers' data, which must
not outlive their project or the process.
"""

import io
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from PIL import Image

from backend.pages.sessions import Session
from labelstudio.api import LabelStudioError
from labelstudio.decoding import ImageUnavailableError
from labelstudio.kept import Kept
from labelstudio.sites import PersonsReader, Sites
from labelstudio.tasks import ItemReference
from tagloom_base import clock

LONGEST = 4  # times as long as the wanted side is the longer side of a long picture, at most
QUALITY = 78
MOST_BYTES, MOST_PICTURES = 64_000_000, 10_000
AGAIN_S = 60.0  # seconds after which a picture that could not be had is tried again
MOST_READERS = 32  # people whose connections to Label Studio are kept


@dataclass(frozen=True)
class Shown:
    """A picture as it is sent (WEBP), or the reason for which there is none, until ``again_at``."""

    content: bytes = b""
    reason: str = ""
    again_at: float = 0.0


@dataclass
class Pictures:
    """The pictures of one backend, and the readers of the people who look at them. Threads may share it."""

    sites: Sites
    _kept: Kept[str, Shown] = field(default_factory=lambda: Kept(MOST_PICTURES, MOST_BYTES))
    _readers: OrderedDict[str, PersonsReader] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()

    def kept(self, name: str) -> Shown | None:
        """Return a picture, or why there is none, as it was found before; None where it has to be fetched."""
        shown = self._kept.get(name)
        return None if shown is None or (shown.reason and clock.monotonic() >= shown.again_at) else shown

    def fetched(self, name: str, person: Session, reference: ItemReference, side: int) -> Shown:
        """Fetch a picture and keep it, or the reason for which it cannot be had."""
        try:
            picture = self._reader(person).fetcher.fetch(reference)
            shown = Shown(reduced(picture.image, side))
        except (ImageUnavailableError, LabelStudioError) as error:
            shown = Shown(reason=str(error), again_at=clock.monotonic() + AGAIN_S)
        self._kept.put(name, shown, len(shown.content) + len(shown.reason))
        return shown

    def _reader(self, person: Session) -> PersonsReader:
        """Return the reader of the person who looks; each has one, since its connections take time to make."""
        with self._lock:
            reader = self._readers.pop(person.hash, None) or self.sites.reader(person.connection, person.token)
            self._readers[person.hash] = reader
            while len(self._readers) > MOST_READERS:
                # What it fetches at this moment fails, and is tried again when it is looked at again.
                self._readers.popitem(last=False)[1].close()
        return reader


def reduced(image: Image.Image, side: int) -> bytes:
    """Return a picture whose longer side has ``side`` pixels at most, as WEBP; a long one is longer (see LONGEST)."""
    short, long = sorted(image.size)
    scale = min(1.0, max(side / long, min(side / 3 / short, LONGEST * side / long)))
    width, height = (max(1, round(length * scale)) for length in image.size)
    target = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0).save(
        target, "WEBP", quality=QUALITY, method=2
    )
    return target.getvalue()
