"""Type: the Chinese and Latin fonts of this machine, and lines of text as transparent pictures."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tools.samples.ink import Rgb

_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts")
_CHINESE = {
    "black": ("NotoSansCJK-Black.ttc", 2),
    "bold": ("NotoSansCJK-Bold.ttc", 2),
    "medium": ("NotoSansCJK-Medium.ttc", 2),
    "light": ("NotoSansCJK-Light.ttc", 2),
    "song": ("NotoSerifCJK-Bold.ttc", 2),
    "songheavy": ("NotoSerifCJK-Black.ttc", 2),
    "kai": ("ukai.ttc", 0),
    "hei": ("wqy-zenhei.ttc", 0),
    "micro": ("wqy-microhei.ttc", 0),
}
_LATIN = {
    "lato": "Lato-Black.ttf",
    "latolight": "Lato-Light.ttf",
    "italic": "Lato-BlackItalic.ttf",
    "roboto": "Roboto-Bold.ttf",
    "condensed": "RobotoCondensed-Bold.ttf",
    "slanted": "RobotoCondensed-BoldItalic.ttf",
    "serif": "DejaVuSerif-Bold.ttf",
    "times": "LiberationSerif-Bold.ttf",
}
MISSING = (
    "no Chinese font found: apt-get install fonts-noto-cjk fonts-noto-cjk-extra fonts-wqy-zenhei "
    "fonts-wqy-microhei fonts-arphic-ukai fonts-lato fonts-roboto-unhinted"
)

CHINESE = tuple(_CHINESE)
LATIN = tuple(_LATIN)


class FontsMissingError(RuntimeError):
    """This machine has no font with Chinese characters."""


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    """Font files by name: from fontconfig where it is there, else from the usual folders."""
    if shutil.which("fc-list"):
        listed = subprocess.run(
            ["fc-list", "--format", "%{file}\n"], capture_output=True, text=True, check=False
        ).stdout
        return {Path(line).name: Path(line) for line in sorted(listed.splitlines())}
    return {path.name: path for folder in _FOLDERS for path in sorted(Path(folder).rglob("*.tt[cf]"))}


def require_fonts() -> None:
    """Say in one line what to install when nothing here has Chinese characters."""
    if not any(name in _files() for name, _ in _CHINESE.values()):
        raise FontsMissingError(MISSING)


@lru_cache(maxsize=512)
def font(style: str, size: int) -> ImageFont.FreeTypeFont:
    """The named style at that size; the nearest one that this machine has."""
    files = _files()
    if style in _LATIN and _LATIN[style] in files:
        return ImageFont.truetype(files[_LATIN[style]], size)
    wanted = [_CHINESE[style]] if style in _CHINESE else []
    for name, index in (*wanted, *_CHINESE.values()):
        if name in files:
            return ImageFont.truetype(files[name], size, index=index)
    raise FontsMissingError(MISSING)


def width(text: str, style: str, size: int) -> float:
    return font(style, size).getlength(text)


def line(
    text: str,
    style: str,
    size: int,
    colour: Rgb,
    outline: Rgb | None = None,
    spacing: float = 0,
) -> Image.Image:
    """One line of text, cut close, as a transparent picture."""
    face = font(style, max(6, size))
    edge = max(1, size // 12) if outline else 0
    advance = [face.getlength(sign) + spacing * size for sign in text] if spacing else [face.getlength(text)]
    room = Image.new(
        "RGBA", (int(sum(advance)) + size + 2 * edge, int(size * 1.7) + 2 * edge), (*(outline or colour), 0)
    )
    brush, x = ImageDraw.Draw(room), size * 0.3 + edge
    for part, step in zip(text if spacing else [text], advance, strict=True):
        brush.text(
            (x, edge + size * 0.1),
            part,
            font=face,
            fill=(*colour, 255),
            stroke_width=edge,
            stroke_fill=(*outline, 255) if outline else None,
        )
        x += step
    return room.crop(room.getchannel("A").getbbox() or (0, 0, 1, 1))


def column(text: str, style: str, size: int, colour: Rgb) -> Image.Image:
    """Vertical type: one character below the other."""
    step = round(size * 1.12)
    room = Image.new("RGBA", (size + 8, step * len(text) + size), (*colour, 0))
    brush, face = ImageDraw.Draw(room), font(style, size)
    for row, sign in enumerate(text):
        brush.text((4 + size / 2, row * step), sign, font=face, fill=(*colour, 255), anchor="ma")
    return room.crop(room.getchannel("A").getbbox() or (0, 0, 1, 1))


def shadowed(picture: Image.Image, shift: int, colour: Rgb = (0, 0, 0), strength: float = 0.5) -> Image.Image:
    """The picture over its own soft shadow."""
    pad = shift * 2
    room = Image.new("RGBA", (picture.width + 2 * pad, picture.height + 2 * pad), (*colour, 0))
    dark = Image.new("L", room.size, 0)
    dark.paste(picture.getchannel("A").point(lambda v: int(v * strength)), (pad + shift, pad + shift))
    room.paste(colour, (0, 0), dark.filter(ImageFilter.BoxBlur(shift)))
    room.putalpha(dark.filter(ImageFilter.BoxBlur(shift)))
    room.alpha_composite(picture, (pad, pad))
    return room
