"""The real reader on pictures with known text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidocr import EngineType, RapidOCR

from model.items import Box, TextBlock
from model.reading import tiles
from model.reading.lines import TOO_LONG, TURNED, UNREADABLE
from model.reading.looking import Found, Looker
from model.reading.reader import AT_A_TIME, Reader, Reading, parts_of
from model.reading.recognition import BATCHES, HEIGHT

SAMPLES = Path(__file__).parents[3] / "samples/data/images"
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


def test_what_a_picture_says_does_not_depend_on_its_neighbours(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.reading.reader.AT_A_TIME", 3)
    pictures = [
        _picture(640)[0],
        Image.new("RGB", (1, 1)),
        _picture(500, angle=8)[0],
        _page(500, 1400)[0],
        Image.new("RGB", (3000, 2)),
        _page(640, 640)[0].rotate(180),
        _picture(4000)[0],
        _picture(200)[0],
    ]
    single = [reader.read([picture])[0] for picture in pictures]
    for several in (reader, Reader(threads=2)):
        together = several.read(pictures)
        assert [[block.text for block in one.blocks] for one in together] == [
            [block.text for block in one.blocks] for one in single
        ]
        assert [one.notes for one in together] == [one.notes for one in single]
        for one, other in zip(together, single, strict=True):
            assert all(a.box.iou(b.box) > 0.99 for a, b in zip(one.blocks, other.blocks, strict=True))
    assert single[1] == single[4] == Reading(())


def test_few_pictures_are_looked_at_together_and_a_long_one_by_itself() -> None:
    usual, long = Image.new("RGB", (100, 100)), Image.new("RGB", (100, 900))
    images = [usual, long, *[usual] * (AT_A_TIME + 1), long, long, usual]
    parts = list(parts_of(images))
    assert [len(part) for part in parts] == [1, 1, AT_A_TIME, 1, 1, 1, 1]
    assert [image for part in parts for image in part] == images
    assert list(parts_of([])) == []


def test_the_memory_of_many_pictures_is_that_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, looked_at = Reader(threads=1), list[int]()
    found = Looker.found

    def counted(self: Looker, images: list[Image.Image]) -> list[Found]:
        looked_at.append(len(images))
        return found(self, images)

    monkeypatch.setattr(Looker, "found", counted)
    assert reader.read([Image.new("RGB", (1, 1))] * 40) == [Reading(())] * 40
    assert max(looked_at) == AT_A_TIME


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


@pytest.fixture(scope="module")
def plain() -> Any:
    """rapidocr itself, with OpenVINO: a picture and a line at a time, with its softmax, in networks of any shape.

    Only the widths are ours.
    """
    stages = ("Det", "Cls", "Rec")
    settings: dict[str, Any] = {"Global.log_level": "critical", "Global.use_cls": False}
    engine: Any = RapidOCR(params=settings | {f"{stage}.engine_type": EngineType.OPENVINO for stage in stages})
    engine.cfg.Rec.rec_batch_num = 1
    recognizer: Any = engine._load_rec_model()
    inner = recognizer.resize_norm_img

    def padded(line: np.ndarray[Any, Any], ratio: float) -> np.ndarray[Any, Any]:
        width = next((width for width in BATCHES if HEIGHT * ratio <= width), max(BATCHES))
        line_3HW: np.ndarray[Any, Any] = inner(line, width / HEIGHT)
        return line_3HW

    recognizer.resize_norm_img = padded
    return engine


def _as_rapidocr(plain: Any, picture: Image.Image) -> list[TextBlock]:
    answer = plain(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))
    if answer.boxes is None:
        return []
    width, height = picture.size
    blocks = []
    for corners, text, score in zip(answer.boxes, answer.txts, answer.scores, strict=True):
        edges = [*(corners.min(0) / (width, height)), *(corners.max(0) / (width, height))]
        blocks.append(TextBlock(Box(*np.clip(edges, 0, 1).tolist()), text, score))
    return blocks


@pytest.mark.parametrize("size", [(640, 640), (640, 1590), (1100, 450), (400, 400), (20, 30)])
def test_a_picture_of_ordinary_shape_is_read_as_rapidocr_reads_it(
    reader: Reader, plain: Any, size: tuple[int, int]
) -> None:
    page, _ = _page(*size)
    page.thumbnail((640, 640), Image.Resampling.BICUBIC)
    expected = _as_rapidocr(plain, page) if min(size) > 100 else []
    found = reader.read([page])[0].blocks
    assert [block.text for block in found] == [block.text for block in expected]
    assert [block.score for block in found] == pytest.approx([block.score for block in expected], abs=1e-3)
    assert all(one.box.iou(other.box) > 0.99 for one, other in zip(found, expected, strict=True))


def test_the_samples_are_read_as_rapidocr_reads_them(plain: Any) -> None:
    pictures = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*-1.webp"))[:100:10]]
    expected = [_as_rapidocr(plain, picture) for picture in pictures]
    found = [reading.blocks for reading in Reader(threads=2).read(pictures)]
    same = sum(
        any(block.text == other.text and block.box.iou(other.box) > 0.95 for other in others)
        for blocks, others in zip(found, expected, strict=True)
        for block in blocks
    )
    assert sum(map(len, expected)) > 30
    assert same >= 0.98 * max(sum(map(len, expected)), sum(map(len, found)))


LONG = [pytest.param(size, marks=pytest.mark.slow) for size in ((9, 200), (22, 640))]  # read in many pieces


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (640, 22), (4000, 150), (33, 3), *LONG])
def test_pictures_without_text_have_none_whatever_their_shape(reader: Reader, size: tuple[int, int]) -> None:
    assert reader.read([Image.new("RGB", size, (10, 200, 30))]) == [Reading(())]


def test_reading_is_silent(reader: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    reader.read([Image.new("RGB", (64, 64)), _picture(320)[0]])
    assert capfd.readouterr() == ("", "")


def test_no_pictures_start_no_reader() -> None:
    assert Reader(threads=1).read([]) == []
