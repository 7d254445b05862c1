import numpy as np
import pytest
import xgboost
from sklearn.ensemble import ExtraTreesRegressor

from model.boxes.forest import CHUNK, Floats, Forest

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


def test_stored_boosted_trees_answer_like_the_ones_that_were_grown() -> None:
    forest = Forest.boosted(INPUTS, TARGETS, seed=3)
    for k in range(TARGETS.shape[1]):
        options = {
            "eta": 0.06, "grow_policy": "lossguide", "max_leaves": 12, "max_depth": 0, "min_child_weight": 8,
            "reg_lambda": 1.0, "colsample_bynode": 0.4, "max_bin": 63, "nthread": 1, "seed": 3,
            "base_score": float(TARGETS[:, k].mean()),
        }  # fmt: skip
        data = xgboost.QuantileDMatrix(INPUTS, TARGETS[:, k], max_bin=63)
        grown = xgboost.train(options, data, num_boost_round=150)
        assert np.allclose(forest.predict(INPUTS)[:, k], grown.predict(xgboost.DMatrix(INPUTS)), atol=1e-5)
    restored = Forest.from_state(forest.state())
    assert np.array_equal(restored.predict(INPUTS), forest.predict(INPUTS))
    assert np.array_equal(Forest.boosted(INPUTS, TARGETS, seed=3).predict(INPUTS), forest.predict(INPUTS))
    edges = np.unique(forest.threshold_M[np.isfinite(forest.threshold_M)])
    at_edges = np.repeat(edges[:, None], INPUTS.shape[1], 1)[:500]
    assert np.allclose(forest.predict(at_edges)[:, -1], grown.predict(xgboost.DMatrix(at_edges)), atol=1e-5), (
        "also where an input is at or just below a threshold"
    )
    few = Forest.boosted(INPUTS[:3], TARGETS[:3], seed=0)
    assert np.allclose(few.predict(INPUTS[:4]), TARGETS[:3].mean(0), atol=1e-5)


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


def leaf(forest: Forest, node: int, input_D: Floats) -> int:
    """Where one row ends, walked one node at a time."""
    lower, upper = int(forest.lower_M[node]), int(forest.upper_M[node])
    if lower == upper == node:
        return node
    return leaf(forest, lower if input_D[forest.feature_M[node]] <= forest.threshold_M[node] else upper, input_D)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("rows", [0, 1, 7, CHUNK + 1])
def test_each_row_goes_the_way_of_a_walk_node_by_node(outputs: int, rows: int) -> None:
    parts = [Forest.grow(INPUTS, TARGETS[:, :outputs], trees=3, seed=seed) for seed in (1, 2)]
    forest = Forest.joined([*parts, Forest.grow(INPUTS[:1], TARGETS[:1, :outputs], trees=1, seed=0)])
    inputs = RANDOM.choice(INPUTS.ravel(), size=(6, rows)).T  # not contiguous, and often right at a threshold
    inputs[: rows // 2] = RANDOM.choice(forest.threshold_M[np.isfinite(forest.threshold_M)], size=(rows // 2, 6))
    ends = np.array([[leaf(forest, int(root), row) for root in forest.root_T] for row in inputs], dtype=np.intp)
    walked = forest.value_MK[ends.reshape(rows, len(forest.root_T))].mean(axis=1)
    assert np.array_equal(forest.predict(inputs), walked)


def test_what_is_unknown_counts_as_above_every_threshold() -> None:
    forest = Forest.grow(INPUTS, TARGETS, trees=5, seed=1)
    unknown, large = np.full((2, 6), np.nan, dtype=np.float32), np.full((2, 6), np.inf, dtype=np.float32)
    assert np.array_equal(forest.predict(unknown), forest.predict(large))


def test_a_walk_adds_nothing_to_what_is_stored() -> None:
    forest = Forest.grow(INPUTS, TARGETS, trees=2, seed=1)
    before = set(forest.state())
    forest.predict(INPUTS)
    assert set(forest.state()) == before
