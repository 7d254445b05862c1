"""The builder of features: the same arguments give the same item, and a missing part has no rows."""

import torch

from model.features.cache import taken_apart
from model.features.folder import to_bytes
from testing.features import block, features


def test_the_same_arguments_give_the_same_features() -> None:
    one, same = (features(block("¥199"), grid_RC=torch.ones(4, 24), texts={"subtitle": "包邮"}) for _ in range(2))
    assert to_bytes(*taken_apart(one)) == to_bytes(*taken_apart(same))


def test_another_seed_changes_the_embeddings_alone() -> None:
    one, other = (features(block("¥199"), seed=seed) for seed in (1, 2))
    assert not torch.equal(one.tokens_TE, other.tokens_TE)
    assert (one.title, one.blocks, one.industry) == (other.title, other.blocks, other.industry)


def test_an_item_without_a_picture_has_no_cells_no_size_and_nothing_that_stands_out() -> None:
    item = features(widths=(5, 3))
    assert (item.size, item.grid_shape, item.grid_RC.shape, item.image_C.shape) == ((0, 0), (0, 0), (0, 5), (5,))
    assert item.contrast is None


def test_tokens_belong_to_the_title_and_to_the_blocks() -> None:
    assert features(block("a"), block("b")).token_block_T.tolist() == [-1, 0, 0, 1, 1]
    assert features(block("a"), title="").token_block_T.tolist() == [0, 0]


def test_without_a_seed_all_embeddings_are_zero() -> None:
    item = features(block("a"), seed=None, knows_industry=True)
    assert not any(part.any() for part in (item.tokens_TE, item.title_E, item.reading_E, item.industry_LE))
    assert item.industry_LE.shape == (2, 16)
