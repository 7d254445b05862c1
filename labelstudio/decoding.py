"""Decode the bytes of a picture into an upright RGB picture, as a browser shows it, reduced to the size that is needed.

Memory is bounded. A decoder holds the whole picture; therefore all threads of the process share one memory budget for
decoders. The later steps (palette, transparency, 16 bits per channel, scaling) work on one piece at a time.
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

from model.items import is_long

# The formats that browsers show; untrusted bytes never reach Pillow's other decoders. JPEG covers multi-picture files.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "ICO")

KEPT_PIXELS = 2_000_000  # pixels of the reduced picture at most; its long side is over 700 px, the encoders use 640
KEPT_PIXELS_LONG = 4_000_000  # the same for a long picture, which is read in tiles
KEPT_SHORT_SIDE = 640  # px; a long picture's shorter side needs no more
KEPT_SIDE = 20_000  # px; the longest side of the reduced picture, which bounds pictures one pixel high too
PIECE_SIDE = 1000  # px; the side of the piece that is converted at once

# Grey levels on which a transparent picture may be laid, in order of preference.
GROUNDS = (255, 0, 128)
ALIKE = 40  # grey levels up to which a pixel cannot be told from its ground
SHOWN = 64  # the least opacity (of 255) of a pixel that counts
ON_DARK = "a transparent picture was laid on a dark ground: on white most of it would not be seen"

# Bytes per pixel at the decoder's peak, measured: WebP 20 and AVIF 12 (8 bits per channel), a progressive JPEG 12.
BYTES_A_PIXEL = {"WEBP": 20, "AVIF": 20}
OTHERS_BYTES_A_PIXEL = 12
BUDGET_BYTES = 800_000_000  # 40 million pixels of the worst format

_ICON = b"\0\0\1\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF orientations that swap width and height


class ImageUnavailableError(Exception):
    """A picture that cannot be fetched or decoded; the message names the reason.

    ``permanent``: a later attempt would fail for the same reason.
    """

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


@dataclass(frozen=True)
class Picture:
    """A reduced, upright RGB picture; ``size`` is the width and height of the upright picture before the reduction.

    ``notes`` say what of the file is not shown as usual.
    """

    image: Image.Image
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


class Budget:
    """A number of bytes that threads share. A thread waits until its share is free: first come, first served."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._turns: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def of(self, wanted: int) -> Iterator[None]:
        """Hold this many bytes inside the block; a request for more than the whole budget holds the whole budget."""
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
    """Return a picture's first frame, rotated upright by its EXIF data, on white where it is transparent.

    If white would hide most of what a transparent picture shows, it is laid on black or grey.

    A truncated file gives the part that it holds; the rest is grey or black, as in a browser. Raises
    ImageUnavailableError for pictures with more than ``max_pixels`` pixels and for bytes that are not a picture.
    """
    # Pillow has no setting per picture.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    # Pillow's own limit rises with the setting; otherwise Pillow would refuse a picture that the setting allows.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, max_pixels)
    try:
        return _load(content, max_pixels)
    except ImageUnavailableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(max_pixels) from error
    # Decoders raise many kinds of errors on broken files: SyntaxError, struct.error, EOFError, ...
    except Exception as error:
        start = content[:200].lstrip().lower()
        if not content:
            reason = "the file is empty"
        elif start.startswith((b"<!doctype html", b"<html")):
            reason = "a web page came instead of a picture (a login page?): check the URL and the token"
        elif start.startswith((b"<?xml", b"<svg")):
            reason = "SVG pictures cannot be read: use PNG, JPEG or WebP"
        else:
            reason = "the file is no picture that can be read (JPEG, PNG, WebP, GIF, BMP, AVIF)"
        raise ImageUnavailableError(reason, permanent=True) from error


