from model.items import Box, Gold, LabelledBox
from model.weak_supervision.supervision import GoldTable, family_folds
from tests.model.shop import LABELS


def test_labels_that_gold_says_nothing_of_are_told() -> None:
    table = GoldTable.of({0: Gold(frozenset(LABELS[:1])), 1: Gold(frozenset(LABELS[:2]))}, LABELS, 3)
    missing = table.unlearnable(LABELS)
    assert missing.pop(LABELS[0]) == "all of 2 gold items have it"
    assert LABELS[1] not in missing
    assert set(missing.values()) == {"none of 2 gold items has it"}
    assert set(GoldTable.of({}, LABELS, 3).unlearnable(LABELS).values()) == {"there is no gold"}


def test_boxes_without_tags_count_as_tags() -> None:
    table = GoldTable.of({1: Gold(None, (LabelledBox("LOGO", Box(0, 0, 0.1, 0.1)),), 0.5)}, LABELS, 3)
    assert table.labels_NK[1].tolist() == [0, 0, 1, 0, 0]
    assert (table.rows, table.weight_N.tolist()) == ([1], [1.0, 0.5, 1.0])


def test_folds_keep_families_whole() -> None:
    families = {row: f"p{row // 3}" for row in range(30)}
    folds = family_folds(families, 4, seed=1)
    assert sorted(row for fold in folds for row in fold) == list(range(30))
    assert all(
        len({families[row] for row in fold} & {families[row] for row in other}) == 0
        for fold in folds
        for other in folds
        if fold is not other
    )
    assert family_folds({0: "a"}, 4, seed=1) == [[0]]
