"""The real reader on pictures with known text."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.items import Box, TextBlock
from model.reading import tiles
from model.reading.lines import TOO_LONG, TURNED, UNREADABLE
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


PAGE = ["NEW SEASON", "SALE 299", "FREE GIFT", "OFFICIAL STORE", "TWO YEARS", "BUY NOW"]


def _page(width: int, height: int) -> tuple[Image.Image, list[Box]]:
    """A page with a line every ``height / 6`` pixels, at different distances from the left."""
    page, boxes = Image.new("RGB", (width, height), "white"), []
    brush, font = ImageDraw.Draw(page), ImageFont.load_default(width / 12)
    for number, text in enumerate(PAGE):
        place = (width * (0.05 + 0.06 * number), height * (number + 0.4) / len(PAGE))
        brush.text(place, text, (200, 20, 30), font)
        left, top, right, bottom = brush.textbbox(place, text, font)
        boxes.append(Box(left / width, top / height, right / width, bottom / height))
    return page, boxes


@pytest.mark.parametrize("size", [(500, 1400), (600, 4000)])
def test_each_line_of_a_long_page_is_read_once_at_its_place(reader: Reader, size: tuple[int, int]) -> None:
    page, boxes = _page(*size)
    reading = reader.read([page])[0]
    assert [block.text.replace(" ", "") for block in reading.blocks] == [text.replace(" ", "") for text in PAGE]
    assert all(block.box.iou(box) > 0.5 for block, box in zip(reading.blocks, boxes, strict=True))
    assert reading.notes == ()


def test_a_line_longer_than_a_tile_of_a_banner_is_one_block(reader: Reader) -> None:
    banner = Image.new("RGB", (1800, 120), "white")
    brush, font, words = ImageDraw.Draw(banner), ImageFont.load_default(60), "WINTER COATS FROM 299 WITH A FREE SCARF"
    brush.text((80, 25), words, (20, 40, 120), font)
    block = _only(reader.read([banner])[0].blocks)
    assert block.text.replace(" ", "") == words.replace(" ", "")
    left, top, right, bottom = brush.textbbox((80, 25), words, font)
    assert block.box.iou(Box(left / 1800, top / 120, right / 1800, bottom / 120)) > 0.5


def test_of_a_page_that_is_too_long_the_beginning_is_read_and_the_rest_is_told(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "MOST", 2)
    page, boxes = _page(600, 4000)
    reading = reader.read([page])[0]
    assert reading.notes == (TOO_LONG,)
    assert [block.text.replace(" ", "") for block in reading.blocks] == ["NEWSEASON", "SALE299"]
    assert reading.blocks[1].box.iou(boxes[1]) > 0.5


@pytest.mark.parametrize("size", [(640, 640), (500, 1400)])
def test_text_upside_down_is_read_turned_where_it_stands(reader: Reader, size: tuple[int, int]) -> None:
    page, boxes = _page(*size)
    reading = reader.read([page.rotate(180)])[0]
    assert sorted(block.text.replace(" ", "") for block in reading.blocks) == sorted(
        text.replace(" ", "") for text in PAGE
    )
    turned = [Box(1 - box.right, 1 - box.bottom, 1 - box.left, 1 - box.top) for box in boxes]
    assert all(max(block.box.iou(box) for box in turned) > 0.5 for block in reading.blocks)
    assert reading.notes == (TURNED,)


def test_text_in_a_script_without_a_model_is_told(reader: Reader) -> None:
    # Cyrillic letters, which no font of these tests has, are as unreadable as mirrored ones.
    page = _page(640, 640)[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert reader.read([page])[0].notes == (UNREADABLE,)


@pytest.mark.parametrize("size", [(640, 640), (640, 1590), (1100, 450)])
def test_a_picture_of_ordinary_shape_is_read_as_rapidocr_reads_it(reader: Reader, size: tuple[int, int]) -> None:
    page, _ = _page(*size)
    page.thumbnail((640, 640), Image.Resampling.BICUBIC)
    result: Any = reader._engine(np.ascontiguousarray(np.asarray(page)[:, :, ::-1]))
    reading = reader.read([page])[0]
    assert [(block.text, block.score) for block in reading.blocks] == list(zip(result.txts, result.scores, strict=True))
    assert [block.box.top * page.height for block in reading.blocks] == pytest.approx(
        [corners[:, 1].min() for corners in result.boxes]
    )


LONG = [pytest.param(size, marks=pytest.mark.slow) for size in ((9, 200), (22, 640))]  # read in many pieces


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (640, 22), (4000, 150), (33, 3), *LONG])
def test_pictures_without_text_have_none_whatever_their_shape(reader: Reader, size: tuple[int, int]) -> None:
    assert reader.read([Image.new("RGB", size, (10, 200, 30))]) == [Reading(())]


def test_reading_is_silent(reader: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    reader.read([Image.new("RGB", (64, 64)), _picture(320)[0]])
    assert capfd.readouterr() == ("", "")


def test_no_pictures_start_no_reader() -> None:
    assert Reader(threads=1).read([]) == []
