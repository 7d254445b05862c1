import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from model.metrics import GoldLabels, average_precision, class_scores, macro_f1, paired_bootstrap, weighted_f1

BITS = st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(BITS)
def test_scores_are_those_of_scikit_learn(rows: list[list[bool]]) -> None:
    gold, given_ = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    assert macro_f1(gold, given_) == pytest.approx(f1_score(gold, given_, average="macro", zero_division=0))
    assert weighted_f1(gold, given_) == pytest.approx(f1_score(gold, given_, average="weighted", zero_division=0))
    if gold[:, 0].any():
        score = given_.sum(1).astype(float)
        assert average_precision(gold[:, 0], score) == pytest.approx(average_precision_score(gold[:, 0], score))


def test_a_class_tells_precision_and_recall_apart() -> None:
    score = class_scores([[1], [1], [1], [0]], [[1], [0], [0], [0]])[0]
    assert (score.precision, score.support) == (1.0, 3)
    assert score.recall == pytest.approx(1 / 3)


def test_the_bootstrap_sees_a_real_gain_and_no_gain() -> None:
    random = np.random.default_rng(0)
    gold = random.random((200, 3)) < 0.5
    old = gold ^ (random.random(gold.shape) < 0.3)
    new = gold ^ (random.random(gold.shape) < 0.1)
    gain = paired_bootstrap(GoldLabels(gold), old, new)
    assert gain.low > 0
    assert paired_bootstrap(GoldLabels(gold), new, old).high < 0
    assert paired_bootstrap(GoldLabels(gold), old, old).difference == 0


def test_families_widen_the_interval() -> None:
    random = np.random.default_rng(1)
    gold = np.repeat(random.random((20, 1)) < 0.5, 10, axis=0)
    old, new = np.repeat(random.random((20, 1)) < 0.5, 10, axis=0), gold ^ (random.random((200, 1)) < 0.2)
    apart = paired_bootstrap(GoldLabels(gold), old, new)
    together = paired_bootstrap(GoldLabels(gold, families=[f"f{n // 10}" for n in range(200)]), old, new)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_answers_to_unknown_labels_count_neither_way() -> None:
    random = np.random.default_rng(2)
    gold, old, new, known = (random.random((40, 3)) < 0.5 for _ in range(4))
    masked = paired_bootstrap(GoldLabels(gold & known), old & known, new & known)
    assert paired_bootstrap(GoldLabels(gold, known), old, new) == masked


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="items × classes"):
        macro_f1([[1, 0]], [[1]])
    with pytest.raises(ValueError, match="no items"):
        paired_bootstrap(GoldLabels(np.zeros((0, 2))), np.zeros((0, 2)), np.zeros((0, 2)))
