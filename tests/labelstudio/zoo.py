"""Odd and bad picture files, made in code. In each good one the left half is red and the right half is blue."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

SIZE = (40, 20)
ORIENTATION = 0x0112


def two_halves(size: tuple[int, int] = SIZE) -> Image.Image:
    picture = Image.new("RGB", size, "blue")
    picture.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    return picture


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    """A JPEG that a camera stored turned, with the EXIF note to turn it back."""
    undo = {
        1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE], 8: [Image.Transpose.ROTATE_270],
    }  # fmt: skip
    picture = two_halves()
    for step in undo[orientation]:
        picture = picture.transpose(step)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(picture, "JPEG", exif=exif, quality=95)


def png_of(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG put together by hand, for forms that Pillow does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wide_rgb() -> bytes:
    row = b"\0" + b"\xff\xff\0\0\0\0" * 20 + b"\0\0\0\0\xff\xff" * 20
    return png_of(40, 20, 16, 2, row * 20)


def deep_grey() -> bytes:
    """Sixteen bits of grey: dark left, light right."""
    row = b"\0" + struct.pack(">H", 0x2000) * 20 + struct.pack(">H", 0xE000) * 20
    return png_of(40, 20, 16, 0, row * 20)


def animated(form: str) -> bytes:
    frames = [Image.new("RGB", SIZE, "green")] * 2
    return saved(two_halves(), form, save_all=True, append_images=frames, duration=100)


def see_through(form: str) -> bytes:
    picture = two_halves().convert("RGBA")
    picture.putalpha(Image.new("L", SIZE, 0))
    return saved(picture, form)


def palette(**options: object) -> bytes:
    return saved(two_halves().convert("P", palette=Image.Palette.ADAPTIVE), "PNG", **options)


def with_broken_exif() -> bytes:
    return saved(two_halves(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 40, quality=95)


def cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def bomb() -> bytes:
    """A few bytes that say they are a hundred million pixels."""
    return png_of(10_000, 10_000, 8, 0, b"")


def icon_of(picture: bytes) -> bytes:
    """An icon whose table says nothing of how large the picture in it is."""
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(picture), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + picture


JPEG = saved(two_halves((400, 200)), "JPEG", quality=95)
PNG = saved(two_halves(), "PNG")

# Red on the left and blue on the right, whatever the file's form.
GOOD: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: JPEG,
    "jpeg progressive": lambda: saved(two_halves(), "JPEG", progressive=True, quality=95),
    "jpeg cmyk": lambda: saved(two_halves().convert("CMYK"), "JPEG", quality=95),
    "jpeg with broken exif": with_broken_exif,
    "jpeg with bytes behind": lambda: JPEG + b"\0" * 1000,
    "jpeg subsampled": lambda: saved(two_halves((64, 32)), "JPEG", subsampling=2, quality=95),
    "jpeg with a profile": lambda: saved(two_halves(), "JPEG", icc_profile=b"no profile", quality=95),
    "mpo": lambda: saved(two_halves(), "MPO", quality=95),
    "png": lambda: PNG,
    "png palette": palette,
    "png palette with transparency": lambda: palette(transparency=255),
    "png palette with byte transparency": lambda: palette(transparency=b"\xff" * 10),
    "png sixteen bit colour": wide_rgb,
    "png with bytes behind": lambda: PNG + b"junk",
    "png rgba": lambda: saved(two_halves().convert("RGBA"), "PNG"),
    "webp": lambda: saved(two_halves(), "WEBP", quality=95),
    "webp lossless": lambda: saved(two_halves(), "WEBP", lossless=True),
    "webp animated": lambda: animated("WEBP"),
    "gif": lambda: saved(two_halves(), "GIF"),
    "gif animated": lambda: animated("GIF"),
    "bmp": lambda: saved(two_halves(), "BMP"),
    "avif": lambda: saved(two_halves((64, 32)), "AVIF", quality=95),
    "ico": lambda: saved(two_halves((32, 32)), "ICO", sizes=[(32, 32)]),
    **{f"jpeg turned by {number}": lambda number=number: turned(number) for number in range(1, 9)},  # type: ignore[misc]
}

# Read, but not red and blue: (content, colour at the left middle, colour at the right middle).
ODD: dict[str, tuple[Callable[[], bytes], tuple[int, int, int], tuple[int, int, int]]] = {
    "grey": (lambda: saved(two_halves().convert("L"), "PNG"), (76, 76, 76), (29, 29, 29)),
    "one bit": (lambda: saved(Image.new("1", SIZE, 1), "PNG"), (255, 255, 255), (255, 255, 255)),
    "sixteen bit grey": (deep_grey, (32, 32, 32), (223, 223, 223)),
    "see-through png": (lambda: see_through("PNG"), (255, 255, 255), (255, 255, 255)),
    "see-through webp": (lambda: see_through("WEBP"), (255, 255, 255), (255, 255, 255)),
    "grey with alpha": (lambda: saved(two_halves().convert("LA"), "PNG"), (76, 76, 76), (29, 29, 29)),
    "one pixel": (lambda: saved(Image.new("RGB", (1, 1), "red"), "PNG"), (255, 0, 0), (255, 0, 0)),
}

# Truncated files that still show something.
CUT: dict[str, Callable[[], bytes]] = {
    "jpeg cut in half": lambda: cut(JPEG, 0.5),
    "jpeg cut near its end": lambda: cut(JPEG, 0.95),
    "png cut": lambda: cut(saved(Image.effect_noise((64, 64), 50), "PNG"), 0.6),
    "gif cut": lambda: cut(saved(Image.effect_noise((64, 64), 50), "GIF"), 0.7),
}

BAD: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"this is not a picture",
    "html": lambda: b"<!DOCTYPE html><html><body>Log in</body></html>",
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
    "xml": lambda: b'<?xml version="1.0"?><svg/>',
    "json": lambda: b'{"detail": "no"}',
    "tiff": lambda: saved(two_halves(), "TIFF"),
    "pdf": lambda: b"%PDF-1.4 ...",
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "psd": lambda: b"8BPS\0\1" + b"\0" * 100,
    "ppm": lambda: saved(two_halves(), "PPM"),
    "only a png signature": lambda: PNG[:8],
    "png header alone": lambda: PNG[:33],
    "png with a bad checksum": lambda: PNG[:20] + b"\xff" + PNG[21:],
    "jpeg start alone": lambda: JPEG[:20],
    "webp start alone": lambda: b"RIFF\x10\0\0\0WEBPVP8 ",
    "gif start alone": lambda: b"GIF89a\x10\0",
    "no pixels": lambda: png_of(0, 0, 8, 2, b""),
    "noise": lambda: bytes((number * 7919 + 13) % 251 for number in range(5000)),
    "zeros": lambda: b"\0" * 5000,
    "bomb": bomb,
    "zip": lambda: b"PK\3\4" + b"\0" * 100,
}
