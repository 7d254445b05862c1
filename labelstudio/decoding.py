"""Bytes of a picture → an upright RGB picture, as a browser shows it, and no larger than anything looks at.

Memory is bounded. A decoder holds the whole picture, so that all threads of the process share one budget for it. What
comes after it (palette, transparency, 16 bits, scale) is done piece by piece.
"""

import io
import itertools
import math
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import ExifTags, IcoImagePlugin, Image, ImageFile, ImageOps

# What browsers show; other decoders of Pillow are never handed a stranger's bytes. JPEG includes multi-picture files.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "ICO")

KEPT_PIXELS = 2_000_000  # of the reduced picture; its long side is over 700 px, the reader looks at 640
KEPT_SIDE = 10_000  # px, its longest; so that a strip a pixel high is bounded too
PIECE_SIDE = 1000  # px of the whole picture that are converted at once

# Bytes a pixel at the decoder's peak, measured: WebP 20 and AVIF 12 (8 bits a channel), a progressive JPEG 12.
BYTES_A_PIXEL = {"WEBP": 20, "AVIF": 20}
OTHERS_BYTES_A_PIXEL = 12
BUDGET_BYTES = 800_000_000  # 40 million pixels of the worst format

_ICON = b"\0\0\1\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF orientations that swap width and height


class ImageUnavailableError(Exception):
    """A picture that cannot be had; the message names the reason. ``permanent``: trying again will not help."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


@dataclass(frozen=True)
class Picture:
    """An upright RGB picture, reduced; ``size`` is the whole upright picture's width and height."""

    image: Image.Image
    size: tuple[int, int]


class Budget:
    """Bytes that threads share. Who wants some waits until they are free: first come, first served."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._turns: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def of(self, wanted: int) -> Iterator[None]:
        """Hold so many bytes; who wants more than there are holds all of them, alone."""
        share, turn = min(wanted, self._most), object()
        with self._changed:
            self._turns.append(turn)
            self._changed.wait_for(lambda: self._turns[0] is turn and self._taken + share <= self._most)
            self._turns.popleft()
            self._taken += share
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= share
                self._changed.notify_all()


_BUDGET = Budget(BUDGET_BYTES)


def decode(content: bytes, max_pixels: int) -> Picture:
    """First frame, turned upright by EXIF, on white where transparent. Raises ImageUnavailableError.

    Of a truncated file whatever is there is shown, the rest stays grey or black, as in a browser.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # Pillow has no setting per picture
    # Pillow's own limit is raised with ours, or it would refuse a picture that the setting allows.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, max_pixels)
    try:
        return _load(content, max_pixels)
    except ImageUnavailableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(max_pixels) from error
    except Exception as error:  # decoders raise anything on broken files: SyntaxError, struct.error, EOFError, ...
        raise ImageUnavailableError(_what(content), permanent=True) from error


def _load(content: bytes, max_pixels: int) -> Picture:
    if content.startswith(_ICON):  # Pillow decodes an icon as soon as it opens it
        formats, form, size = ["ICO"], "ICO", _icon_size(content)
    else:
        formats = [name for name in FORMATS if name != "ICO"]
        with Image.open(io.BytesIO(content), formats=formats) as opened:
            form, size = str(opened.format), opened.size
    if math.prod(size) > max_pixels:
        raise _too_large(max_pixels)
    with (
        _BUDGET.of(math.prod(size) * BYTES_A_PIXEL.get(form, OTHERS_BYTES_A_PIXEL)),
        Image.open(io.BytesIO(content), formats=formats) as picture,
    ):
        factor = _factor(size)
        picture.draft(None, (-(-size[0] // factor), -(-size[1] // factor)))  # a JPEG is scaled while it is decoded
        picture.load()
        return _upright(_reduced(picture), size)


def _icon_size(content: bytes) -> tuple[int, int]:
    """Width and height of the picture that Pillow takes of an icon; the icon's own table may say less of it."""
    start = IcoImagePlugin.IcoFile(io.BytesIO(content)).entry[0].offset
    head = content[start : start + 24]
    if head.startswith(_PNG):
        width, height = struct.unpack(">II", head[16:24])
    else:
        width, height = struct.unpack("<ii", head[4:12])
    return abs(width), abs(height)


def _factor(size: tuple[int, int]) -> int:
    """By how much both sides are divided."""
    return max(1, math.ceil(math.sqrt(math.prod(size) / KEPT_PIXELS)), math.ceil(max(size) / KEPT_SIDE))


def _reduced(picture: Image.Image) -> Image.Image:
    """An RGB picture of at most KEPT_PIXELS, with what is known of the given one."""
    factor = _factor(picture.size)
    width, height = picture.size
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    side = max(1, PIECE_SIDE // factor) * factor
    for left, top in itertools.product(range(0, width, side), range(0, height, side)):
        piece = _rgb(picture.crop((left, top, min(left + side, width), min(top + side, height))))
        reduced.paste(piece.reduce(factor), (left // factor, top // factor))
    reduced.info = picture.info
    return reduced


def _upright(picture: Image.Image, size: tuple[int, int]) -> Picture:
    try:
        upright = ImageOps.exif_transpose(picture)
    except Exception:  # a broken EXIF block; the picture itself is fine
        return Picture(picture, size)
    return Picture(upright, size[::-1] if is_on_its_side(picture) else size)


def is_on_its_side(picture: Image.Image) -> bool:
    """Whether EXIF says that width and height change places."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE
    except Exception:  # a broken EXIF block; the picture itself is fine
        return False


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bit(picture)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return picture.convert("RGB")


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Sixteen bits a channel to eight: Pillow's own conversion cuts all values over 255 to white."""
    wide = picture.convert("F")
    return wide.point(lambda value: value * (255 / 65535)).convert("L")


def _too_large(max_pixels: int) -> ImageUnavailableError:
    return ImageUnavailableError(
        f"the picture has more than {max_pixels:,} pixels: make it smaller or raise TAGLOOM_IMAGE_MAX_PIXELS",
        permanent=True,
    )


def _what(content: bytes) -> str:
    """A guess at what was sent instead of a picture, in words for the operator."""
    start = content[:200].lstrip().lower()
    if not content:
        return "the file is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page came instead of a picture (a login page?): check the URL and the token"
    if start.startswith((b"<?xml", b"<svg")):
        return "SVG pictures cannot be read: use PNG, JPEG or WebP"
    return "the file is no picture that can be read (JPEG, PNG, WebP, GIF, BMP, AVIF)"
