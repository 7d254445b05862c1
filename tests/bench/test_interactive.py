"""The measure of interactive mode, on painted pictures and the cold start."""

import numpy as np
import pytest

from bench.boxes import Data
from bench.interactive import loosened, middle, moved, outcomes
from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox
from model.tagger import Tagger
from tests.model.boxes.pictures import COPY, LABELS, PRODUCT, shop_picture


def data() -> Data:
    gold = GoldPicture((LabelledBox("文案", COPY), LabelledBox("主体", PRODUCT), LabelledBox("价格", Box(0, 0, 0, 0))))
    return Data(LABELS, [shop_picture(0)], [gold], [frozenset(LABELS)], ["a"], "s", [])


def test_drawn_boxes_err_by_a_share_of_their_sides_and_stay_in_the_picture() -> None:
    chance = np.random.default_rng(1)
    drawn = [moved(Box(0.4, 0.4, 0.6, 0.5), 0.1, chance) for _ in range(400)]
    assert np.std([box.left for box in drawn]) == pytest.approx(0.02, rel=0.2)
    assert np.std([box.bottom for box in drawn]) == pytest.approx(0.01, rel=0.2)
    wild = [moved(Box(0.0, 0.9, 0.1, 1.0), 2.0, chance) for _ in range(50)]
    assert all(0 <= box.left <= box.right <= 1 and 0 <= box.top <= box.bottom <= 1 for box in wild)
    assert middle(Box(0.4, 0.4, 0.6, 0.5)) == Box(0.5, 0.45, 0.5, 0.45)


def test_a_loosely_drawn_box_holds_the_box_with_room_around() -> None:
    chance, box = np.random.default_rng(1), Box(0.4, 0.4, 0.6, 0.5)
    for _ in range(50):
        loose = loosened(box, chance)
        assert loose.left < box.left < box.right < loose.right
        assert loose.top < box.top < box.bottom < loose.bottom
        assert 1.4 * box.width <= loose.width <= 3.2 * box.width


def test_outcomes_tell_what_became_of_every_gold_box_that_has_an_area() -> None:
    cold = Tagger.cold_start(LABELS, space="s", seed=1)
    drawn = list(outcomes(cold, data(), [0], 0.1, clicks=False, chosen=False))
    assert [outcome.right for outcome in drawn] == [True, True]
    assert all(0.4 < outcome.before < 1 and outcome.after > outcome.before - 0.05 for outcome in drawn)
    clicked = list(outcomes(cold, data(), [0], 0.1, clicks=True, chosen=True))
    assert [(outcome.right, outcome.before) for outcome in clicked] == [(True, 0.0), (True, 0.0)]
