from dataclasses import replace

import pytest
import torch

from model.items import Gold
from model.problem import GoldTable, Problem
from model.weak_supervision.boxes import LearnedBoxes
from model.weak_supervision.propagation import Index
from testing.shop import LABELS, SMALL


def test_labels_that_gold_says_nothing_of_are_told() -> None:
    table = GoldTable.of({0: Gold(frozenset(LABELS[:1])), 1: Gold(frozenset(LABELS[:2]))}, LABELS, 3)
    missing = table.unlearnable(LABELS)
    assert missing.pop(LABELS[0]) == "all of 2 gold items have it"
    assert LABELS[1] not in missing
    assert set(missing.values()) == {"none of 2 gold items has it"}
    assert set(GoldTable.of({}, LABELS, 3).unlearnable(LABELS).values()) == {"there is no gold"}


def test_what_is_unknown_stays_unknown_in_the_table() -> None:
    table = GoldTable.of({1: Gold(frozenset({"LOGO"}), weight=0.5, unknown=frozenset({"价格", "主体"}))}, LABELS, 3)
    assert [LABELS[k] for k in table.labels_NK[1].isnan().nonzero()[:, 0].tolist()] == ["主体", "价格"]
    assert table.labels_NK[1].nansum() == 1
    assert (table.rows, table.weight_N.tolist()) == ([1], [1.0, 0.5, 1.0])
    nothing = Gold(frozenset(), unknown=frozenset(LABELS))
    assert GoldTable.of({1: nothing}, LABELS, 3).rows == []


ITEMS, GOLD, FAMILIES = SMALL.pool(8)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="8 items and 7 families"):
        Problem(ITEMS, GOLD, FAMILIES[:7])
    with pytest.raises(ValueError, match=r"rows \[9\]"):
        Problem(ITEMS, {9: Gold(frozenset())}, FAMILIES)
    with pytest.raises(ValueError, match="index of 7 items"):
        Problem(ITEMS, GOLD, FAMILIES, index=Index.of(ITEMS[:7]))
    with pytest.raises(ValueError, match="boxes of 3 items"):
        Problem(ITEMS, GOLD, FAMILIES, boxes=LearnedBoxes.silent(3, len(LABELS)))


def test_a_part_is_the_problem_of_its_rows() -> None:
    opinions_NK = torch.arange(8 * len(LABELS)).reshape(8, -1).double()
    boxes = replace(LearnedBoxes.silent(8, len(LABELS)), opinions_NK=opinions_NK)
    problem = Problem(ITEMS, {1: GOLD[1], 6: GOLD[6]}, FAMILIES, frozenset({6}), Index.of(ITEMS), boxes)
    part = problem.part([6, 0, 1])
    assert part.pool == [ITEMS[6], ITEMS[0], ITEMS[1]]
    assert part.families == [FAMILIES[6], FAMILIES[0], FAMILIES[1]]
    assert (part.gold, part.held_out, part.index) == ({0: GOLD[6], 2: GOLD[1]}, frozenset({0}), None)
    assert part.trainable == {2: GOLD[1]}
    assert part.boxes is not None
    assert torch.equal(part.boxes.opinions_NK, opinions_NK[[6, 0, 1]])
    assert problem.without_gold([1]).gold == {6: GOLD[6]}
