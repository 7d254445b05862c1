from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from model.attention.batching import GRID, SEGMENTS, Batch, collate
from model.attention.fusion import FUSIONS
from model.attention.network import Network, NetworkConfig, grown, make_network
from model.attention.reduction import Reduction
from model.attention.vocabulary import Vocabulary
from model.features.item import ItemFeatures
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.training.phases import ALL_AT_ONCE, STUDY, Phase, epochs
from testing.features import block, features, with_industry, with_text
from testing.shop import LABELS, SMALL

CUES = CueSet(LABELS, Lexicon.load())
ITEMS = [with_text(item) for item in SMALL.pool(6)[0]] + [features(block("NOVA")), features(title="", industry=())]
VOCABULARY = Vocabulary().grown(ITEMS)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return batched(ITEMS)


def batched(items: Sequence[ItemFeatures], vocabulary: Vocabulary | None = None) -> Batch:
    return collate(items, CUES, Reduction.of(ITEMS, seed=1), vocabulary or VOCABULARY).floats()


def config(batch: Batch, **switches: bool | str) -> NetworkConfig:
    widths = batch.region_NRC.shape[2], batch.segment_NTE.shape[2]
    page = batch.page_NP.shape[1]
    usual = NetworkConfig(*widths, len(CUES.cues), page, len(LABELS), VOCABULARY, width=16, use_industry=True)
    return replace(usual, **switches)  # type: ignore[arg-type]


def awake(network: Network) -> Network:
    """With a head that says something."""
    torch.nn.init.normal_(network.head, generator=torch.Generator().manual_seed(2))
    return network.eval()


def test_an_untrained_network_adds_nothing(batch: Batch) -> None:
    assert make_network(config(batch), seed=1).eval()(batch).abs().sum() == 0


def test_attention_has_a_map_per_class_over_what_is_there(batch: Batch) -> None:
    seen = make_network(config(batch), seed=1).eval().attention(batch)
    assert seen is not None
    assert seen.regions_BKR.shape == (len(batch), len(LABELS), GRID * GRID)
    assert seen.segments_BKT.shape == (len(batch), len(LABELS), batch.segment_mask_NT.shape[1])
    assert seen.fields_BKX.shape == (len(batch), len(LABELS), 1)
    assert (seen.regions_BKR.sum(-1) <= 1 + 1e-5).all()
    assert (seen.segments_BKT.sum(-1) + seen.fields_BKX.sum(-1) <= 1 + 1e-5).all()
    assert seen.regions_BKR[~batch.region_mask_NR.any(1)].sum() == 0
    assert seen.segments_BKT.transpose(1, 2)[~batch.segment_mask_NT].sum() == 0


def test_what_is_masked_changes_nothing(batch: Batch) -> None:
    network = awake(make_network(config(batch), seed=1))
    noise = torch.randn(batch.region_NRC.shape, generator=torch.Generator().manual_seed(5))
    hidden = torch.where(batch.region_mask_NR[..., None], batch.region_NRC, noise)
    padded = batch.segment_NTE + 9.0 * ~batch.segment_mask_NT[..., None]
    assert torch.equal(network(replace(batch, region_NRC=hidden, segment_NTE=padded)), network(batch))


def test_an_item_without_anything_is_answered(batch: Batch) -> None:
    assert awake(make_network(config(batch), seed=1))(batch)[-1].isfinite().all()


@pytest.mark.parametrize("switch", ["use_image", "use_text", "use_industry", "image_to_text", "text_to_image"])
def test_each_part_can_be_switched_off(batch: Batch, switch: str) -> None:
    full = awake(make_network(config(batch), seed=1))(batch)
    without = awake(make_network(config(batch, **{switch: False}), seed=1))(batch)
    assert without.isfinite().all()
    assert not torch.allclose(full[:6], without[:6])


def test_a_modality_that_is_off_is_not_looked_at(batch: Batch) -> None:
    network = awake(make_network(config(batch, use_image=False), seed=1))
    assert torch.equal(network(replace(batch, region_NRC=batch.region_NRC + 1)), network(batch))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_parameter_gets_a_gradient(batch: Batch, fusion: str) -> None:
    network = awake(make_network(config(batch, fusion=fusion), seed=1))
    torch.autograd.backward(network(batch).square().sum())
    unasked = {"query"} if fusion == "early" else set()
    silent = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert silent == unasked


def test_a_fusion_that_lets_no_class_ask_has_no_attention_to_show(batch: Batch) -> None:
    assert make_network(config(batch, fusion="early"), seed=1).attention(batch) is None


