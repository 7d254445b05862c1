"""The synthetic shop: items follow from their number, and their labels show where the shop says so."""

from dataclasses import replace

import torch

from model.features.cache import taken_apart
from model.features.folder import to_bytes
from testing.shop import CLEAR, LABELS, PLAIN, SHOP, WORDS


def test_an_item_follows_from_its_number() -> None:
    (one, gold), (same, same_gold), (other, _) = (SHOP.item(number) for number in (3, 3, 4))
    assert to_bytes(*taken_apart(one)) == to_bytes(*taken_apart(same)) != to_bytes(*taken_apart(other))
    assert gold == same_gold


def test_a_pool_is_of_families_of_two_that_share_a_title() -> None:
    items, gold, families = SHOP.pool(4, start=2)
    assert families == ["p1", "p1", "p2", "p2"]
    assert [item.title for item in items] == ["商品 1", "商品 1", "商品 2", "商品 2"]
    assert gold[1] == SHOP.item(3)[1]


def test_a_clear_shop_writes_the_words_of_exactly_the_labels() -> None:
    for number in range(20):
        item, gold = CLEAR.item(number)
        assert {block.text for block in item.blocks} == {WORDS[one] for one in gold.labels or () if one in WORDS}


def test_a_plain_shop_sometimes_writes_words_of_labels_that_are_not_there() -> None:
    astray = set[str]()
    for number in range(40):
        item, gold = PLAIN.item(number)
        absent = {WORDS[label] for label in WORDS if label not in (gold.labels or ())}
        astray |= absent & {block.text for block in item.blocks}
    assert astray == set(WORDS.values())


def test_the_look_moves_a_labels_own_channel() -> None:
    for look in (2.0, -2.0):
        item, gold = replace(SHOP, look=look).item(5)
        means_K = item.grid_RC[:, : len(LABELS)].float().mean(0)
        has_K = torch.tensor([label in (gold.labels or ()) for label in LABELS])
        assert ((means_K > 0) == (has_K if look > 0 else ~has_K)).all()
