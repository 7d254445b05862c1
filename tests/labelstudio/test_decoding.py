import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labelstudio import decoding
from labelstudio.decoding import (
    KEPT_PIXELS,
    KEPT_PIXELS_LONG,
    KEPT_SHORT_SIDE,
    KEPT_SIDE,
    ON_DARK,
    Budget,
    ImageUnavailableError,
    decode,
)
from model.items import is_long
from tests.labelstudio import zoo

PIXELS = 1_000_000

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(got - wanted) <= 40 for got, wanted in zip(pixel, colour, strict=True))


def ends(picture: Image.Image) -> tuple[object, object]:
    width, height = picture.size
    return picture.getpixel((width // 8, height // 2)), picture.getpixel((width - 1 - width // 8, height // 2))


def test_the_zoo_is_large() -> None:
    assert len(zoo.GOOD) + len(zoo.ODD) + len(zoo.CUT) + len(zoo.BAD) >= 40


@pytest.mark.parametrize("name", zoo.GOOD)
def test_pictures_are_read_upright_in_colour(name: str) -> None:
    picture = decode(zoo.GOOD[name](), PIXELS).image
    assert picture.mode == "RGB"
    assert picture.width >= picture.height
    left, right = ends(picture)
    assert near(left, (255, 0, 0)), left
    assert near(right, (0, 0, 255)), right


@pytest.mark.parametrize("name", zoo.ODD)
def test_odd_forms_are_read(name: str) -> None:
    make, left, right = zoo.ODD[name]
    picture = decode(make(), PIXELS).image
    assert picture.mode == "RGB"
    assert all(near(got, wanted) for got, wanted in zip(ends(picture), (left, right), strict=True)), ends(picture)


@pytest.mark.parametrize("name", zoo.CUT)
def test_of_a_truncated_file_what_is_there_is_shown(name: str) -> None:
    assert decode(zoo.CUT[name](), PIXELS).image.mode == "RGB"


@pytest.mark.parametrize("name", zoo.BAD)
def test_bad_files_are_refused_for_good_with_a_reason(name: str) -> None:
    with pytest.raises(ImageUnavailableError) as refused:
        decode(zoo.BAD[name](), PIXELS)
    assert refused.value.permanent
    assert len(str(refused.value)) > 10


def test_the_cap_on_pixels_names_its_setting() -> None:
    with pytest.raises(ImageUnavailableError, match="TAGLOOM_IMAGE_MAX_PIXELS"):
        decode(zoo.PNG, 100)


@pytest.mark.parametrize("limit", [None, 10])
def test_pillows_own_limit_refuses_nothing_that_the_setting_allows(
    monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert decode(zoo.PNG, PIXELS).size == zoo.SIZE
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ImageUnavailableError, match=r"more than 100 pixels: .*raise TAGLOOM_IMAGE_MAX_PIXELS"):
        decode(zoo.PNG, 100)


@pytest.mark.parametrize("form", ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
@pytest.mark.parametrize("size", [(1600, 1400), (3001, 1999), (400, 12_000)])
def test_a_large_picture_is_reduced_and_keeps_its_size(form: str, size: tuple[int, int]) -> None:
    found = decode(zoo.saved(zoo.two_halves(size), form), 40_000_000)
    assert found.size == size
    width, height = found.image.size
    most = KEPT_PIXELS_LONG if is_long(size) else KEPT_PIXELS
    assert most / 5 < width * height <= most
    assert max(width, height) >= 640
    assert abs(width / height - size[0] / size[1]) < 0.01 * size[0] / size[1]
    assert near(ends(found.image)[0], (255, 0, 0))
    assert near(ends(found.image)[1], (0, 0, 255))


@pytest.mark.parametrize("size", [(790, 12_000), (12_000, 790), (1500, 9000), (500, 2000), (400, 20_000)])
def test_a_long_picture_keeps_what_its_small_print_needs(size: tuple[int, int]) -> None:
    found = decode(zoo.saved(Image.new("RGB", size, "red"), "PNG"), 40_000_000)
    width, height = found.image.size
    assert found.size == size
    assert width * height <= KEPT_PIXELS_LONG * 1.001
    assert abs(width / height - size[0] / size[1]) < 0.01 * size[0] / size[1]
    wanted = min(KEPT_SHORT_SIDE, *size, (KEPT_PIXELS_LONG * min(size) / max(size)) ** 0.5)
    assert min(width, height) >= wanted - 1


def test_a_long_picture_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[zoo.ORIENTATION] = 6
    found = decode(zoo.saved(Image.new("RGB", (9000, 700), "red"), "JPEG", exif=exif), 40_000_000)
    assert found.size == (700, 9000)
    assert found.image.width < found.image.height


def _print(mode: str, ink: tuple[int, ...], opaque: int = 255, of: int = 8) -> bytes:
    """A transparent PNG of which every ``of``-th row shows ink."""
    layer = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    for row in range(0, 40, of):
        layer.paste((*ink[:3], opaque), (0, row, 40, row + 1))
    return zoo.saved(layer if mode == "RGBA" else layer.convert(mode), "PNG")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_white_print_on_transparency_is_seen(mode: str) -> None:
    found = decode(_print(mode, (255, 255, 255)), PIXELS)
    assert found.notes == (ON_DARK,)
    assert near(found.image.getpixel((5, 8)), (255, 255, 255))
    assert near(found.image.getpixel((5, 4)), (0, 0, 0))


@pytest.mark.parametrize("ink", [(0, 0, 0), (200, 20, 30), (120, 120, 120)])
def test_other_print_on_transparency_stands_on_white(ink: tuple[int, int, int]) -> None:
    found = decode(_print("RGBA", ink), PIXELS)
    assert found.notes == ()
    assert near(found.image.getpixel((5, 8)), ink)
    assert near(found.image.getpixel((5, 4)), (255, 255, 255))


def test_white_and_black_print_on_transparency_are_both_seen() -> None:
    layer = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    layer.paste((255, 255, 255, 255), (0, 0, 40, 12))
    layer.paste((0, 0, 0, 255), (0, 20, 40, 30))
    picture = decode(zoo.saved(layer, "PNG"), PIXELS).image
    assert len({picture.getpixel((5, row)) for row in (5, 15, 25)}) == 3


def test_what_can_hardly_be_seen_does_not_choose_the_ground() -> None:
    layer = Image.new("RGBA", (40, 40), (255, 255, 255, 10))
    layer.paste((0, 0, 0, 255), (0, 0, 40, 4))
    assert decode(zoo.saved(layer, "PNG"), PIXELS).notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_picture(orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "KEPT_PIXELS", 100)
    found = decode(zoo.turned(orientation), PIXELS)
    assert found.size == zoo.SIZE
    assert found.image.width > found.image.height
    assert near(ends(found.image)[0], (255, 0, 0))


@pytest.mark.parametrize("name", [*zoo.GOOD, *zoo.ODD])
def test_pieces_make_the_same_picture_as_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = zoo.GOOD[name]() if name in zoo.GOOD else zoo.ODD[name][0]()
    whole = decode(content, PIXELS).image
    monkeypatch.setattr(decoding, "PIECE_SIDE", 7)
    assert decode(content, PIXELS).image.tobytes() == whole.tobytes()


def test_a_strip_one_pixel_high_is_bounded() -> None:
    found = decode(zoo.saved(Image.new("1", (3_000_000, 1)), "PNG"), 40_000_000)
    assert found.size == (3_000_000, 1)
    assert max(found.image.size) <= KEPT_SIDE


@pytest.mark.filterwarnings("ignore:Image was not the expected size")
def test_an_icon_is_measured_by_the_picture_in_it() -> None:
    with pytest.raises(ImageUnavailableError, match="TAGLOOM_IMAGE_MAX_PIXELS"):
        decode(zoo.icon_of(zoo.bomb()), 40_000_000)
    assert decode(zoo.icon_of(zoo.saved(zoo.two_halves((300, 200)), "PNG")), PIXELS).size == (300, 200)


def test_the_budget_is_shared_and_large_wishes_wait_their_turn() -> None:
    budget, together, most, lock = Budget(10), 0, 0, threading.Lock()
    order: list[int] = []

    def hold(wanted: int) -> None:
        nonlocal together, most
        with budget.of(wanted):
            with lock:
                together += min(wanted, 10)
                most = max(most, together)
                order.append(wanted)
            threading.Event().wait(0.005)
            with lock:
                together -= min(wanted, 10)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, [4, 99, 3, 10, 1, 6, 5, 2] * 4))
    assert most <= 10
    assert sorted(order) == sorted([4, 99, 3, 10, 1, 6, 5, 2] * 4)
    with pytest.raises(RuntimeError), budget.of(10):
        raise RuntimeError
    with budget.of(10):
        pass


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([zoo.PNG, zoo.JPEG[:2000], zoo.GOOD["webp"](), zoo.GOOD["gif"]()]), st.data())
def test_flipped_bytes_never_do_more_than_spoil_the_picture(content: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8))
    broken = bytearray(content)
    for place in places:
        broken[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ImageUnavailableError):
        assert decode(bytes(broken), PIXELS).image.mode == "RGB"
