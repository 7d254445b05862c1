"""Training on a small shop: what each phase trains, what survives, what bad gold does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from model.attention.batching import Batch
from model.attention.blocks import BlockReader
from model.attention.network import Network, make_network
from model.attention.reduction import Reduction
from model.calibration import Calibration
from model.features.item import ItemFeatures
from model.items import Gold
from model.metrics import macro_f1
from model.problem import GoldTable, Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import Course, EpochReport, fit, nothing_to_do
from model.training.supervision import supervise
from model.weak_supervision.boxes import BoxSource, LearnedBoxes
from testing.features import features, with_industry, with_text
from testing.shop import LABELS, SMALL

SHORT = (
    Phase("base", 1, ("head",), 1e-2),
    Phase("fusion", 1, ("head", "attention"), 3e-3),
    Phase("refine", 1, PARTS, 1e-3),
)
CONFIG = TrainConfig(seed=3, first=SHORT, continuation=SHORT, network={"width": 16})
SOURCES_ALONE = replace(CONFIG, use_network=False)
ITEMS, GOLD, FAMILIES = SMALL.pool(40)
SOME = {row: GOLD[row] for row in range(24)}


@pytest.fixture(scope="module")
def cold() -> Tagger:
    return Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)


@pytest.fixture(scope="module")
def cold_with_boxes() -> Tagger:
    return Tagger.cold_start(LABELS, space="space", seed=3)


def weights(tagger: Tagger) -> dict[str, torch.Tensor]:
    assert tagger.network is not None
    return tagger.network.state_dict()


def same(first: Tagger, second: Tagger) -> bool:
    return all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())


def score(tagger: Tagger, start: int = 200, count: int = 60) -> float:
    items, gold, _ = SMALL.pool(count, start=start)
    gold_NK = GoldTable.of(gold, LABELS, count).labels_NK
    return macro_f1(gold_NK, tagger.calibration.decide(tagger.probabilities(items)))


def test_each_phase_trains_exactly_its_parts(cold: Tagger) -> None:
    seen: list[tuple[str, Tagger]] = []
    fit(cold, Problem(ITEMS, SOME, FAMILIES), CONFIG, on_phase=lambda name, tagger: seen.append((name, tagger)))
    assert [name for name, _ in seen] == ["base", "fusion", "refine"]
    assert seen[0][1].network
    untrained = replace(seen[0][1], network=make_network(seen[0][1].network.config, CONFIG.seed))
    moved = []
    for before, after in pairwise([untrained, *(tagger for _, tagger in seen)]):
        assert after.network is not None
        parts = {name: {id(p) for p in group} for name, group in after.network.parts().items()}
        changed = {
            part
            for name, parameter in after.network.named_parameters()
            for part, members in parts.items()
            if id(parameter) in members and not torch.equal(parameter, weights(before)[name])
        }
        moved.append(changed)
    assert moved == [{"head"}, {"head", "attention"}, {"head", "attention", "projections"}]


def test_gold_makes_it_better_than_the_cold_start(cold: Tagger) -> None:
    items, gold, families = SMALL.pool(100)
    tagger = fit(cold, Problem(items, gold, families), CONFIG)
    assert score(tagger) > score(cold) + 0.05


def test_the_same_seed_gives_the_same_tagger_and_another_another(cold: Tagger) -> None:
    first = fit(cold, Problem(ITEMS, SOME, FAMILIES), CONFIG)
    torch.manual_seed(99)
    assert same(first, fit(cold, Problem(ITEMS, SOME, FAMILIES), CONFIG))
    assert not same(first, fit(cold, Problem(ITEMS, SOME, FAMILIES), replace(CONFIG, seed=4)))


def test_what_another_start_has_left_is_not_gone_on_from(cold: Tagger, tmp_path: Path) -> None:
    state = tmp_path / "run.safetensors"

    def kill(_: EpochReport) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(cold, Problem(ITEMS, SOME, FAMILIES), CONFIG, on_epoch=kill, resume=state)
    seen: list[int] = []
    other = cold.named("v7.beef")
    fit(other, Problem(ITEMS, SOME, FAMILIES), CONFIG, on_epoch=lambda r: seen.append(r.epoch), resume=state)
    assert seen == [1, 2, 3]


def test_a_killed_training_goes_on_to_the_same_end(cold: Tagger, tmp_path: Path) -> None:
    state = tmp_path / "run.safetensors"
    told = [with_text(with_industry(one, *one.industry), f"第{row}件") for row, one in enumerate(ITEMS)]

    def kill(report: EpochReport) -> None:
        if report.epoch == 2:
            raise InterruptedError

    whole = fit(cold, Problem(told, SOME, FAMILIES), CONFIG)
    with pytest.raises(InterruptedError):
        fit(cold, Problem(told, SOME, FAMILIES), CONFIG, on_epoch=kill, resume=state)
    left: list[int] = []
    resumed = fit(cold, Problem(told, SOME, FAMILIES), CONFIG, on_epoch=lambda r: left.append(r.epoch), resume=state)
    assert left == [3]
    assert same(whole, resumed)
    after = fit(cold, Problem(told, SOME, FAMILIES), CONFIG, on_epoch=lambda r: left.append(r.epoch), resume=state)
    assert left == [3]
    assert same(whole, after)


@pytest.mark.parametrize("content", [b"", b"garbage" * 50])
def test_a_broken_resume_file_starts_afresh(cold: Tagger, tmp_path: Path, content: bytes) -> None:
    state = tmp_path / "run.safetensors"
    state.write_bytes(content)
    seen: list[int] = []
    fit(cold, Problem(ITEMS, SOME, FAMILIES), CONFIG, on_epoch=lambda r: seen.append(r.epoch), resume=state)
    assert seen == [1, 2, 3]


def test_a_continuation_starts_from_the_served_weights_and_optimizer(cold: Tagger) -> None:
    first = fit(cold, Problem(ITEMS, SOME, FAMILIES), CONFIG)
    again = fit(first, Problem(ITEMS, SOME, FAMILIES), CONFIG)
    steps = [float(first.optimizer["head.step"]), float(again.optimizer["head.step"])]
    assert steps[1] == 2 * steps[0]
    assert not same(first, again)


def test_a_continuation_keeps_what_it_knew_and_has_rows_for_new_industries_and_texts(cold: Tagger) -> None:
    told = [with_industry(one, *one.industry) for one in ITEMS]
    config = replace(CONFIG, network={**CONFIG.network, "use_industry": True})
    first = fit(cold, Problem(told, SOME, FAMILIES), config)
    more = [with_text(with_industry(one, "园艺", "花盆")) for one in ITEMS[:12]]
    head_only = replace(config, continuation=SHORT[:1])
    again = fit(first, Problem([*told, *more], SOME, [*FAMILIES, *FAMILIES[:12]]), head_only)
    assert first.network is not None
    assert again.network is not None
    old, new = first.network.config.vocabulary, again.network.config.vocabulary
    assert new.industries == (*old.industries, "0:园艺", "1:花盆")
    assert (old.fields, new.fields) == ((), ("description",))
    known = len(old.industries)
    assert torch.equal(weights(again)["industry_offset"][:known], weights(first)["industry_offset"])
    assert weights(first)["industry_offset"].any(1).all()
    assert not weights(again)["industry_offset"][known:].any()
    assert float(again.optimizer["head.step"]) > float(first.optimizer["head.step"])
    assert again.optimizer["industry_value.exp_avg"].shape == weights(again)["industry_value"].shape


def test_the_weight_of_a_text_is_learned_from_what_it_tells(cold: Tagger) -> None:
    """Reviews that say whether there is a gift, in a shop whose pictures do not."""
    silent = [replace(features(seed=row), industry=()) for row in range(40)]
    items = [with_text(one, "送杯子" if row % 2 else "没有", "reviews") for row, one in enumerate(silent)]
    gold = {row: Gold(frozenset({"赠品"} if row % 2 else ())) for row in range(40)}
    config = replace(CONFIG, use_regression=False, use_neighbours=False, logit_penalty=0.0, modality_dropout=0.0)
    slow = replace(config, first=(Phase("refine", 12, PARTS, 1e-2),))
    tagger = fit(cold, Problem(items, gold, [str(row) for row in range(40)]), slow)
    assert float(weights(tagger)["field_weight"]) != 1.0
    gift_N = tagger.network_logits(items)[:, 1]
    assert gift_N[1::2].min() > gift_N[::2].max()


def test_held_out_gold_teaches_nothing_but_thresholds(cold: Tagger) -> None:
    held_out = frozenset(range(12, 24))
    turned = SOME | {row: Gold(frozenset(LABELS) - (SOME[row].labels or frozenset())) for row in held_out}
    straight = fit(cold, Problem(ITEMS, SOME, FAMILIES, held_out=held_out), CONFIG)
    other = fit(cold, Problem(ITEMS, turned, FAMILIES, held_out=held_out), CONFIG)
    assert same(straight, other)
    assert not torch.equal(straight.calibration.threshold_K, other.calibration.threshold_K)


def silently(gold: Mapping[int, Gold]) -> Problem:
    """The problem of this gold, whose boxes say nothing."""
    return Problem(ITEMS, gold, FAMILIES, boxes=LearnedBoxes.silent(len(ITEMS), len(LABELS)))


def rigged(cold: Tagger, gold_count: int, right: list[float]) -> Course:
    """A course whose weak labels are sure, and right on these shares of the gold, class by class."""
    said_NK = GoldTable.of(GOLD, LABELS, len(ITEMS)).labels_NK.clone()
    for k, share in enumerate(right):
        said_NK[round(share * gold_count) :, k] = 1 - said_NK[round(share * gold_count) :, k]
    supervision = supervise(cold, silently({row: GOLD[row] for row in range(gold_count)}))
    sure = replace(supervision.weak, probability_NK=said_NK, confidence_NK=torch.ones_like(said_NK))
    tagger = replace(cold, reduction=Reduction.of(ITEMS, seed=1))
    return Course(tagger, ITEMS, replace(supervision, weak=sure), CONFIG)


def test_weak_labels_weigh_less_the_more_gold_there_is_and_the_more_often_they_are_wrong(cold: Tagger) -> None:
    """The noise-robust loss: 60 / (60 + gold) (sensitivity + specificity - 1), each under a Beta(4, 1) prior."""
    right = [1.0, 0.75, 0.5, 0.25, 0.0]
    for gold_count in (8, 32):
        weight_NK = rigged(cold, gold_count, right).weak_weight_NK
        expected = []
        for label, share in zip(LABELS, right, strict=True):
            sided: dict[bool, list[bool]] = {True: [], False: []}
            for row in range(gold_count):
                sided[label in GOLD[row].labels].append(row < round(share * gold_count))
            yes, no = ((sum(side) + 4) / (len(side) + 5) for side in sided.values())
            expected.append(60 / (60 + gold_count) * max(0.0, yes + no - 1))
        assert torch.allclose(weight_NK, torch.tensor(expected).expand_as(weight_NK))
    assert rigged(cold, 8, right).weak_weight_NK[0, 0] > rigged(cold, 32, right).weak_weight_NK[0, 0] + 0.01


def test_weak_labels_that_deny_a_rare_class_to_everybody_are_not_trusted(cold: Tagger) -> None:
    gold = {row: Gold(frozenset({"主体", *(["赠品"] if row < 4 else [])})) for row in range(40)}
    supervision = supervise(cold, silently(gold))
    denied_NK = torch.zeros_like(supervision.weak.probability_NK)
    sure = replace(supervision.weak, probability_NK=denied_NK, confidence_NK=torch.ones_like(denied_NK))
    tagger = replace(cold, reduction=Reduction.of(ITEMS, seed=1))
    weight_NK = Course(tagger, ITEMS, replace(supervision, weak=sure), CONFIG).weak_weight_NK
    # Right on 36 of 40, but not on one of the four that have it: 60 / 100 · (4/9 + 40/41 - 1).
    assert weight_NK[0, LABELS.index("赠品")] == pytest.approx(0.6 * (4 / 9 + 40 / 41 - 1), abs=1e-6)


def test_what_weak_labels_say_is_learned(cold: Tagger) -> None:
    def learned(turned: bool) -> torch.Tensor:
        course = rigged(cold, 8, [1.0] * len(LABELS))
        course.weak_NK = 1 - course.weak_NK if turned else course.weak_NK
        course.run(lambda network, _: replace(cold, network=network), nothing_to_do)
        return course.logits(course.learner.average)[8:]

    said_NK = rigged(cold, 8, [1.0] * len(LABELS)).weak_NK[8:]
    assert ((learned(False) - learned(True)) * (said_NK - 0.5)).mean() > 1e-3


@pytest.mark.parametrize("switch", ["modality_dropout", "ema_decay"])
def test_each_of_these_takes_part_in_training(cold: Tagger, switch: str) -> None:
    few = {row: GOLD[row] for row in range(8)}
    usual = fit(cold, Problem(ITEMS, few, FAMILIES), CONFIG)
    without = fit(cold, Problem(ITEMS, few, FAMILIES), replace(CONFIG, **{switch: 0.0}))  # type: ignore[arg-type]
    assert not same(usual, without)


def test_without_the_network_the_served_one_neither_answers_nor_goes_on(cold: Tagger) -> None:
    loud = replace(CONFIG, first=(Phase("refine", 5, PARTS, 1e-2),), logit_penalty=0.0)
    trained = fit(cold, Problem(ITEMS, SOME, FAMILIES), loud)
    without = fit(trained, Problem(ITEMS, SOME, FAMILIES), SOURCES_ALONE)
    fresh = fit(cold, Problem(ITEMS, SOME, FAMILIES), SOURCES_ALONE)
    assert (without.network, without.optimizer) == (None, {})
    assert torch.equal(without.probabilities(ITEMS), fresh.probabilities(ITEMS))


def test_no_gold_is_told(cold: Tagger) -> None:
    with pytest.raises(ValueError, match="no gold label"):
        fit(cold, Problem(ITEMS, {}, FAMILIES), CONFIG)


def test_blocks_are_learned_for_the_taggers_that_are_asked_for_alone(
    cold: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = list[int]()
    whole = BlockReader.fit

    def noting(network: Network, batch: Batch, items: Sequence[ItemFeatures], *given: Any) -> BlockReader:
        learned.append(len(items))
        return whole(network, batch, items, *given)

    monkeypatch.setattr(BlockReader, "fit", noting)
    problem = Problem(ITEMS, SOME, FAMILIES)
    assert fit(cold, problem, CONFIG).blocks
    assert len(learned) == 1
    fit(cold, problem, CONFIG, on_phase=lambda *_: None)
    assert len(learned) == 1 + 3
    fit(cold, problem, replace(CONFIG, use_blocks=False))
    assert len(learned) == 1 + 3


def loud(cold: Tagger, rows: range) -> LearnedBoxes:
    """Boxes that know these items' labels, beside a model that knows nothing."""
    assert cold.box_model is not None
    opinions_NK = 8 * GoldTable.of({row: GOLD[row] for row in rows}, LABELS, len(ITEMS)).labels_NK - 4
    return LearnedBoxes(cold.box_model, BoxSource(torch.zeros(len(LABELS)).double()), opinions_NK.nan_to_num(0.0))


