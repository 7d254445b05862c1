"""The detector that the box model is compared with, for a step: a training that shows anything takes minutes."""

from PIL import Image

from bench.detector import Detector
from model.items import Box, LabelledBox

PLACES = [Box(0.1, 0.1, 0.5, 0.5), Box(0.5, 0.1, 0.9, 0.5)]


def picture(place: Box) -> Image.Image:
    image = Image.new("RGB", (80, 80), "white")
    left, top, right, bottom = (round(80 * edge) for edge in (place.left, place.top, place.right, place.bottom))
    image.paste("red", (left, top, right, bottom))
    return image


def test_pictures_without_boxes_are_not_trained_on_and_answers_lie_in_the_picture() -> None:
    detector = Detector(("红",), None)
    detector.learn([picture(PLACES[0]), picture(PLACES[1])], [(), [LabelledBox("红", PLACES[1])]], steps=1, seed=1)
    (found,) = detector.predict([picture(PLACES[0])])
    assert all(0 <= edge <= 1 for box in found for edge in vars(box.box).values())
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)
