from dataclasses import replace

import pytest
import torch

from model.attention.batching import collate
from model.attention.reduction import COMPONENTS, Reduction
from model.attention.vocabulary import Vocabulary
from model.features.item import ItemFeatures
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from testing.features import TEXT_WIDTH, block, features, with_industry, with_text
from testing.shop import LABELS, SMALL

CUES = CueSet(LABELS, Lexicon.load())
ITEMS = SMALL.pool(30)[0]
TEXTS = [features(block("NOVA"), seed=n) for n in range(5)]
PICTURES = [features(title="", grid_RC=ITEMS[n].grid_RC, seed=n) for n in range(5)]


def batched_floats(items: list[ItemFeatures], reduction: Reduction) -> list[torch.Tensor]:
    batch = collate(items, CUES, reduction, Vocabulary().grown(items))
    return [batch.region_NRC, batch.segment_NTE, batch.level_NLE, batch.field_NXE]


def test_components_keep_what_varies_most() -> None:
    reduction = Reduction.of(ITEMS, seed=1)
    assert reduction.image_CP.shape[1] == min(COMPONENTS, ITEMS[0].grid_RC.shape[1])
    lengths = reduction.image_CP.norm(dim=0)
    assert torch.allclose(lengths, lengths[0].expand_as(lengths), rtol=1e-3)
    rows = torch.nn.functional.normalize(torch.cat([one.grid_RC.float() for one in ITEMS]), dim=1)
    spread = reduction.regions(rows).std(0)
    assert spread[0] > spread[-1]


@pytest.mark.parametrize(
    "found_on",
    [TEXTS, PICTURES, [features(title="", industry=())], [features()] * 5],
    ids=["no pictures", "no texts", "nothing", "one title"],
)
def test_what_did_not_vary_where_components_were_found_is_seen_as_nothing_later(found_on: list[ItemFeatures]) -> None:
    later = [with_text(with_industry(SMALL.item(n)[0], "家电")) for n in range(3)]
    made = batched_floats([*found_on, *later], Reduction.of(found_on, seed=1))
    assert all(part.isfinite().all() for part in made)
    assert made[0].any() == (found_on is PICTURES)
    assert made[1].any() == (found_on is TEXTS)


@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-4, 1e-6])
def test_titles_however_alike_stay_within_half_precision(apart: float) -> None:
    alike = [replace(one, tokens_TE=1 + apart * torch.randn(1, TEXT_WIDTH)) for one in (features() for _ in range(20))]
    assert all(part.isfinite().all() for part in batched_floats([*alike, *ITEMS], Reduction.of(alike, seed=1)))


def test_further_texts_have_components_where_there_are_no_others() -> None:
    told = [with_text(one, f"第{n}件") for n, one in enumerate(PICTURES)]
    made = batched_floats(told, Reduction.of(told, seed=1))
    assert not torch.allclose(made[3][0], made[3][1], atol=0.1)


def test_components_are_found_anew_once_what_was_missing_is_there_and_not_before() -> None:
    blind = Reduction.of(PICTURES, seed=1)
    assert blind.renewed([*PICTURES, PICTURES[0]], seed=2) is blind
    seeing = blind.renewed([*PICTURES, *TEXTS], seed=1)
    assert seeing.text_EP.any()
    assert seeing.renewed(PICTURES, seed=1) is seeing
    assert seeing.renewed(ITEMS, seed=1) is seeing


def test_components_of_before_that_half_precision_cannot_hold_are_found_anew() -> None:
    blind = Reduction.of(PICTURES, seed=1)
    stretched = Reduction(blind.image_mean_C, blind.image_CP, blind.text_mean_E, 1e6 * torch.eye(TEXT_WIDTH))
    assert not stretched.renewed(PICTURES, seed=1).text_EP.any()
