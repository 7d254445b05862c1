import numpy as np
import pytest

from model.boxes.drawn import clicked, label_of, tightened
from model.boxes.forest import Floats
from model.items import Box

TRUE = Box(0.2, 0.2, 0.6, 0.5)
ROUGH = Box(0.22, 0.19, 0.58, 0.53)
ELSEWHERE = Box(0.7, 0.7, 0.9, 0.9)


def edges(*boxes: Box) -> Floats:
    return np.array([(box.left, box.top, box.right, box.bottom) for box in boxes], dtype=np.float32).reshape(-1, 4)


def floats(*numbers: float) -> Floats:
    return np.array(numbers, dtype=np.float32)


def test_a_rough_box_moves_towards_a_good_candidate() -> None:
    box = tightened(ROUGH, edges(TRUE, ELSEWHERE), floats(0.9, 0.9), 0.5)
    assert box.iou(TRUE) > 0.93 > ROUGH.iou(TRUE)


@pytest.mark.parametrize(
    ("boxes", "quality"), [(edges(), floats()), (edges(ELSEWHERE), floats(1.0)), (edges(TRUE), floats(0.0))]
)
def test_a_box_stays_as_drawn_where_no_candidate_fits(boxes: Floats, quality: Floats) -> None:
    assert tightened(ROUGH, boxes, quality, 0.0).iou(ROUGH) > 0.999


def test_a_doubtful_candidate_moves_it_less() -> None:
    sure, doubtful = (tightened(ROUGH, edges(TRUE), floats(quality), 0.0) for quality in (0.9, 0.1))
    assert ROUGH.iou(TRUE) < doubtful.iou(TRUE) < sure.iou(TRUE)


LOOSE = Box(0.1, 0.1, 0.8, 0.9)


def test_a_loose_box_shrinks_to_the_element_inside() -> None:
    assert LOOSE.iou(TRUE) < 0.25
    part = Box(0.2, 0.2, 0.3, 0.25)
    assert tightened(LOOSE, edges(TRUE, ELSEWHERE, part), floats(0.8, 0.0, 0.8), 0.0).iou(TRUE) > 0.9
    assert tightened(LOOSE, edges(TRUE, TRUE), floats(0.8, 0.8), 0.0).iou(TRUE) > 0.99


@pytest.mark.parametrize(
    ("inside", "quality", "own"),
    [
        (TRUE, 0.8, 0.4),  # the drawn box shows the label as well
        (TRUE, 0.1, 0.0),  # hardly an element
        (Box(0.5, 0.5, 1.0, 1.0), 0.9, 0.0),  # not inside
        (Box(0.4, 0.4, 0.42, 0.42), 0.9, 0.0),  # a speck
    ],
)
def test_a_large_box_is_not_always_a_loose_one(inside: Box, quality: float, own: float) -> None:
    assert tightened(LOOSE, edges(inside), floats(quality), own).iou(LOOSE) > 0.999


@pytest.mark.parametrize("box", [Box(0.5, 0.5, 0.5 + 1e-9, 0.5 + 1e-9), Box(0.0, 0.0, 1.0, 1.0)])
def test_tiny_and_huge_boxes_are_no_trouble(box: Box) -> None:
    moved = tightened(box, edges(TRUE, box), floats(0.5, 0.5), 0.0)
    assert 0 <= moved.left <= moved.right <= 1
    assert 0 <= moved.top <= moved.bottom <= 1
    assert abs(moved.left - box.left) < 1e-4


def test_the_tags_decide_where_the_region_shows_nothing() -> None:
    assert label_of(floats(0.0, 0.0, 0.0), floats(0.2, 0.9, 0.4)) == 1
    assert label_of(floats(0.0, 0.0, 0.3), floats(0.2, 0.9, 0.4)) == 2


def test_a_click_means_the_smaller_of_two_good_elements_around_it() -> None:
    inner = Box(0.3, 0.3, 0.4, 0.4)
    quality = np.array([[0.8, 0.0], [0.0, 0.6], [0.9, 0.9]], dtype=np.float32)
    found = clicked(Box(0.35, 0.35, 0.35, 0.35), edges(TRUE, inner, ELSEWHERE), quality, ("主体", "价格"))
    assert found is not None
    assert found.label == "价格"
    assert found.score == pytest.approx(0.6)
    assert found.box.iou(inner) > 0.99
    beside = clicked(Box(0.55, 0.25, 0.55, 0.25), edges(TRUE, inner, ELSEWHERE), quality, ("主体", "价格"))
    assert beside is not None
    assert beside.label == "主体"


@pytest.mark.parametrize("boxes", [edges(), edges(ELSEWHERE), edges(TRUE)])
def test_a_click_on_nothing_gives_nothing(boxes: Floats) -> None:
    quality = np.zeros((len(boxes), 1), dtype=np.float32) if len(boxes) else np.ones((0, 1), dtype=np.float32)
    assert clicked(Box(0.3, 0.3, 0.3, 0.3), boxes, quality, ("主体",)) is None
