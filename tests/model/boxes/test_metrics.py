import pytest

from model.boxes.metrics import GoldPicture, GoldPictures, bootstrap_interval, box_scores
from model.items import Box, LabelledBox, PredictedBox

LEFT, RIGHT = Box(0, 0, 0.4, 0.4), Box(0.6, 0.6, 1, 1)


def gold(*boxes: Box, ignored: tuple[Box, ...] = ()) -> GoldPicture:
    return GoldPicture(
        tuple(LabelledBox("价格", box) for box in boxes), tuple(LabelledBox("价格", box) for box in ignored)
    )


def found(*pairs: tuple[Box, float]) -> tuple[PredictedBox, ...]:
    return tuple(PredictedBox("价格", box, score) for box, score in pairs)


def test_average_precision_is_the_area_under_the_precision_envelope() -> None:
    # Hits at ranks 1 and 3 of two gold boxes: precision 1 up to recall ½, then ⅔.
    predicted = [found((LEFT, 0.9), (Box(0.45, 0, 0.55, 0.1), 0.8), (RIGHT, 0.7))]
    assert box_scores(predicted, [gold(LEFT, RIGHT)], ["价格"]).mean == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_second_box_on_the_same_gold_is_an_error() -> None:
    scores = box_scores([found((LEFT, 0.5), (LEFT, 0.9))], [gold(LEFT, RIGHT)], ["价格"])
    assert scores.average_precision == {"价格": pytest.approx(0.5)}
    assert scores.recall == {"价格": 0.5}


def test_a_box_on_an_ignored_region_counts_neither_way() -> None:
    predicted = [found((RIGHT, 0.9), (LEFT, 0.5))]
    assert box_scores(predicted, [gold(LEFT)], ["价格"]).mean == pytest.approx(0.5)
    assert box_scores(predicted, [gold(LEFT, ignored=(RIGHT,))], ["价格"]).mean == pytest.approx(1.0)


def test_overlap_under_the_limit_is_a_miss() -> None:
    half = Box(0, 0, 0.4, 0.19)
    assert box_scores([found((half, 0.9))], [gold(LEFT)], ["价格"]).mean == 0
    assert box_scores([found((half, 0.9))], [gold(LEFT)], ["价格"], iou=0.4).mean == 1


def test_labels_without_gold_are_left_out_of_the_mean() -> None:
    scores = box_scores([found((LEFT, 0.9))], [gold(LEFT)], ["价格", "LOGO"])
    assert scores.average_precision == {"价格": 1.0}
    assert box_scores([()], [GoldPicture(())], ["价格"]).mean == 0


def test_the_interval_holds_the_figure_and_is_wide_when_products_differ() -> None:
    predicted = [found((LEFT, 0.9)), found((RIGHT, 0.8)), found((LEFT, 0.7)), found((RIGHT, 0.6))]
    truth = [gold(LEFT), gold(LEFT), gold(LEFT), gold(LEFT)]
    low, high = bootstrap_interval(predicted, GoldPictures(truth, ["a", "b", "c", "d"]), ["价格"], draws=200)
    assert low < box_scores(predicted, truth, ["价格"]).mean < high
    assert bootstrap_interval(predicted[:1], GoldPictures(truth[:1], ["a"]), ["价格"], draws=20) == (1.0, 1.0)