def test_an_unseen_industry_value_is_not_a_blank() -> None:
    known, unseen, blank = (
        with_industry(ITEMS[0], "家电"),
        with_industry(ITEMS[0], "园艺"),
        replace(ITEMS[0], industry=()),
    )
    batch = batched([known, unseen, blank], Vocabulary().grown([known]))
    network = awake(make_network(replace(config(batch), vocabulary=Vocabulary().grown([known])), seed=1))
    assert batch.level_NL.tolist() == [[0], [-1], [-1]]
    assert len(network(batch).round(decimals=4).unique(dim=0)) == 3


def test_what_is_learned_of_a_value_moves_it_from_its_own_text(batch: Batch) -> None:
    network = awake(make_network(config(batch), seed=1))
    before = network(batch)
    with torch.no_grad():
        network.industry_offset[batch.level_NL[0, 0]] += 1.0
    changed = (network(batch) != before).any(1)
    shares_value = (batch.level_NL == batch.level_NL[0, 0]).any(1)
    assert torch.equal(changed, shares_value)


def test_a_further_text_counts_by_its_weight_and_not_where_it_is_missing(batch: Batch) -> None:
    network = awake(make_network(config(batch), seed=1))
    before = network(batch)
    with torch.no_grad():
        network.field_weight.fill_(3.0)
    after = network(batch)
    assert (after[:6] != before[:6]).any(1).all()
    assert torch.equal(after[6:], before[6:])


def test_a_grown_network_answers_as_before_and_has_rows_for_more() -> None:
    old = batched(ITEMS)
    network = awake(make_network(config(old), seed=1))
    with torch.no_grad():
        network.industry_value.normal_(generator=torch.Generator().manual_seed(3))
    more = [*ITEMS, with_industry(with_text(ITEMS[0], name="reviews"), "园艺")]
    larger = replace(network.config, vocabulary=VOCABULARY.grown(more))
    again = grown(network, larger).eval()
    assert (len(again.industry_value), len(again.field_weight)) == (len(network.industry_value) + 1, 2)
    assert torch.allclose(again(batched(ITEMS, larger.vocabulary)), network(old), atol=1e-5)
    with pytest.raises(ValueError, match="another form"):
        grown(network, replace(network.config, width=32))


def test_parts_are_all_parameters_once(batch: Batch) -> None:
    network = make_network(config(batch), seed=1)
    parts = network.parts()
    assert {id(p) for part in parts.values() for p in part} == {id(p) for p in network.parameters()}
    assert sum(len(part) for part in parts.values()) == len(list(network.parameters()))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_new_parts_are_trained_in_the_phase_that_the_schedule_says(batch: Batch, fusion: str) -> None:
    network = make_network(config(batch, fusion=fusion), seed=1)
    parts = {name: {id(p) for p in part} for name, part in network.parts().items()}
    assert {id(parameter) for parameter in network.fusion.parameters()} <= parts["head"]
    assert id(network.field_weight) in parts["attention"]
    assert {id(network.industry_offset), id(network.industry_value), id(network.field_name)} <= parts["projections"]


def test_weights_hang_on_the_seed_alone(batch: Batch) -> None:
    torch.manual_seed(1)
    first = make_network(config(batch), seed=3)
    torch.manual_seed(2)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.parameters(), make_network(config(batch), seed=3).parameters(), strict=True)
    )


def test_the_schedule_is_the_studys() -> None:
    names = [phase.name for phase in epochs(STUDY)]
    assert (names[:5], names[5:15], names[15:]) == (["base"] * 5, ["fusion"] * 10, ["refine"] * 25)
    assert len(epochs(ALL_AT_ONCE)) == len(names)
    rates = [phase.learning_rate for phase in epochs(STUDY)]
    assert [rates[0], rates[5], rates[15]] == [1e-2, 3e-3, 3e-3]
    assert rates[10] == pytest.approx(1.5e-3)
    assert all(later < rate for rate, later in pairwise(rates[15:]))
    with pytest.raises(ValueError, match="parts among"):
        Phase("base", 1, ("nose",), 0.1)


def test_a_picture_full_of_text_keeps_its_largest_blocks() -> None:
    blocks = [block(f"行{n}", top=n / 50, height=0.001 * (n + 1)) for n in range(40)]
    item = features(*blocks)
    made = collate([item], CUES, Reduction.of([item], seed=1), Vocabulary())
    assert made.segment_NTE.shape[1] == SEGMENTS
    assert made.geometry_NTG[0, 1:, 3].min() > 10 * 0.016 - 1.0
