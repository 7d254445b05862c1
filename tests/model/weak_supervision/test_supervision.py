from model.items import Gold
from model.weak_supervision.supervision import GoldTable, family_folds
from tests.model.shop import LABELS


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
