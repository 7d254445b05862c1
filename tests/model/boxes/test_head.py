"""What a head has seen, and what its parts have not."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from model.boxes.forest import Floats
from model.boxes.head import FOLDS, Bag, BoxHead, Example
from model.items import Box, LabelledBox

LABELS = ("主体", "价格")
CELLS = [Box(left / 4, top / 4, (left + 1) / 4, (top + 1) / 4) for top in range(4) for left in range(4)]
EDGES_N4 = torch.tensor([[cell.left, cell.top, cell.right, cell.bottom] for cell in CELLS])
FAMILIES = [f"p{n}" for n in range(12)]


def described(seed: int) -> Floats:
    """Each candidate's place, and noise."""
    noise = np.random.default_rng(seed).normal(size=(len(CELLS), 4)).astype(np.float32)
    return np.concatenate([EDGES_N4.numpy(), noise], axis=1)


def cold_of(seed: int) -> Floats:
    return np.random.default_rng(1000 + seed).uniform(0.2, 0.6, (len(CELLS), len(LABELS))).astype(np.float32)


def example(seed: int, family: str, *gold: tuple[str, int]) -> Example:
    """A picture of 16 cells, of which these hold these labels."""
    boxes = tuple(LabelledBox(label, CELLS[cell]) for label, cell in gold)
    return Example(EDGES_N4, described(seed), cold_of(seed), boxes, family)


def bag(seed: int, family: str, *tags: str) -> Bag:
    there = np.array([label in tags for label in LABELS], dtype=np.float32)
    return Bag(described(seed), cold_of(seed), there, family)


EXAMPLES = [example(n, family, ("主体", 5), ("价格", 12)) for n, family in enumerate(FAMILIES)]
BAGS = [bag(50 + n, family, "主体") for n, family in enumerate(FAMILIES)]


def same(first: BoxHead, second: BoxHead) -> bool:
    one, two = first.state(), second.state()
    return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def fitted(examples: Sequence[Example], bags: Sequence[Bag] = ()) -> tuple[BoxHead, dict[str, BoxHead]]:
    return BoxHead.fit(examples, LABELS, seed=3, bags=bags)


@pytest.mark.parametrize(
    "gold",
    [(("主体", 5),), (("主体", 0), ("价格", 0)), (), (("价格", 12),) * 5],
    ids=["less", "elsewhere", "none", "more"],
)
def test_a_part_does_not_hang_on_the_gold_of_the_family_that_it_has_not_seen(gold: tuple[tuple[str, int], ...]) -> None:
    served, unseen = fitted(EXAMPLES)
    served_after, unseen_after = fitted([*EXAMPLES[:4], example(4, FAMILIES[4], *gold), *EXAMPLES[5:]])
    assert set(unseen) == set(FAMILIES)
    assert same(unseen[FAMILIES[4]], unseen_after[FAMILIES[4]])
    assert not same(served, served_after)
    others = {family for family in FAMILIES if same(unseen[family], unseen_after[family])}
    assert len(others) <= -(-len(FAMILIES) // FOLDS)


def test_pictures_and_bags_of_one_family_are_unseen_together() -> None:
    """For each family, what has not seen it knows neither its rectangles nor its tags."""
    _, before = fitted(EXAMPLES, BAGS)
    for n, family in enumerate(FAMILIES[:3]):
        examples = [*EXAMPLES[:n], example(n, family, ("价格", 0)), *EXAMPLES[n + 1 :]]
        bags = [*BAGS[:n], bag(50 + n, family, "价格"), *BAGS[n + 1 :]]
        assert same(before[family], fitted(examples, bags)[1][family])


def test_families_of_bags_alone_are_unseen_too() -> None:
    head, unseen = fitted((), BAGS)
    assert set(unseen) == set(FAMILIES)
    assert head.forest is None
    other = fitted((), [bag(50, FAMILIES[0], "价格"), *BAGS[1:]])[1]
    assert same(unseen[FAMILIES[0]], other[FAMILIES[0]])
    assert sum(not same(unseen[family], other[family]) for family in FAMILIES) >= len(FAMILIES) - 2


def test_all_parts_serve() -> None:
    head, unseen = fitted(EXAMPLES, BAGS)
    parts = list({id(part): part for part in unseen.values()}.values())
    assert len(parts) == FOLDS
    inputs_ND = described(99)
    for name in ("forest", "bags"):
        means = [getattr(part, name).predict(inputs_ND) for part in parts]
        assert np.allclose(getattr(head, name).predict(inputs_ND), np.mean(means, axis=0), atol=1e-6)


def test_one_family_alone_is_judged_by_the_cold_start_and_teaches_the_others() -> None:
    head, unseen = fitted([example(n, "alone", ("主体", 5)) for n in range(3)], [bag(7, "alone")])
    inputs_ND, cold_NK = described(99), cold_of(99)
    assert set(unseen) == {"alone"}
    assert np.array_equal(unseen["alone"].quality(inputs_ND, cold_NK), cold_NK)
    learned_N = head.quality(inputs_ND, cold_NK)[:, 0]
    assert learned_N.argmax() == 5
    assert not np.allclose(learned_N, cold_NK[:, 0], atol=0.05)


def test_a_label_that_one_family_alone_has_is_the_cold_starts_matter_there() -> None:
    """Believed by all boxes, a forest that has never seen the label would deny it to those who have it, and to no
    others."""
    rare = [example(n, family, ("主体", 5), *[("价格", 12)] * (n == 2)) for n, family in enumerate(FAMILIES)]
    head, unseen = fitted(rare)
    inputs_ND, cold_NK = described(99), cold_of(99)
    assert np.array_equal(unseen[FAMILIES[2]].quality(inputs_ND, cold_NK)[:, 1], cold_NK[:, 1])
    assert head.trust_K[1] > 0
