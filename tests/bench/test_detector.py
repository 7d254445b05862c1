"""The detector that the box model is compared with, for a step: a training that shows anything takes minutes."""

import math

import pytest
import torch
from PIL import Image

from bench.detector import SIDE, Detector, mirrored
from model.items import Box, LabelledBox

PLACES = [Box(0.1, 0.1, 0.5, 0.5), Box(0.5, 0.1, 0.9, 0.5)]


def picture(place: Box) -> Image.Image:
    image = Image.new("RGB", (80, 80), "white")
    left, top, right, bottom = (round(80 * edge) for edge in (place.left, place.top, place.right, place.bottom))
    image.paste("red", (left, top, right, bottom))
    return image


@pytest.mark.slow
def test_pictures_without_boxes_are_not_trained_on_and_answers_lie_in_the_picture() -> None:
    detector = Detector(("红",), None)
    gold = [(), [LabelledBox("红", PLACES[1])]]
    (loss,) = detector.learn([picture(PLACES[0]), picture(PLACES[1])], gold, steps=1, seed=1)
    assert math.isfinite(loss)
    (found,) = detector.predict([picture(PLACES[0])])
    assert all(0 <= edge <= 1 for box in found for edge in vars(box.box).values())
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)


def test_boxes_are_mirrored_with_their_picture() -> None:
    pixels_3HW = torch.zeros(3, SIDE, SIDE)
    pixels_3HW[:, 10:20, 30:70] = 1
    target = {"boxes": torch.tensor([[30.0, 10.0, 70.0, 20.0]]), "labels": torch.tensor([0])}
    torch.manual_seed(0)
    drawn = [mirrored(pixels_3HW, target) for _ in range(8)]
    assert {tuple(answer["boxes"][0].tolist()) for _, answer in drawn} == {(30, 10, 70, 20), (250, 10, 290, 20)}
    for seen_3HW, answer in drawn:
        left, top, right, bottom = (int(edge) for edge in answer["boxes"][0])
        assert seen_3HW.sum() == seen_3HW[:, top:bottom, left:right].sum() == 3 * 400
