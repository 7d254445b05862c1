"""How lines are put together; that they are read right is tested with the reader."""

from typing import Any

import numpy as np
from rapidocr.ch_ppocr_rec import TextRecInput

from model.reading.recognition import BATCHES, WIDTHS, FixedShapeRecognizer


class Echo:
    """Stands for rapidocr's network: says each line's first pixel, and remembers the shapes it was given."""

    rec_image_shape = (3, 48, 320)

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def resize_norm_img(self, image: np.ndarray[Any, Any], ratio: float) -> np.ndarray[Any, Any]:
        padded = np.zeros((3, 48, round(48 * ratio)), np.float32)
        padded[0, 0, 0] = image[0, 0, 0]
        return padded

    def session(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.shapes.append(batch.shape)
        return batch[:, 0, 0, 0]

    def postprocess_op(self, said: np.ndarray[Any, Any], words: bool) -> tuple[list[tuple[str, float]], None]:
        return [(f"{value:.0f}", 0.9) for value in said], None


def _lines(widths: list[int]) -> list[np.ndarray[Any, Any]]:
    return [np.full((24, width, 3), index, np.uint8) for index, width in enumerate(widths)]


def test_each_line_keeps_its_place_whatever_its_width() -> None:
    widths = [40, 900, 155, 5000, 30, 161, 400, 24, 33, 700]
    said = FixedShapeRecognizer(Echo())(TextRecInput(img=_lines(widths)))  # type: ignore[arg-type]
    assert said.txts == tuple(str(index) for index in range(len(widths)))


def test_the_network_meets_few_shapes() -> None:
    echo = Echo()
    random = np.random.default_rng(0)
    for count in range(1, 40):
        FixedShapeRecognizer(echo)(TextRecInput(img=_lines(random.integers(8, 2000, count).tolist())))  # type: ignore[arg-type]
    assert {shape[3] for shape in echo.shapes} == set(WIDTHS)
    assert {shape[0] for shape in echo.shapes} <= set(BATCHES)
