import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from model.boxes.forest import Forest

RANDOM = np.random.default_rng(5)
INPUTS = RANDOM.normal(size=(300, 6)).astype(np.float32)
TARGETS = np.stack([INPUTS[:, 0] > 0, INPUTS[:, 1] * INPUTS[:, 2] > 0], axis=1).astype(np.float32)


def test_the_stored_trees_answer_like_the_ones_that_were_grown() -> None:
    grown = ExtraTreesRegressor(
        n_estimators=7, min_samples_leaf=2, max_features=0.3, max_leaf_nodes=512, random_state=3
    )
    grown.fit(INPUTS, TARGETS)
    forest = Forest.grow(INPUTS, TARGETS, trees=7, seed=3)
    assert np.allclose(forest.predict(INPUTS), grown.predict(INPUTS), atol=1e-5)


def test_it_learns_and_repeats_itself() -> None:
    forest = Forest.grow(INPUTS, TARGETS, trees=20, seed=1)
    fresh = RANDOM.normal(size=(200, 6)).astype(np.float32)
    assert ((forest.predict(fresh)[:, 0] > 0.5) == (fresh[:, 0] > 0)).mean() > 0.9
    again = Forest.grow(INPUTS, TARGETS, trees=20, seed=1)
    assert np.array_equal(forest.predict(fresh), again.predict(fresh))


def test_tensors_and_back() -> None:
    forest = Forest.joined([Forest.grow(INPUTS, TARGETS, trees=3, seed=seed) for seed in (1, 2)])
    assert len(forest.root_T) == 6
    restored = Forest.from_state(forest.state())
    assert np.array_equal(restored.predict(INPUTS), forest.predict(INPUTS))


def test_one_output_and_one_row_are_enough() -> None:
    forest = Forest.grow(INPUTS[:1], TARGETS[:1, :1], trees=2, seed=0)
    assert forest.predict(INPUTS[:4]).tolist() == [[pytest.approx(float(TARGETS[0, 0]))]] * 4
