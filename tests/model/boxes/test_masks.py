"""Small trees answer by masks what a walk through them answers; test_forest.py has walks through trees of all sizes."""

import numpy as np
import pytest

from model.boxes.forest import Floats, Forest
from model.boxes.masks import CHUNK, MOST_LEAVES, SmallTrees

RANDOM = np.random.default_rng(6)
INPUTS = 4


def tree(leaves: int, outputs: int) -> Forest:
    """A tree of any shape, with values of every output in each leaf; some of its thresholds are equal."""
    lower, upper, feature, threshold = [0], [0], [0], [np.inf]
    for _ in range(leaves - 1):
        ends = [node for node, below in enumerate(lower) if below == node]
        split = int(RANDOM.choice(ends))
        lower[split], upper[split] = len(lower), len(lower) + 1
        feature[split], threshold[split] = int(RANDOM.integers(INPUTS)), float(RANDOM.integers(-3, 4)) / 2
        for node in (len(lower), len(lower) + 1):
            lower.append(node)
            upper.append(node)
            feature.append(0)
            threshold.append(np.inf)
    return Forest(
        np.array(feature, dtype=np.int32),
        np.array(threshold, dtype=np.float32),
        np.array(lower, dtype=np.int32),
        np.array(upper, dtype=np.int32),
        RANDOM.normal(size=(len(lower), outputs)).astype(np.float32),
        np.zeros(1, dtype=np.int32),
    )


def walked(forest: Forest, inputs_ND: Floats) -> Floats:
    """The sums over all trees, walked node by node."""
    sums_NK = np.zeros((len(inputs_ND), forest.value_MK.shape[1]), dtype=np.float32)
    for row, input_D in enumerate(inputs_ND):
        for node in forest.root_T:
            while forest.lower_M[node] != node:
                is_below = input_D[forest.feature_M[node]] <= forest.threshold_M[node]
                node = forest.lower_M[node] if is_below else forest.upper_M[node]
            sums_NK[row] += forest.value_MK[node]
    return sums_NK


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("rows", [1, CHUNK, CHUNK + 1])
def test_masks_lead_to_the_leaf_in_which_a_walk_ends(outputs: int, rows: int) -> None:
    forest = Forest.joined([tree(leaves, outputs) for leaves in range(2, MOST_LEAVES + 1) for _ in range(3)])
    inputs_ND = (RANDOM.integers(-4, 5, size=(rows, INPUTS)) / 2).astype(np.float32)  # often right at a threshold
    inputs_ND[RANDOM.random(inputs_ND.shape) < 0.05] = np.nan
    sums_NK = np.full((rows, outputs), 2, dtype=np.float32)
    SmallTrees.of(forest, forest.root_T.astype(np.intp)).add_to(sums_NK, inputs_ND)
    assert np.allclose(sums_NK, 2 + walked(forest, inputs_ND), atol=1e-5)


def test_a_tree_that_says_nothing_of_an_output_is_not_asked_for_it() -> None:
    forest = Forest.joined([tree(5, 3), tree(7, 3)])
    forest.value_MK[:, 1] = 0
    trees = SmallTrees.of(forest, forest.root_T.astype(np.intp))
    assert trees.outputs.tolist() == [0, 2]
    assert len(trees.value_TL) == 4
    inputs_ND = RANDOM.normal(size=(9, INPUTS)).astype(np.float32)
    assert np.allclose(forest.predict(inputs_ND), walked(forest, inputs_ND) / 2, atol=1e-6)


def test_trees_of_all_sizes_answer_together() -> None:
    grown = RANDOM.normal(size=(400, INPUTS)).astype(np.float32)
    large = Forest.grow(grown, np.sin(grown[:, :2]), trees=3, seed=1)
    assert len(large.lower_M) > 3 * 2 * MOST_LEAVES
    forest = Forest.joined([tree(1, 2), large, tree(2, 2), tree(MOST_LEAVES, 2), tree(1, 2)])
    inputs_ND = RANDOM.normal(size=(70, INPUTS)).astype(np.float32)
    inputs_ND[3, 2] = np.nan
    assert np.allclose(forest.predict(inputs_ND), walked(forest, inputs_ND) / len(forest.root_T), atol=1e-6)


def test_a_large_tree_whose_nodes_stand_otherwise_is_refused() -> None:
    forest = Forest.joined([tree(MOST_LEAVES + 1, 1)])
    forest.lower_M[0], forest.upper_M[0] = forest.upper_M[0], forest.lower_M[0]
    with pytest.raises(ValueError, match="side by side"):
        forest.predict(np.zeros((1, INPUTS), dtype=np.float32))
