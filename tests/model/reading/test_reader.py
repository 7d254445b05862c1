"""The real reader on pictures with known text."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from model.items import Box, TextBlock
from model.reading.reader import Reader, Reading

WORDS = "SALE 299"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


def _picture(side: int, angle: float = 0) -> tuple[Image.Image, Box]:
    """Words a third from the left and a quarter from the top, and the box of what is drawn."""
    ink = Image.new("L", (side, side))
    font = ImageFont.load_default(side / 10)
    ImageDraw.Draw(ink).text((side * 0.3, side * 0.25), WORDS, 255, font)
    ink = ink.rotate(angle, Image.Resampling.BICUBIC)
    picture = Image.new("RGB", (side, side), "white")
    picture.paste((200, 20, 30), (0, 0), ink)
    left, top, right, bottom = ink.getbbox() or (0, 0, 0, 0)
    return picture, Box(left / side, top / side, right / side, bottom / side)


def _only(blocks: tuple[TextBlock, ...]) -> TextBlock:
    (block,) = blocks
    return block


@pytest.mark.parametrize("side", [320, 640, 1500])
def test_text_and_its_place_are_read_at_any_size(reader: Reader, side: int) -> None:
    picture, box = _picture(side)
    block = _only(reader.read([picture])[0].blocks)
    assert block.text.replace(" ", "") == WORDS.replace(" ", "")
    assert block.box.iou(box) > 0.5
    assert block.score > 0.8


def test_a_turned_line_gets_its_upright_bounding_box(reader: Reader) -> None:
    picture, box = _picture(640, angle=14)
    block = _only(reader.read([picture])[0].blocks)
    assert block.box.iou(box) > 0.5
    assert block.box.height > 0.15


def test_what_a_picture_says_does_not_depend_on_its_neighbours(reader: Reader) -> None:
    first, second = _picture(640)[0], _picture(500, angle=8)[0]
    assert reader.read([first, second]) == reader.read([first]) + reader.read([second])


LONG = [pytest.param(size, marks=pytest.mark.slow) for size in ((9, 200), (22, 640))]  # read in many pieces


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (640, 22), (4000, 150), (33, 3), *LONG])
def test_pictures_without_text_have_none_whatever_their_shape(reader: Reader, size: tuple[int, int]) -> None:
    assert reader.read([Image.new("RGB", size, (10, 200, 30))]) == [Reading(())]


def test_reading_is_silent(reader: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    reader.read([Image.new("RGB", (64, 64)), _picture(320)[0]])
    assert capfd.readouterr() == ("", "")


def test_no_pictures_start_no_reader() -> None:
    assert Reader(threads=1).read([]) == []
