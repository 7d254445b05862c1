"""Gold that says little or nothing true, items that lack what others have: trains, and nothing becomes NaN."""

from pathlib import Path

import pytest

from model.features.item import ItemFeatures
from model.items import Gold
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import EpochReport, fit
from testing.features import features, with_industry, with_text
from testing.shop import LABELS, SMALL

PHASES = (
    Phase("base", 1, ("head",), 1e-2),
    Phase("fusion", 1, ("head", "attention"), 3e-3),
    Phase("refine", 1, PARTS, 1e-3),
)
CONFIG = TrainConfig(seed=3, first=PHASES, continuation=PHASES[:1], network={"width": 16})
ITEMS, GOLD, FAMILIES = SMALL.pool(40)


@pytest.fixture(scope="module")
def cold() -> Tagger:
    return Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)


@pytest.mark.parametrize(
    "gold",
    [
        {0: GOLD[0]},
        {row: Gold(frozenset()) for row in range(8)},
        {row: Gold(frozenset(LABELS)) for row in range(8)},
        {row: Gold(frozenset({"vanished"})) for row in range(8)},
        {0: Gold(frozenset(LABELS)), 1: Gold(frozenset())},
        {row: Gold(frozenset(LABELS) - (GOLD[row].labels or frozenset())) for row in range(24)},
    ],
    ids=["one label", "no positives", "no negatives", "labels that vanished", "contradiction", "all sources wrong"],
)
def test_bad_gold_trains_and_stays_finite(cold: Tagger, gold: dict[int, Gold]) -> None:
    reports: list[EpochReport] = []
    tagger = fit(cold, Problem(ITEMS, gold, FAMILIES), CONFIG, on_epoch=reports.append)
    assert tagger.probabilities(ITEMS).isfinite().all()
    assert all(report.gold_loss == report.gold_loss for report in reports)


def test_identical_items_with_opposite_gold_stay_undecided(cold: Tagger) -> None:
    twins = [ITEMS[0]] * 80
    gold = {row: Gold(frozenset(LABELS) if row % 2 else frozenset()) for row in range(80)}
    tagger = fit(cold, Problem(twins, gold, [str(row) for row in range(80)]), CONFIG)
    assert ((tagger.probabilities(twins) > 0.2) & (tagger.probabilities(twins) < 0.8)).all()


def test_items_without_picture_or_text_are_trained_on(cold: Tagger) -> None:
    bare = [features(title="", industry=()), features(), *ITEMS[:10]]
    gold = {row: Gold(frozenset({"主体"})) for row in range(6)}
    tagger = fit(cold, Problem(bare, gold, [str(row) for row in range(12)]), CONFIG)
    assert tagger.probabilities(bare).isfinite().all()


PICTURES = [features(title="", industry=(), grid_RC=one.grid_RC, seed=row) for row, one in enumerate(ITEMS[:6])]
IN_INDUSTRIES = [with_industry(one, "家电", f"类{row % 2}") for row, one in enumerate(PICTURES)]
TEXTS = [features(title=f"商品 {row}", industry=(), seed=row) for row in range(6)]


def epochs_to(served: Tagger, pool: list[ItemFeatures], state: Path) -> tuple[Tagger, int]:
    """The tagger that six gold items of the pool make of the served one, and the epochs that it took."""
    reports: list[EpochReport] = []
    gold = {row: Gold(frozenset({"主体"} if row % 2 else ())) for row in range(6)}
    families = [str(row) for row in range(len(pool))]
    tagger = fit(served, Problem(pool, gold, families), CONFIG, on_epoch=reports.append, resume=state)
    return tagger, len(reports)


@pytest.mark.parametrize("first", [PICTURES, IN_INDUSTRIES, TEXTS], ids=["pictures", "with industry", "texts"])
def test_a_network_begins_anew_when_a_missing_modality_comes_and_goes_on_otherwise(
    cold: Tagger, first: list[ItemFeatures], tmp_path: Path
) -> None:
    whole = [*first, *(with_text(with_industry(one, *one.industry)) for one in ITEMS[:4])]
    served, taken = cold, []
    for number, pool_then in enumerate([first, first, whole, whole, first]):
        served, epochs = epochs_to(served, pool_then, tmp_path / f"{number}.safetensors")
        taken.append(epochs)
        assert served.probabilities(whole).isfinite().all()
        assert served.calibration.threshold_K.isfinite().all()
    assert taken == [3, 1, 3, 1, 1]


def test_what_was_left_before_pictures_came_is_not_gone_on_from(cold: Tagger, tmp_path: Path) -> None:
    start, _ = epochs_to(cold, TEXTS, tmp_path / "start.safetensors")
    assert epochs_to(start, TEXTS, tmp_path / "left.safetensors")[1] == 1
    shown = [features(title=f"商品 {row}", industry=(), seed=row, grid_RC=PICTURES[row].grid_RC) for row in range(6)]
    assert epochs_to(start, shown, tmp_path / "left.safetensors")[1] == 3
