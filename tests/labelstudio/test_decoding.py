import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labelstudio import decoding
from labelstudio.decoding import KEPT_PIXELS, KEPT_SIDE, Budget, ImageUnavailableError, decode
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
    assert KEPT_PIXELS / 5 < width * height <= KEPT_PIXELS
    assert max(width, height) >= 640
    assert abs(width / height - size[0] / size[1]) < 0.01 * size[0] / size[1]
    assert near(ends(found.image)[0], (255, 0, 0))
    assert near(ends(found.image)[1], (0, 0, 255))


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
