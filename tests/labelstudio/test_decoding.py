import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labelstudio.decoding import ImageUnavailableError, decode
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
    picture = decode(zoo.GOOD[name](), PIXELS)
    assert picture.mode == "RGB"
    assert picture.width >= picture.height
    left, right = ends(picture)
    assert near(left, (255, 0, 0)), left
    assert near(right, (0, 0, 255)), right


@pytest.mark.parametrize("name", zoo.ODD)
def test_odd_forms_are_read(name: str) -> None:
    make, left, right = zoo.ODD[name]
    picture = decode(make(), PIXELS)
    assert picture.mode == "RGB"
    assert all(near(got, wanted) for got, wanted in zip(ends(picture), (left, right), strict=True)), ends(picture)


@pytest.mark.parametrize("name", zoo.CUT)
def test_of_a_truncated_file_what_is_there_is_shown(name: str) -> None:
    assert decode(zoo.CUT[name](), PIXELS).mode == "RGB"


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


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([zoo.PNG, zoo.JPEG[:2000], zoo.GOOD["webp"](), zoo.GOOD["gif"]()]), st.data())
def test_flipped_bytes_never_do_more_than_spoil_the_picture(content: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8))
    broken = bytearray(content)
    for place in places:
        broken[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ImageUnavailableError):
        assert decode(bytes(broken), PIXELS).mode == "RGB"
