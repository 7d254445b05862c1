import torch

from model.items import Gold
from model.tagger import Tagger
from model.weak_supervision.supervision import GoldTable, family_folds, supervise
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


def test_what_the_network_starts_from_has_not_seen_the_gold_of_its_family() -> None:
    items, _, families = SMALL.pool(60)
    chance_NK = torch.rand(len(items), len(LABELS), generator=torch.Generator().manual_seed(5)) < 0.5
    gold = {row: Gold(frozenset(label for label, has in zip(LABELS, chance_K, strict=True) if has))
            for row, chance_K in enumerate(chance_NK.tolist())}  # fmt: skip
    table = GoldTable.of(gold, LABELS, len(items))
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    found = supervise(cold, items, table, families=families, use_neighbours=False, use_industry=False)
    opinions = found.sources.opinions(items, torch.zeros_like(table.labels_NK))
    evidence_ND = found.evidence.vectors(items, found.sources.cues)
    fitted_NK = found.label_model.log_odds(opinions) + found.regression.log_odds(evidence_ND)
    assert agreement(fitted_NK, chance_NK) > 0.1, "what was fitted knows its own gold by heart"
    assert agreement(found.base_NK, chance_NK) < 0.05, "of gold that follows no rule the others' gold tells nothing"


def agreement(log_odds_NK: torch.Tensor, labels_NK: torch.Tensor) -> float:
    """How much more probable labels are on items that have them than on the others."""
    probability_NK = torch.sigmoid(log_odds_NK)
    return float(probability_NK[labels_NK].mean() - probability_NK[~labels_NK].mean())
