"""Pictures of one colour."""

import io

from PIL import Image


def png(size: tuple[int, int] = (320, 240), colour: str = "red") -> bytes:
    """Return a PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()
