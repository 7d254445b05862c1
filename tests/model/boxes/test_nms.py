import numpy as np
import torch

from model.boxes.nms import areas, intersections, ious, suppress, to_box, to_tensor
from model.items import Box


def test_overlap_agrees_with_the_box_itself() -> None:
    boxes = [Box(0, 0, 0.5, 0.5), Box(0.25, 0.25, 0.75, 0.75), Box(0.6, 0, 0.6, 1), Box(0.9, 0.9, 1, 1)]
    table = ious(to_tensor(boxes), to_tensor(boxes))
    for row, first in enumerate(boxes):
        for column, second in enumerate(boxes):
            assert abs(float(table[row, column]) - first.iou(second)) < 1e-6


def test_inverted_and_empty_boxes_have_no_area() -> None:
    edges = torch.tensor([[0.5, 0.5, 0.2, 0.9], [0.3, 0.3, 0.3, 0.3]])
    assert areas(edges).tolist() == [0.0, 0.0]
    assert intersections(edges, torch.tensor([[0.0, 0.0, 1.0, 1.0]])).sum() == 0
    assert ious(edges, edges).sum() == 0


def test_no_boxes_are_no_trouble() -> None:
    assert ious(to_tensor([]), to_tensor([Box(0, 0, 1, 1)])).shape == (0, 1)
    assert suppress(np.zeros((0, 0), dtype=bool), np.zeros(0)) == []


def test_the_better_of_two_that_clash_stays_and_ties_keep_their_order() -> None:
    clash = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
    assert suppress(clash, np.array([0.2, 0.9, 0.5])) == [1, 2]
    assert suppress(clash, np.array([0.5, 0.5, 0.5])) == [0, 2]


def test_faint_boxes_neither_stay_nor_suppress() -> None:
    clash = np.ones((2, 2), dtype=bool)
    assert suppress(clash, np.array([0.01, 0.3]), faintest=0.1) == [1]


def test_a_box_is_brought_into_the_picture_with_its_edges_in_order() -> None:
    assert to_box(np.array([-0.5, 0.2, 1.5, 0.1], dtype=np.float32)) == Box(
        0.0, *to_tensor([Box(0, 0.2, 1, 0.2)])[0].tolist()[1:]
    )
