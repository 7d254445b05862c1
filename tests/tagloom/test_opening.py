"""Pictures are measured as the backend sees them."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tagloom.opening import opened, upright_size
from tests.labelstudio import zoo


def test_a_turned_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert opened(tmp_path / "a.jpg").size == upright_size(tmp_path / "a.jpg") == (4, 8)


def test_a_transparent_picture_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 4), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert opened(tmp_path / "a.png").image.getpixel((0, 0)) == (255, 255, 255)


def test_faults_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    for name, said in (("empty.png", "the file is empty"), ("folder.png", "is a folder"), ("none.png", "is not there")):
        with pytest.raises(ValueError, match=rf"{name}.*{said}"):
            opened(tmp_path / name)
        with pytest.raises(ValueError, match=rf"{name}: the picture cannot be read"):
            upright_size(tmp_path / name)


def test_a_picture_of_196_million_pixels_names_the_limit_that_refused_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.png"
    head = struct.pack(">IIBBBBB", 14_000, 14_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89_478_485)
    for read in (opened, upright_size):
        with pytest.raises(ValueError, match=r"large\.png: .*more than 40,000,000 pixels: .*TAGLOOM_IMAGE_MAX_PIXELS"):
            read(path)
    assert upright_size(path, 200_000_000) == (14_000, 14_000)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_the_zoo_is_read_as_the_backend_reads_it(tmp_path: Path) -> None:
    for name, made in zoo.GOOD.items():
        (tmp_path / name).write_bytes(made())
        picture = opened(tmp_path / name)
        assert picture.size == upright_size(tmp_path / name)
        assert picture.size[0] >= picture.size[1]