def test_boxes_can_be_silenced(cold_with_boxes: Tagger) -> None:
    boxes = loud(cold_with_boxes, range(40))
    silenced = replace(SOURCES_ALONE, use_boxes=False)
    without = fit(cold_with_boxes, Problem(ITEMS, SOME, FAMILIES, boxes=boxes), silenced)
    heard = fit(cold_with_boxes, Problem(ITEMS, SOME, FAMILIES, boxes=boxes), SOURCES_ALONE)
    assert without.box_source is None
    assert without.box_opinions(ITEMS) is None
    assert without.box_model is boxes.model  # it still draws
    assert heard.box_source is not None
    bare = fit(replace(cold_with_boxes, box_model=None), Problem(ITEMS, SOME, FAMILIES), SOURCES_ALONE)
    assert torch.equal(without.probabilities(ITEMS), bare.probabilities(ITEMS))
    assert without.credence == bare.credence
    told = boxes.opinions_NK
    assert not torch.allclose(heard.probabilities(ITEMS, told), without.probabilities(ITEMS), atol=0.05)


def test_gold_calibrates_by_what_was_said_of_it_out_of_fold(cold: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def noting(log_odds_NK: torch.Tensor, unseen_GK: torch.Tensor, gold_GK: torch.Tensor) -> Calibration:
        asked.append((log_odds_NK[sorted(SOME)], unseen_GK, gold_GK))
        return Calibration.neutral(gold_GK.shape[1])

    monkeypatch.setattr(Calibration, "of", noting)
    fit(cold, Problem(ITEMS, SOME, FAMILIES), CONFIG)
    alone = fit(cold, Problem(ITEMS, SOME, FAMILIES), SOURCES_ALONE)
    *_, (said_GK, unseen_GK, gold_GK), (_, without_GK, _) = asked  # of the last phase, and of the fit without network
    assert torch.equal(gold_GK, GoldTable.of(SOME, LABELS, len(ITEMS)).labels_NK[sorted(SOME)])
    assert torch.equal(unseen_GK, without_GK), "the network has seen the gold, so it has no say"
    assert not torch.equal(said_GK, unseen_GK)
    trained_GK = alone.log_odds([ITEMS[row] for row in sorted(SOME)])
    assert (torch.sigmoid(trained_GK) - gold_GK).abs().mean() < (torch.sigmoid(unseen_GK) - gold_GK).abs().mean() - 0.02


def test_without_held_out_gold_thresholds_come_from_the_pool(cold: Tagger) -> None:
    few = {row: GOLD[row] for row in range(4)}  # so that nearly all of the pool is new to the tagger
    tagger = fit(cold, Problem(ITEMS, few, FAMILIES), CONFIG)
    expected_K = Calibration.expected(tagger.probabilities(ITEMS)).threshold_K
    assert torch.allclose(tagger.calibration.threshold_K, expected_K, atol=0.01)
    assert not torch.allclose(tagger.calibration.threshold_K, cold.calibration.threshold_K, atol=0.02)


def test_what_is_unknown_is_not_learned_as_absent(cold: Tagger) -> None:
    """Half of the gold was read in part: of it nobody knows whether there is a price."""
    half = range(0, 24, 2)
    denied = SOME | {row: Gold(SOME[row].labels - {"价格"}) for row in half}
    unknown = SOME | {row: Gold(SOME[row].labels - {"价格"}, unknown=frozenset({"价格"})) for row in half}

    def prices(gold: dict[int, Gold]) -> float:
        tagger = fit(cold, Problem(ITEMS, gold, FAMILIES), CONFIG)
        return float(tagger.probabilities(ITEMS)[:, LABELS.index("价格")].sum())

    whole = prices(SOME)
    assert abs(prices(unknown) - whole) < 0.5 * abs(prices(denied) - whole)


def test_weak_labels_are_trusted_by_the_gold_that_is_known(cold: Tagger) -> None:
    """Sources that are wrong on all gold that is known are not made right by gold that is not."""
    unknown = {row: replace(said, unknown=frozenset(LABELS) - said.labels) for row, said in SOME.items()}
    heard = supervise(cold, silently(unknown))
    wrong = replace(heard, weak=replace(heard.weak, probability_NK=torch.zeros_like(heard.weak.probability_NK)))
    tagger = replace(cold, reduction=Reduction.of(ITEMS, 3))
    assert Course(tagger, ITEMS, wrong, CONFIG).weak_weight_NK.max() < 0.05
    assert Course(tagger, ITEMS, heard, CONFIG).weak_weight_NK.max() > 0
