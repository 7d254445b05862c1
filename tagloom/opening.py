"""Read picture files as the backend does: upright, on white where they are transparent, up to the same size."""

from pathlib import Path

from PIL import Image

from labelstudio.decoding import ImageUnavailableError, Picture, decode, is_on_its_side
from tagloom.datasets.texts import content_of
from tagloom_base.groups import FIELDS

MAX_PIXELS: int = FIELDS["image_max_pixels"].default


def opened(picture: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Return the picture in RGB, reduced as for the encoders. Raises ValueError with the file and what is wrong."""
    try:
        return decode(content_of(picture), max_pixels)
    except ImageUnavailableError as unavailable:
        raise ValueError(f"{picture}: {unavailable}") from unavailable


def upright_size(picture: Path, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return width and height as Label Studio shows the picture. Raises ValueError, which names the file.

    Only the beginning of the file is read.
    """
    # Pillow has one limit per process.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, max_pixels)
    try:
        with Image.open(picture) as image:
            return (image.height, image.width) if is_on_its_side(image) else image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as large:
        raise ValueError(
            f"{picture}: the picture has more than {max_pixels:,} pixels: make it smaller or raise "
            "TAGLOOM_IMAGE_MAX_PIXELS"
        ) from large
    except Exception as broken:
        # Decoders raise anything on broken files.
        raise ValueError(f"{picture}: the picture cannot be read ({broken})") from broken
