import numpy as np
import pytest

from worker.promotion.collapse import FEWEST_SEEN, Shift, collapse
from worker.promotion.gate import Booleans

LABELS = ("LOGO", "价格")


def given(logos: int, prices: int, items: int = 60) -> Booleans:
    """The first so many items get each label."""
    counts = np.array([logos, prices])
    return np.arange(items)[:, None] < counts


def gold(count: int, *, price: bool) -> Booleans:
    return np.tile(np.array([True, price]), (count, 1))


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [(20, 0, True), (20, 6, True), (20, 7, False), (6, 19, True), (6, 18, False), (4, 0, False), (0, 40, False)],
)
def test_a_share_below_a_third_or_above_three_times_is_refused(before: int, after: int, refused: bool) -> None:
    shift = Shift(LABELS, given(30, before), given(30, after))
    reason = collapse(shift, gold(0, price=True), gold(0, price=True))
    assert bool(reason) == refused
    if refused:
        assert reason.startswith(f"价格 would be given to {after} of 60 items after {before}")
        assert ("removed" if after < before else "added") in reason


@pytest.mark.parametrize("seen", [FEWEST_SEEN - 1, FEWEST_SEEN])
def test_people_may_remove_a_label(seen: int) -> None:
    shift = Shift(LABELS, given(30, 20), given(30, 0))
    reason = collapse(shift, gold(seen, price=False), gold(seen, price=True))
    assert bool(reason) == (seen < FEWEST_SEEN)


def test_gold_that_only_agrees_with_the_served_version_removes_nothing() -> None:
    shift = Shift(LABELS, given(30, 20), given(30, 0))
    assert collapse(shift, gold(40, price=False), gold(40, price=False))


def test_people_may_add_a_label() -> None:
    shift = Shift(LABELS, given(30, 6), given(30, 40))
    assert collapse(shift, gold(5, price=True), gold(5, price=False))
    assert not collapse(shift, gold(10, price=True), gold(10, price=False))
