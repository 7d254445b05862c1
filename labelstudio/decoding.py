"""Bytes of a picture → an upright RGB picture, as a browser shows it."""

import io

from PIL import Image, ImageFile, ImageOps

# What browsers show; other decoders of Pillow are never handed a stranger's bytes. JPEG includes multi-picture files.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "ICO")


class ImageUnavailableError(Exception):
    """A picture that cannot be had; the message names the reason. ``permanent``: trying again will not help."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


def decode(content: bytes, max_pixels: int) -> Image.Image:
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


def _load(content: bytes, max_pixels: int) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        if picture.width * picture.height > max_pixels:
            raise _too_large(max_pixels)
        picture.load()
        return _rgb(_upright(picture))


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # a broken EXIF block; the picture itself is fine
        return picture


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
