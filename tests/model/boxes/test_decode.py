import numpy as np
import pytest
import torch

from model.boxes.decode import apart, decode, given, least_shown
from model.boxes.worth import NEVER
from model.items import Box, PredictedBox

A, B = Box(0, 0, 0.4, 0.4), Box(0.6, 0.6, 1, 1)


def test_overlapping_boxes_of_one_label_become_one_and_labels_do_not_disturb_each_other() -> None:
    edges = torch.tensor([[0, 0, 0.4, 0.4], [0, 0, 0.4, 0.38], [0.6, 0.6, 1, 1]])
    quality = np.array([[0.9, 0.1], [0.5, 0.7], [0.3, 0.0]], dtype=np.float32)
    found = decode(edges, quality, ["主体", "价格"])
    assert [(box.label, round(box.score, 1)) for box in found] == [("主体", 0.9), ("价格", 0.7), ("主体", 0.3)]


def test_a_given_tag_keeps_its_best_box_and_another_does_not() -> None:
    found = [PredictedBox("主体", A, 0.2), PredictedBox("主体", B, 0.1)]
    assert given(found, ["主体"], [0.3], [0.5], {"主体"}) == (found[0],)
    assert given(found, ["主体"], [0.3], [0.95]) == ()
    assert given(found, ["主体"], [0.15], [0.5]) == (found[0],)
    assert given(found, ["主体"], [0.15], [0.05]) == ()
    assert given(found, ["主体"], [NEVER], [0.9], {"主体"}) == ()


def test_one_reading_of_an_element_is_shown_and_all_are_found() -> None:
    part, beside = Box(0, 0, 0.4, 0.15), Box(0.3, 0, 0.7, 0.4)
    found = [PredictedBox("主体", box, 0.9 - place / 10) for place, box in enumerate((A, part, beside, B))]
    other = PredictedBox("价格", Box(0, 0, 0.4, 0.1), 0.95)
    shown = given([other, *found], ["主体", "价格"], [0.15, 0.15], [0.9, 0.9])
    assert shown == (other, found[0], found[2], found[3])
    assert apart([]) == []
    assert apart([PredictedBox("主体", Box(0.5, 0.5, 0.5, 0.5), 0.9)] * 2) != []


def test_a_further_box_is_shown_for_a_score_of_its_own_and_not_for_its_overlap() -> None:
    suit, trousers = Box(0.2, 0.1, 0.6, 0.7), Box(0.2, 0.55, 0.6, 0.9)
    overlap = suit.iou(trousers)
    owed, own = (PredictedBox("主体", trousers, score) for score in (0.9 * overlap, 0.8))
    best = PredictedBox("主体", suit, 0.9)
    assert apart([best, owed]) == [best]
    assert apart([best, own]) == [best, own]
    far = PredictedBox("主体", Box(0.7, 0.1, 0.9, 0.3), 0.01)
    assert apart([best, far]) == [best, far]


def test_in_one_place_one_label_is_shown() -> None:
    price, copy = PredictedBox("价格", A, 0.8), PredictedBox("文案", Box(0, 0, 0.4, 0.36), 0.7)
    inside = PredictedBox("LOGO", Box(0, 0, 0.1, 0.1), 0.5)
    assert given([price, copy, inside], ["价格", "文案", "LOGO"], [0.1] * 3, [0.9] * 3) == (price, inside)


def test_votes_move_an_edge_that_most_candidates_place_elsewhere() -> None:
    edges = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.62], [0.1, 0.1, 0.5, 0.63], [0.8, 0.8, 0.9, 0.9]])
    quality = np.array([[0.6], [0.55], [0.55], [0.9]], dtype=np.float32)
    as_found = decode(edges, quality, ["价格"])
    moved = decode(edges, quality, ["价格"], by_votes=True)
    assert [box.score for box in as_found] == [box.score for box in moved]
    assert as_found[1].box.bottom == pytest.approx(0.5)
    assert moved[1].box.bottom == pytest.approx(0.62, abs=0.01)
    assert moved[0] == as_found[0]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_not_shown_need_not_be_decoded(seed: int) -> None:
    random = np.random.default_rng(seed)
    corner, side = random.uniform(0, 0.6, (60, 2)), random.uniform(0.1, 0.4, (60, 2))
    edges = torch.from_numpy(np.concatenate([corner, corner + side], axis=1)).float()
    # In steps, so that scores are equal to each other and to thresholds.
    quality = (random.integers(0, 12, (60, 4)) / 16).astype(np.float32)
    quality[:, 3] /= 8
    labels, thresholds = ["主体", "价格", "文案", "LOGO"], [0.25, 0.5, float(random.choice([0.6875, NEVER])), 0.3]
    tags, probabilities = {"主体", "文案", "LOGO"}, [0.9, float(random.choice([0.05, 0.5])), 0.6, 0.7]
    least = least_shown(quality, labels, thresholds, probabilities, tags)
    assert least[3] == quality[:, 3].max() < thresholds[3], "a given tag, under its threshold"
    for by_votes in (False, True):
        all_boxes = decode(edges, quality, labels, by_votes=by_votes)
        some = decode(edges, quality, labels, by_votes=by_votes, least=least)
        assert len(some) < len(all_boxes)
        shown = given(all_boxes, labels, thresholds, probabilities, tags)
        assert given(some, labels, thresholds, probabilities, tags) == shown
