"""Out-of-fold answers on a small shop: no item is answered by who has seen its product."""

from dataclasses import replace

import pytest
import torch

from model.boxes.model import BoxModel
from model.metrics import macro_f1
from model.problem import GoldTable, Problem
from model.tagger import Tagger
from model.training import folds as folds_module
from model.training.config import TrainConfig
from model.training.folds import Folds, out_of_fold
from model.training.phases import PARTS, Phase
from model.training.progressive import EpochReport
from model.weak_supervision.boxes import BoxSource, LearnedBoxes
from testing.shop import LABELS, SMALL

SHORT = (
    Phase("base", 1, ("head",), 1e-2),
    Phase("fusion", 1, ("head", "attention"), 3e-3),
    Phase("refine", 1, PARTS, 1e-3),
)
CONFIG = TrainConfig(seed=3, first=SHORT, continuation=SHORT, network={"width": 16})
SOURCES_ALONE = replace(CONFIG, use_network=False)
ITEMS, GOLD, FAMILIES = SMALL.pool(40)
TRUTH_NK = GoldTable.of(GOLD, LABELS, len(ITEMS)).labels_NK


@pytest.fixture(scope="module")
def cold() -> Tagger:
    return Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)


@pytest.fixture(scope="module")
def cold_with_boxes() -> Tagger:
    return Tagger.cold_start(LABELS, space="space", seed=3)


def score(tagger: Tagger) -> float:
    return macro_f1(TRUTH_NK, tagger.calibration.decide(tagger.probabilities(ITEMS)))


def loud(cold: Tagger, rows: range) -> LearnedBoxes:
    """Boxes that know these items' labels, beside a model that knows nothing."""
    assert cold.box_model is not None
    opinions_NK = 8 * GoldTable.of({row: GOLD[row] for row in rows}, LABELS, len(ITEMS)).labels_NK - 4
    return LearnedBoxes(cold.box_model, BoxSource(torch.zeros(len(LABELS)).double()), opinions_NK.nan_to_num(0.0))


def test_judging_out_of_fold_can_be_ended_after_an_epoch(cold: Tagger) -> None:
    def stop(_: EpochReport) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        out_of_fold(cold, Problem(ITEMS, GOLD, FAMILIES), CONFIG, on_epoch=stop)


def test_out_of_fold_answers_gold_by_those_who_have_not_seen_it(cold: Tagger) -> None:
    answers = out_of_fold(cold, Problem(ITEMS, GOLD, FAMILIES), CONFIG, folds=2)
    assert answers.probability_NK.isfinite().all()
    assert macro_f1(TRUTH_NK, answers.given_NK) > score(cold)


def test_out_of_fold_hears_what_boxes_have_said_of_the_pool_and_does_not_ask_them_again(
    cold_with_boxes: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would answer by what they have learned of the very item."""
    monkeypatch.setattr(BoxModel, "see", never)
    boxes = loud(cold_with_boxes, range(40))
    answers = out_of_fold(cold_with_boxes, Problem(ITEMS, GOLD, FAMILIES, boxes=boxes), SOURCES_ALONE, folds=2)
    assert macro_f1(TRUTH_NK, answers.given_NK) > 0.95


def test_out_of_fold_learns_boxes_once_from_all_gold(cold_with_boxes: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[int]] = []

    def learn(_parent: Tagger, problem: Problem, **_: object) -> LearnedBoxes:
        asked.append(set(problem.gold))
        return loud(cold_with_boxes, range(40))

    monkeypatch.setattr(folds_module, "learn_boxes", learn)
    answers = out_of_fold(cold_with_boxes, Problem(ITEMS, GOLD, FAMILIES), SOURCES_ALONE, folds=2)
    assert asked == [set(GOLD)]
    assert macro_f1(TRUTH_NK, answers.given_NK) > 0.95


def never(*_: object) -> None:
    raise AssertionError("boxes are asked again")


def test_out_of_fold_uses_held_out_gold_too(cold: Tagger) -> None:
    problem = Problem(ITEMS, GOLD, FAMILIES)
    usual = out_of_fold(cold, problem, SOURCES_ALONE, folds=2)
    held_out = out_of_fold(cold, replace(problem, held_out=frozenset(range(0, 40, 2))), SOURCES_ALONE, folds=2)
    assert torch.equal(held_out.probability_NK, usual.probability_NK)
    assert torch.equal(held_out.given_NK, usual.given_NK)


def test_shuffled_gold_does_not_look_better_than_the_cold_start(cold: Tagger) -> None:
    order = torch.randperm(len(ITEMS), generator=torch.Generator().manual_seed(5)).tolist()
    shuffled = {row: GOLD[order[row]] for row in GOLD}
    answers = out_of_fold(cold, Problem(ITEMS, shuffled, FAMILIES), CONFIG, folds=2)
    assert macro_f1(TRUTH_NK, answers.given_NK) <= score(cold)


def test_out_of_fold_of_a_single_family_is_the_cold_start(cold: Tagger) -> None:
    answers = out_of_fold(cold, Problem(ITEMS[:6], {0: GOLD[0], 1: GOLD[1]}, ["one"] * 6), CONFIG)
    assert torch.equal(answers.probability_NK[:2], cold.probabilities(ITEMS[:2]))
    assert answers.probability_NK[2:].isnan().all()


def test_folds_leave_no_family_in_two_parts_and_learn_no_blocks(cold: Tagger) -> None:
    folds = Folds.of(cold, Problem(ITEMS, GOLD, FAMILIES), CONFIG, folds=4)
    assert sorted(row for rows in folds.rows for row in rows) == sorted(GOLD)
    families = [{FAMILIES[row] for row in rows} for rows in folds.rows]
    assert len(set().union(*families)) == sum(len(each) for each in families)
    assert not folds.config.use_blocks
