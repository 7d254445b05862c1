import numpy as np
import pytest

from model.boxes.outline import outlined
from model.items import Box
from tests.model.boxes.pictures import BLUE, GREEN, PRODUCT, RED, Painted, picture

HANDLE = Box(0.7, 0.5, 0.78, 0.55)


def pixels(*painted: Painted) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return picture(painted=painted).thumbnail_HW3.numpy().astype(np.int16)


@pytest.mark.parametrize(
    "rough", [Box(0.34, 0.34, 0.66, 0.7), Box(0.25, 0.25, 0.75, 0.8), Box(0.3, 0.36, 0.74, 0.7)], ids=str
)
def test_a_rough_rectangle_becomes_the_bounds_of_the_object(rough: Box) -> None:
    assert outlined(pixels((PRODUCT, BLUE)), rough).iou(PRODUCT) > 0.9 > rough.iou(PRODUCT)


def test_what_sticks_out_of_the_object_is_part_of_it() -> None:
    found = outlined(pixels((PRODUCT, BLUE), (HANDLE, BLUE)), PRODUCT)
    assert found.right == pytest.approx(HANDLE.right, abs=0.02)


def test_read_text_is_no_part_of_an_object() -> None:
    text = Box(0.3, 0.76, 0.7, 0.82)
    found = outlined(pixels((PRODUCT, BLUE), (text, GREEN)), PRODUCT, [text])
    assert found.bottom == pytest.approx(PRODUCT.bottom, abs=0.02)


@pytest.mark.parametrize("rough", [Box(0.0, 0.0, 1.0, 1.0), Box(0.4, 0.4, 0.4, 0.4), Box(0.1, 0.1, 0.2, 0.9)], ids=str)
def test_without_an_object_there_the_rectangle_stays(rough: Box) -> None:
    assert outlined(pixels(), rough) == rough
    assert outlined(np.zeros((0, 0, 3), dtype=np.int16), rough) == rough


def test_the_same_picture_has_the_same_outline() -> None:
    shown = pixels((PRODUCT, BLUE), (HANDLE, RED))
    assert len({outlined(shown, Box(0.34, 0.34, 0.66, 0.7)) for _ in range(3)}) == 1
