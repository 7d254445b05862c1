import pytest

from model.boxes.effort import BASELINES, Seconds, Tolerance, effort
from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox, PredictedBox

BOX = Box(0.2, 0.2, 0.6, 0.6)
OTHER = Box(0.7, 0.7, 0.95, 0.95)
SECONDS = Seconds(look=1, relabel=2, edge=4, delete=3, draw=20)


def said(*boxes: Box, ignored: tuple[Box, ...] = ()) -> GoldPicture:
    return GoldPicture(
        tuple(LabelledBox("价格", box) for box in boxes), tuple(LabelledBox("价格", box) for box in ignored)
    )


def shown(box: Box, label: str = "价格") -> PredictedBox:
    return PredictedBox(label, box, 0.9)


@pytest.mark.parametrize(
    ("found", "gold", "seconds"),
    [
        ((shown(BOX),), said(BOX), 1),
        ((shown(BOX, "LOGO"),), said(BOX), 1 + 2),
        ((shown(Box(0.2, 0.2, 0.6, 0.8)),), said(BOX), 1 + 4),
        ((shown(Box(0.2, 0.2, 0.6, 0.8), "LOGO"),), said(BOX), 1 + 4 + 2),
        ((shown(BOX), shown(OTHER)), said(BOX), 2 + 3),
        ((shown(BOX),), said(BOX, OTHER), 1 + 20),
        ((), said(BOX, OTHER), 40),
        ((shown(BOX),), said(), 1 + 3),
        ((shown(OTHER),), said(ignored=(OTHER,)), 1),
    ],
)
def test_each_action_costs_its_seconds(found: tuple[PredictedBox, ...], gold: GoldPicture, seconds: float) -> None:
    assert effort([found], [gold], SECONDS).seconds == seconds


def test_moving_all_edges_is_weighed_against_drawing_anew() -> None:
    slow_edges = Seconds(look=1, relabel=2, edge=10, delete=3, draw=20)
    off = shown(Box(0.1, 0.1, 0.5, 0.5))
    assert effort([(off,)], [said(BOX)], slow_edges).drawn == 1
    assert effort([(off,)], [said(BOX)], SECONDS).edges == 4


def test_a_box_elsewhere_is_not_moved_across_the_picture() -> None:
    far = shown(Box(0, 0, 0.1, 0.1))
    spent = effort([(far,)], [said(BOX)], SECONDS)
    assert (spent.edges, spent.deleted, spent.drawn) == (0, 1, 1)
    assert effort([(far,)], [said(BOX)], SECONDS, Tolerance(overlap=0)).edges == 4


def test_the_cheapest_pairing_is_taken() -> None:
    near, exact = Box(0.2, 0.2, 0.6, 0.7), BOX
    spent = effort([(shown(near), shown(exact))], [said(exact, near)], SECONDS)
    assert (spent.kept, spent.edges, spent.deleted, spent.drawn) == (2, 0, 0, 0)


def test_a_hair_off_is_right() -> None:
    assert effort([(shown(Box(0.21, 0.19, 0.6, 0.61)),)], [said(BOX)], SECONDS).kept == 1


def test_saved_is_the_share_against_drawing_everything() -> None:
    spent = effort([(shown(BOX),), ()], [said(BOX), said(OTHER)], SECONDS)
    assert (spent.pictures, spent.from_nothing) == (2, 40)
    assert spent.saved == pytest.approx(1 - 21 / 40)
    assert effort([], [], SECONDS).saved == 0


def test_effort_is_told_against_both_published_times_and_ones_own() -> None:
    assert [one.draw for one in Seconds().baselines()] == list(BASELINES)
    assert [one.draw for one in Seconds(draw=12, edge=5).baselines()] == [*BASELINES, 12]
    assert {one.edge for one in Seconds(draw=12, edge=5).baselines()} == {5}
