"""Tags and boxes of one picture say the same."""

from dataclasses import replace

import torch

from model.boxes.decode import IMPOSSIBLE
from model.calibration import Calibration
from model.tagger import Tagger
from tests.model.boxes.pictures import LABELS, shop_picture


def test_a_box_that_is_shown_says_its_tag() -> None:
    usual = Calibration.neutral(len(LABELS))
    strict = replace(usual, threshold_K=torch.full_like(usual.threshold_K, 0.999))
    tagger = replace(Tagger.cold_start(LABELS, space="space", seed=1), calibration=strict)
    (answer,) = tagger.predict([shop_picture()])
    assert answer.boxes
    assert set(answer.labels) >= {box.label for box in answer.boxes}
    assert all(answer.probabilities[box.label] >= IMPOSSIBLE for box in answer.boxes)
    (tags_alone,) = tagger.predict([shop_picture()], boxes=False)
    assert len(tags_alone.labels) < len(answer.labels)
