"""The measured seconds of a drawn box: near the truth with enough annotations, near the usual ones with few."""

import numpy as np
import pytest

from model.boxes.pace import FEWEST, LEAST, draw_seconds
from model.boxes.worth import DRAW


def annotations(count: int, draw: float, *, seed: int = 0) -> tuple[list[float], list[int], list[int]]:
    """Return seconds, drawn boxes and other boxes of annotations by people who now and then go to lunch."""
    numbers = np.random.default_rng(seed)
    drawn_N, others_N = numbers.integers(0, 4, count), numbers.integers(0, 5, count)
    seconds_N = (9 + draw * drawn_N + 1.6 * others_N) * numbers.lognormal(0, 0.3, count)
    seconds_N[numbers.random(count) < 0.1] *= 20
    return seconds_N.tolist(), drawn_N.tolist(), others_N.tolist()


@pytest.mark.parametrize("draw", [7.0, 25.5])
def test_two_hundred_annotations_tell_how_long_a_box_takes(draw: float) -> None:
    measured = [draw_seconds(*annotations(200, draw, seed=seed)) for seed in range(2)]
    assert measured == pytest.approx([draw] * 2, rel=0.2)


def test_few_annotations_change_the_usual_seconds_a_little() -> None:
    few, many = (draw_seconds(*annotations(count, 5.0)) for count in (FEWEST, 200))
    assert 5 < many < few < DRAW


def test_without_a_difference_between_annotations_the_usual_seconds_hold() -> None:
    assert draw_seconds(*annotations(FEWEST - 1, 5.0)) == DRAW
    assert draw_seconds([30.0] * 50, [2] * 50, list(range(50))) == DRAW


def test_nonsense_stays_within_what_is_possible() -> None:
    _, drawn_N, others_N = annotations(100, 5.0)
    assert draw_seconds([1000.0 - 100 * drawn for drawn in drawn_N], drawn_N, others_N) == LEAST
