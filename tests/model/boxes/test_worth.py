"""What a shown box saves, and from which score on boxes are shown."""

from dataclasses import replace

import numpy as np
import pytest

from model.boxes.effort import CAREFUL, EXTREME_CLICKING, Seconds
from model.boxes.head import COLD_BOXES
from model.boxes.worth import COLD, LEARNED, LOWEST, MISSED, NEVER, Worth, outcomes, thresholds
from model.items import Box, LabelledBox, PredictedBox

A, B = Box(0, 0, 0.4, 0.4), Box(0.6, 0.6, 1, 1)
ONE_EDGE_OFF = Box(0, 0, 0.4, 0.3)
PRICE = {"价格": "price"}


def found(*boxes: tuple[Box, float]) -> list[PredictedBox]:
    return [PredictedBox("价格", box, score) for box, score in boxes]


def test_the_outcome_of_a_box_is_its_wrong_edges_and_a_gold_box_is_met_once() -> None:
    gold = [LabelledBox("价格", A), LabelledBox("文案", B)]
    beside = Box(0.25, 0, 0.65, 0.4)
    pairs = [(found((A, 0.9), (B, 0.4), (beside, 0.8)), gold), (found((ONE_EDGE_OFF, 0.5)), gold)]
    assert outcomes(pairs, "价格") == ([0.9, 0.8, 0.4, 0.5], [0, MISSED, MISSED, 1])
    assert outcomes([], "价格") == ([], [])


def test_the_saved_seconds_are_those_of_the_formula() -> None:
    worth, seconds = Worth((-30.0, -30.0, -30.0, 30.0), 1.0), replace(Seconds(), draw=20.0)
    # Three or four wrong edges: 12 or 16 seconds of moving, against 20 of drawing.
    assert worth.saved(np.array([0.5]), seconds) == pytest.approx([20 - 14 - seconds.look])
    right = Worth((30.0, 30.0, 30.0, 30.0), 1.0)
    assert right.saved(np.array([0.5]), seconds) == pytest.approx([20 - seconds.look])
    assert Worth((-30.0,) * 4, 1.0).saved(np.array([0.5]), seconds) == pytest.approx([-seconds.look - seconds.delete])


def test_slow_drawers_are_shown_more_and_worthless_boxes_never() -> None:
    slow, fast = (LEARNED.threshold(replace(Seconds(), draw=draw)) for draw in (CAREFUL, EXTREME_CLICKING))
    assert LOWEST <= slow < fast < 1
    assert Worth((-9.0, -8.0, -7.0, -6.0), 0.1).threshold(Seconds()) == NEVER


def test_fitted_odds_follow_the_boxes_and_few_boxes_change_little() -> None:
    scores, wrong = [0.2, 0.8] * 300, [MISSED, 0] * 300
    worth = Worth.fit(scores, wrong, LEARNED, (10.0, 10.0))
    low, high = worth.saved(np.array([0.2, 0.8]), Seconds())
    assert low < -2.5
    assert high > 23
    few = Worth.fit(scores[:2], wrong[:2], LEARNED)
    assert few.a == pytest.approx(LEARNED.a, abs=0.3)
    assert Worth.fit([], [], LEARNED) == LEARNED


def test_before_any_gold_each_kind_has_its_threshold() -> None:
    kinds = {kind: kind for kind in COLD}
    by_kind = dict(zip(kinds, thresholds([], [], kinds, draw=16.0), strict=True))
    assert by_kind["price"] > by_kind["gift"]
    assert thresholds([], [], {"二维码": ""}, draw=16.0) == [LEARNED.threshold(replace(Seconds(), draw=16.0))]


def test_gold_moves_the_threshold_to_where_boxes_save_time() -> None:
    gold = [[LabelledBox("价格", A)]] * 60
    boxes = [found((A, 0.8), (B, 0.55))] * 60
    (threshold,) = thresholds(boxes, gold, PRICE, draw=EXTREME_CLICKING)
    assert 0.55 < threshold <= 0.8
    (slow,) = thresholds([found((ONE_EDGE_OFF, 0.1))] * 60, gold, PRICE, draw=CAREFUL)
    assert slow <= 0.1
    (unknown,) = thresholds(boxes, gold, PRICE, draw=EXTREME_CLICKING, unknown=[{"价格"}] * 60)
    assert unknown == thresholds([], [], PRICE, draw=EXTREME_CLICKING)[0]


def test_learned_numbers_replace_those_of_the_cold_start_as_the_heads_scores_do() -> None:
    half = [[LabelledBox("价格", A)]] * round(COLD_BOXES)
    nothing: list[list[PredictedBox]] = [[]] * round(COLD_BOXES)
    (between,) = thresholds(nothing, half, PRICE, draw=10.0)
    ends = sorted(one.threshold(replace(Seconds(), draw=10.0)) for one in (COLD["price"], LEARNED))
    assert ends[0] < between < ends[1]
