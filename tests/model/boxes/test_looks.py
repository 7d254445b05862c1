import numpy as np
import torch

from model.boxes.looks import NOTHING, Looks, Shown, crops
from model.boxes.nms import to_tensor
from model.state import State
from tests.model.knowledge.pictures import CORNER, MIDDLE, picture

# Item 0 and 1 are of one product, 2 shows the same mark, 3 another one, and 4 none.
POOL = [
    picture({CORNER: 1}, seed=0),
    picture({CORNER: 1}, seed=1),
    picture({MIDDLE: 1}, seed=2),
    picture({CORNER: 2}, seed=3),
    picture(seed=4),
]
FAMILIES = ["a", "a", "b", "c", "d"]
BOXES_N4 = to_tensor([CORNER, MIDDLE])


def learned(shown: list[Shown], gifts: tuple[int, ...] = ()) -> Looks:
    denied = {3: (BOXES_N4, frozenset({0})), 4: (BOXES_N4, frozenset({0}))}
    drawn = {one.row: (BOXES_N4, frozenset({0})) for one in shown}
    looks = Looks.learn(POOL, shown, denied | drawn, FAMILIES, (0,), gifts)
    assert looks is not None
    return looks


def test_a_mark_is_found_again_at_another_place_and_another_mark_is_not() -> None:
    looks = learned([Shown(0, 0, CORNER)])
    again_NL, other_NL, none_NL = (looks.margins(POOL[row], BOXES_N4) for row in (2, 3, 4))
    assert again_NL[1, 0] > 0.1 > 0 >= max(other_NL.max(), none_NL.max())
    assert again_NL.argmax() == 1


def test_a_mark_that_is_drawn_differently_is_found_by_its_own_prototype() -> None:
    both = learned([Shown(0, 0, CORNER), Shown(3, 0, CORNER)])
    assert both.margins(picture({MIDDLE: 1}, seed=8), BOXES_N4)[1, 0] > 0.1
    assert both.margins(picture({MIDDLE: 2}, seed=8), BOXES_N4)[1, 0] > 0.1


def test_a_picture_does_not_find_its_own_product_s_crops() -> None:
    looks = learned([Shown(0, 0, CORNER)])
    own = POOL[1]
    assert looks.margins(own, BOXES_N4).max() > 0
    assert looks.without({"a"}).margins(own, BOXES_N4).max() == NOTHING
    # Without the family that was most like the mark, the next one's likeness is its radius.
    assert looks.without({"c"}).margins(own, BOXES_N4).max() >= looks.margins(own, BOXES_N4).max()


def test_a_crop_that_gold_denies_takes_the_prototype_its_reach() -> None:
    said_no = {2: (BOXES_N4, frozenset({0})), 0: (BOXES_N4, frozenset({0}))}
    looks = Looks.learn(POOL, [Shown(0, 0, CORNER)], said_no, FAMILIES, (0,))
    assert looks is not None
    assert looks.margins(POOL[2], BOXES_N4).max() <= 1e-6
    unknown = Looks.learn(POOL, [Shown(0, 0, CORNER)], {2: (BOXES_N4, frozenset())}, FAMILIES, (0,))
    assert unknown is not None
    assert unknown.margins(POOL[2], BOXES_N4).max() > 0.1


def test_a_gift_of_another_industry_must_be_more_alike() -> None:
    looks = learned([Shown(0, 0, CORNER)], gifts=(0,))
    here, away = (picture({MIDDLE: 1}, industry=industry, seed=5) for industry in ("家电", "服装"))
    assert np.isclose(looks.margins(here, BOXES_N4)[1, 0] - looks.margins(away, BOXES_N4)[1, 0], 0.05, atol=1e-4)


def test_a_place_is_proposed_where_the_same_is_shown_and_nowhere_else() -> None:
    looks = learned([Shown(0, 0, CORNER)])
    (proposed,) = looks.proposing(picture({CORNER: 1}, seed=9)).said.boxes
    assert proposed.iou(CORNER) > 0.99
    assert looks.proposing(POOL[4]) is POOL[4]


def test_nothing_is_learned_without_rectangles_or_from_items_without_a_picture() -> None:
    assert Looks.learn(POOL, [], {}, FAMILIES, (0,)) is None
    assert Looks.learn(POOL, [Shown(0, 1, CORNER)], {}, FAMILIES, (0,)) is None


def test_a_stored_look_finds_the_same() -> None:
    looks = learned([Shown(0, 0, CORNER), Shown(3, 0, CORNER)], gifts=(0,))
    stored = Looks.from_state(State(looks.state().tensors, looks.state().facts))
    assert stored is not None
    assert np.allclose(stored.margins(POOL[2], BOXES_N4), looks.margins(POOL[2], BOXES_N4), atol=1e-2)
    assert Looks.from_state(State()) is None


def test_crops_are_unit_vectors_for_every_box_however_small() -> None:
    boxes_N4 = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.99, 0.99, 1.0, 1.0], [0.05, 0.05, 0.051, 0.4]])
    crop_ND = crops(POOL[0], boxes_N4, torch.zeros(POOL[0].grid_RC.shape[1]))
    assert not crop_ND.isnan().any()
    assert (crop_ND.norm(dim=1) <= 1 + 1e-5).all()
