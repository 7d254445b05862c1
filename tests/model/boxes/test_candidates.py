import numpy as np

from model.boxes.candidates import Candidates, candidates
from model.boxes.contours import contours
from model.boxes.describe import KINDS, describe, kind_scores
from model.boxes.roles import RoleReader
from model.boxes.saliency import best_rectangles
from model.boxes.scene import Scene
from model.features.item import ItemFeatures
from model.items import Box
from model.lexicon.lexicon import Lexicon
from tests.model.boxes.pictures import BLUE, PRODUCT, nothing, picture, price_plate, shop_picture


def of(item: ItemFeatures) -> Candidates:
    return candidates(Scene.of(item, RoleReader(Lexicon.load())))


def best_overlap(found: Candidates, box: Box) -> float:
    edges = [Box(*map(float, row)) for row in found.boxes_N4]
    return max(edge.iou(box) for edge in edges)


def test_text_plates_and_objects_are_all_among_the_candidates() -> None:
    found = of(shop_picture())
    for box in (Box(0.03, 0.03, 0.25, 0.09), price_plate(), Box(0.5, 0.84, 0.9, 0.95), PRODUCT):
        assert best_overlap(found, box) > 0.8


def test_candidates_lie_in_the_picture_and_are_distinct() -> None:
    edges = of(shop_picture()).boxes_N4
    assert (edges >= 0).all()
    assert (edges <= 1).all()
    assert len({tuple(row) for row in edges.tolist()}) == len(edges)


def test_descriptors_have_one_width_whatever_is_missing() -> None:
    pictures = [shop_picture(), picture(), picture([(Box(0.1, 0.1, 0.3, 0.2), "¥9")]), nothing()]
    shapes = {describe(of(item)).shape[1] for item in pictures}
    assert len(shapes) == 1
    assert all(np.isfinite(describe(of(item))).all() for item in pictures)


def test_an_item_without_a_picture_has_no_candidates() -> None:
    assert len(of(nothing()).boxes_N4) == 0


def test_the_cold_start_is_part_of_the_descriptor() -> None:
    found = of(shop_picture())
    scores = kind_scores(found, (*KINDS, "no such kind"))
    assert np.array_equal(describe(found)[:, : len(KINDS)], scores[:, : len(KINDS)])
    best = found.boxes_N4[int(scores[:, KINDS.index("price")].argmax())]
    assert Box(*map(float, best)).iou(price_plate()) > 0.8
    assert scores[:, -1].sum() == 0
    assert set((scores.max(0) > 0).tolist()) == {True, False}


def test_edges_of_an_object_give_its_bounds_and_hidden_ones_do_not() -> None:
    pixels = Scene.of(picture(painted=[(PRODUCT, BLUE)]), RoleReader(Lexicon())).pixels
    assert max(box.iou(PRODUCT) for box in contours(pixels)) > 0.9
    assert contours(pixels, [Box(0.2, 0.2, 0.8, 0.85)]) == []


def test_the_best_rectangle_is_that_of_every_rectangle() -> None:
    values = np.random.default_rng(3).normal(size=(4, 6, 7))
    for plane, box in zip(values, best_rectangles(values), strict=True):
        sums = {
            (left, top, right, bottom): plane[top:bottom, left:right].sum()
            for top in range(6)
            for bottom in range(top + 1, 7)
            for left in range(7)
            for right in range(left + 1, 8)
        }
        left, top, right, bottom = max(sums, key=lambda edges: sums[edges])
        assert box is not None
        assert np.allclose((box.left, box.top, box.right, box.bottom), (left / 7, top / 6, right / 7, bottom / 6))
    assert best_rectangles(-np.ones((1, 3, 3))) == [None]
