"""Sources of others in the label model: their opinions, how gold weighs them, and what stays of them in a version."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model import checkpoint
from model.boxes.candidates import candidates
from model.boxes.described import content
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.features.said import SILENCE, Said
from model.items import Box
from model.lexicon.lexicon import Lexicon
from model.problem import Problem
from model.tagger import Tagger
from model.training.progressive import fit
from model.weak_supervision.foreign import FOREIGN_TRUST, heard_in, opinions_said
from testing.shop import LABELS, PLAIN, SMALL

SPACE = "5" * 16


def saying(item: ItemFeatures, probabilities: Mapping[str, Mapping[str, float]], *boxes: Box) -> ItemFeatures:
    return replace(item, said=Said(probabilities, boxes))


def erring(number: int, true: frozenset[str], rates: Mapping[str, float]) -> dict[str, float]:
    """What a source says that is right about each label at this rate; it says nothing of other labels."""
    random = torch.Generator().manual_seed(9_000 + number)
    drawn = dict(zip(LABELS, torch.rand(len(LABELS), generator=random).tolist(), strict=True))
    return {label: 0.95 if (label in true) == (drawn[label] < rate) else 0.05 for label, rate in rates.items()}


def test_opinions_are_log_odds_within_bounds_and_zero_for_silence() -> None:
    items = [saying(SMALL.item(n)[0], said) for n, said in enumerate([{"a": {"LOGO": 1.0, "other": 1.0}}, {}])]
    found_FNK = opinions_said(items, ["a", "b"], ["LOGO", "价格"])
    assert found_FNK[0, 0].tolist() == [pytest.approx(3.892, abs=1e-3), 0.0]
    assert found_FNK[0, 1].tolist() == [0.0, 0.0]
    assert not found_FNK[1].any()
    assert heard_in(items) == ("a",)


@pytest.mark.slow
def test_trust_follows_accuracy_on_gold() -> None:
    """Right about LOGO 19 times in 20, about prices hardly more often than a coin, about gifts mostly wrong."""
    rates = {"LOGO": 0.95, "价格": 0.55, "赠品": 0.2}
    pool, gold, families = PLAIN.pool(200)
    told = [saying(item, {"model": erring(n, gold[n].labels, rates)}) for n, item in enumerate(pool)]
    cold = Tagger.cold_start(LABELS, space=SPACE, seed=7)
    tagger = fit(cold, Problem(told, gold, families))
    assert tagger.sources.foreign == ("model",)
    trust = dict(
        zip(LABELS, tagger.label_model.trust_SK[tagger.label_model.names.index("model")].tolist(), strict=True)
    )
    accuracy = tagger.label_model.accuracies(LABELS)["model"]
    assert trust["LOGO"] > 0.6
    assert abs(trust["价格"]) < 0.15
    assert trust["赠品"] < 0
    assert accuracy["LOGO"] == pytest.approx(0.95, abs=0.04)
    assert accuracy["价格"] == pytest.approx(0.55, abs=0.08)
    # Of labels that it has said nothing of, the trust is the prior.
    assert trust["主体"] == pytest.approx(FOREIGN_TRUST)


@pytest.mark.slow
def test_a_source_that_disappears_abstains_and_a_new_one_waits_for_a_training() -> None:
    pool, gold, families = SMALL.pool(80)
    told = [saying(item, {"a": erring(n, gold[n].labels, {"LOGO": 0.95})}) for n, item in enumerate(pool)]
    tagger = fit(Tagger.cold_start(LABELS, space=SPACE, seed=7), Problem(told, gold, families))
    silent, heard = tagger.log_odds(pool), tagger.log_odds(told)
    assert not torch.equal(silent, heard)
    assert silent.isfinite().all()
    stranger = [saying(item, {"b": {"LOGO": 0.99}}) for item in pool]
    assert torch.equal(tagger.log_odds(stranger), silent)
    again = fit(tagger, Problem(stranger, gold, families))
    assert again.sources.foreign == ("b",)


@pytest.mark.slow
def test_a_version_keeps_the_names_and_one_of_an_earlier_release_has_none(tmp_path: Path) -> None:
    pool, gold, families = SMALL.pool(40)
    told = [saying(item, {"a": {"LOGO": 0.9}}) for item in pool]
    tagger = fit(Tagger.cold_start(LABELS, space=SPACE, seed=7), Problem(told, gold, families))
    checkpoint.save(tagger, tmp_path / "v", version="v1.0000")
    assert torch.equal(checkpoint.load(tmp_path / "v").log_odds(told), tagger.log_odds(told))
    without = fit(Tagger.cold_start(LABELS, space=SPACE, seed=7), Problem(pool, gold, families))
    # What an earlier release wrote has no such fact at all.
    assert "foreign" not in without.state().facts
    checkpoint.save(without, tmp_path / "w", version="v1.0000")
    assert checkpoint.load(tmp_path / "w").sources.foreign == ()


def test_what_is_said_is_not_cached_with_the_features(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, SPACE)
    cache.put("ab12", saying(SMALL.item(1)[0], {"a": {"LOGO": 0.9}}, Box(0.1, 0.1, 0.2, 0.2)))
    read = cache.get("ab12")
    assert read
    assert read.said == SILENCE


def test_proposed_boxes_become_candidates_and_make_another_description() -> None:
    item, box = SMALL.item(1)[0], Box(0.61, 0.55, 0.93, 0.97)
    told = saying(item, {}, box)
    reader = RoleReader(Lexicon.load())

    def boxes(one: ItemFeatures) -> list[tuple[float, ...]]:
        return [
            tuple(round(edge, 4) for edge in edges) for edges in candidates(Scene.of(one, reader)).boxes_N4.tolist()
        ]

    assert (0.61, 0.55, 0.93, 0.97) in boxes(told)
    assert (0.61, 0.55, 0.93, 0.97) not in boxes(item)
    assert set(boxes(item)) <= set(boxes(told))
    assert content(told) != content(item)


def test_boxes_in_a_long_picture_stand_on_their_screen() -> None:
    page = replace(
        SMALL.item(1)[0], size=(400, 1600), blocks=(), thumbnail_HW3=torch.zeros(256, 64, 3, dtype=torch.uint8)
    )
    screen = page.screens[1]
    middle = (screen.top + screen.bottom) / 2
    told = saying(page, {}, Box(0.2, screen.top, 0.4, middle))
    parts = told.on_screens()
    assert [len(part.said.boxes) for part in parts] == [int(n == 1) for n in range(len(parts))]
    (box,) = parts[1].said.boxes
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((0.2, 0.0, 0.4, 0.5))