def _load(content: bytes, max_pixels: int) -> Picture:
    """Check the picture's size before decoding, then decode, reduce and rotate the picture within the memory budget."""
    # Pillow decodes an icon as soon as it opens the file, so the size is read here. It is read from the picture that
    # Pillow chooses, because the icon's own table may name a smaller size.
    if content.startswith(_ICON):
        begin = IcoImagePlugin.IcoFile(io.BytesIO(content)).entry[0].offset
        head = content[begin : begin + 24]
        if head.startswith(_PNG):
            width, height = struct.unpack(">II", head[16:24])
        else:
            width, height = struct.unpack("<ii", head[4:12])
        formats, form, size = ["ICO"], "ICO", (abs(width), abs(height))
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
        # A JPEG is scaled down while it is decoded.
        picture.draft(None, (-(-size[0] // factor), -(-size[1] // factor)))
        picture.load()
        ground = _ground(picture)
        notes = () if ground == GROUNDS[0] else (ON_DARK,)
        reduced = _reduced(picture, ground)
        # Whole factors would leave some long pages half of the letters' height that is needed.
        scale = _scale(reduced.size) if is_long(size) else 1.0
        if scale < 1:
            facts, kept = reduced.info, (max(1, round(reduced.width * scale)), max(1, round(reduced.height * scale)))
            reduced = reduced.resize(kept, Image.Resampling.BOX)
            reduced.info = facts
        try:
            upright = ImageOps.exif_transpose(reduced)
        except Exception:  # a broken EXIF block; the picture itself is usable
            return Picture(reduced, size, notes)
        return Picture(upright, size[::-1] if is_on_its_side(reduced) else size, notes)


def _scale(size: tuple[int, int]) -> float:
    """Return the number by which both sides of a long picture are multiplied."""
    within = math.sqrt(KEPT_PIXELS_LONG / math.prod(size))
    return min(1.0, KEPT_SHORT_SIDE / min(size), KEPT_SIDE / max(size), within)


def _factor(size: tuple[int, int]) -> int:
    """Return the whole number by which both sides are divided."""
    if is_long(size):
        return max(1, math.floor(1 / _scale(size)))
    return max(1, math.ceil(math.sqrt(math.prod(size) / KEPT_PIXELS)), math.ceil(max(size) / KEPT_SIDE))


def _is_transparent(picture: Image.Image) -> bool:
    """Return whether the picture may have transparent pixels."""
    return picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info


def _pieces(picture: Image.Image, side: int) -> Iterator[tuple[int, int, Image.Image]]:
    """Go through a picture in squares of this side; give the left and top of each."""
    width, height = picture.size
    for left, top in itertools.product(range(0, width, side), range(0, height, side)):
        yield left, top, picture.crop((left, top, min(left + side, width), min(top + side, height)))


def _ground(picture: Image.Image) -> int:
    """Return the grey level on which a picture is laid: of GROUNDS the first if it hides no more than half of it."""
    if not _is_transparent(picture):
        return GROUNDS[0]
    levels = [0] * 256
    for _, _, piece in _pieces(picture, PIECE_SIDE):
        layer = piece.convert("RGBA")
        shown = layer.getchannel("A").point(lambda alpha: 255 * (alpha >= SHOWN))
        levels = [sum(pair) for pair in zip(levels, layer.convert("L").histogram(shown), strict=True)]
    hidden = {ground: sum(levels[max(0, ground - ALIKE) : ground + ALIKE + 1]) for ground in GROUNDS}
    white = GROUNDS[0]
    return white if 2 * hidden[white] <= sum(levels) else min(GROUNDS, key=lambda ground: hidden[ground])


def _reduced(picture: Image.Image, ground: int) -> Image.Image:
    """Return an RGB picture of fewer pixels, on this grey level, with the metadata of the given picture."""
    factor = _factor(picture.size)
    width, height = picture.size
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for left, top, piece in _pieces(picture, max(1, PIECE_SIDE // factor) * factor):
        # Sixteen bits per channel are scaled to eight, because Pillow's own conversion turns all values over 255 white.
        if piece.mode.startswith(("I", "F")):
            piece = piece.convert("F").point(lambda value: value * (255 / 65535)).convert("L")
        if _is_transparent(piece):
            layer = piece.convert("RGBA")
            piece = Image.alpha_composite(Image.new("RGBA", layer.size, (ground, ground, ground, 255)), layer)
        reduced.paste(piece.convert("RGB").reduce(factor), (left // factor, top // factor))
    reduced.info = picture.info
    return reduced


def is_on_its_side(picture: Image.Image) -> bool:
    """Return whether the EXIF orientation swaps the picture's width and height."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE
    except Exception:  # a broken EXIF block; the picture itself is usable
        return False


def _too_large(max_pixels: int) -> ImageUnavailableError:
    return ImageUnavailableError(
        f"the picture has more than {max_pixels:,} pixels: make it smaller or raise TAGLOOM_IMAGE_MAX_PIXELS",
        permanent=True,
    )
