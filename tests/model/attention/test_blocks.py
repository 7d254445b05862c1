from dataclasses import replace

import pytest
import torch

from model.attention.batching import GRID, collate, kept_blocks
from model.attention.blocks import BlockReader
from model.items import Gold, LabelledBox
from model.problem import Problem
from model.tagger import Tagger, whole_task_confidence
from model.training.config import TrainConfig
from model.training.progressive import fit
from testing.shop import CLEAR, LABELS, WORDS

PRICE, COPY = LABELS.index("价格"), LABELS.index("文案")
ITEMS, TAGS, FAMILIES = CLEAR.pool(80)
NEW, NEW_TAGS, _ = CLEAR.pool(40, start=80)
CONFIG = TrainConfig(seed=3, use_boxes=False, network={"width": 32})


def drawn(row: int) -> Gold:
    """The gold with a rectangle around each block whose text names a label."""
    boxes = [
        LabelledBox(label, block.box)
        for block in ITEMS[row].blocks
        for label, word in WORDS.items()
        if block.text == word and label in TAGS[row].labels
    ]
    return replace(TAGS[row], boxes=tuple(boxes))


def taught(gold: dict[int, Gold]) -> Tagger:
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    return fit(cold, Problem(ITEMS, gold, FAMILIES), CONFIG)


@pytest.fixture(scope="module")
def by_rectangles() -> Tagger:
    return taught({row: drawn(row) for row in range(60)})


@pytest.fixture(scope="module")
def by_tags() -> Tagger:
    return taught({row: TAGS[row] for row in range(60)})


def right(tagger: Tagger, label: str) -> float:
    """The share of new items with the label's word whose strongest block for the label is the block of the word."""
    places = tagger.places(NEW)
    assert places is not None
    found = []
    for n, item in enumerate(NEW):
        texts = [item.blocks[b].text for b in kept_blocks(item)]
        if WORDS[label] in texts and len(texts) > 1:
            strongest = int(places.block_NTK[n, :, LABELS.index(label)].argmax())
            found.append(strongest - 1 == texts.index(WORDS[label]))
    assert len(found) >= 8
    return sum(found) / len(found)


@pytest.mark.parametrize("label", ["LOGO", "文案", "价格"])
def test_rectangles_teach_which_block_shows_a_label(by_rectangles: Tagger, label: str) -> None:
    assert right(by_rectangles, label) > 0.9


def test_tags_alone_tell_of_blocks(by_tags: Tagger) -> None:
    assert right(by_tags, "价格") > 0.6
    places = by_tags.places(NEW)
    assert places is not None
    has_N = torch.tensor(["价格" in NEW_TAGS[row].labels for row in range(len(NEW))])
    strongest_N = torch.maximum(places.block_NTK[..., PRICE].amax(1), places.region_NRK[..., PRICE].amax(1))
    # A given tag wants a place that shows the label; denied tags alone would leave all places near zero.
    assert strongest_N[has_N].mean() > 0.1
    assert strongest_N[has_N].mean() > 3 * strongest_N[~has_N].mean()


def test_padding_and_the_title_show_nothing(by_rectangles: Tagger) -> None:
    places = by_rectangles.places(NEW)
    assert places is not None
    assert places.region_NRK.shape == (len(NEW), GRID * GRID, len(LABELS))
    assert not places.block_NTK[:, 0].any()
    for n, item in enumerate(NEW):
        assert not places.block_NTK[n, 1 + len(kept_blocks(item)) :].any()


def test_tags_follow_from_the_places(by_rectangles: Tagger) -> None:
    places = by_rectangles.places(NEW)
    assert places is not None
    assert by_rectangles.blocks is not None
    told_NK = by_rectangles.blocks.tags(places)
    has_N = torch.tensor(["价格" in NEW_TAGS[row].labels for row in range(len(NEW))])
    assert ((told_NK[:, PRICE] > 0.5) == has_N).float().mean() > 0.9


def test_a_conflict_is_seen_first(by_rectangles: Tagger) -> None:
    assert by_rectangles.blocks is not None
    turned = replace(by_rectangles.blocks, tag_K3=-by_rectangles.blocks.tag_K3)
    usual = by_rectangles.predict(NEW)
    contrary = replace(by_rectangles, blocks=turned).predict(NEW)
    assert all(one.probabilities == other.probabilities for one, other in zip(usual, contrary, strict=True))
    # Where most labels conflict, the task comes earlier: Label Studio serves the lowest score first.
    assert sum(other.score < one.score for one, other in zip(usual, contrary, strict=True)) > 35
    without = replace(by_rectangles, blocks=None)
    sure = [whole_task_confidence(probability_K) for probability_K in without.probabilities(NEW)]
    assert [one.score for one in without.predict(NEW)] == pytest.approx(sure)


def test_a_label_that_all_gold_has_or_none_has_is_told_by_its_share() -> None:
    gold = {row: Gold(TAGS[row].labels - {"价格"} | {"文案"}) for row in range(30)}
    tagger = taught(gold)
    places = tagger.places(NEW)
    assert places is not None
    assert tagger.blocks is not None
    told_NK = tagger.blocks.tags(places)
    assert torch.allclose(told_NK[:, PRICE], torch.tensor(1 / 32), atol=1e-4)
    assert torch.allclose(told_NK[:, COPY], torch.tensor(31 / 32), atol=1e-4)


def test_it_survives_a_checkpoint(by_rectangles: Tagger) -> None:
    restored = Tagger.from_state(by_rectangles.state(), "v1")
    one, other = by_rectangles.places(NEW), restored.places(NEW)
    assert one is not None
    assert other is not None
    assert torch.equal(one.block_NTK, other.block_NTK)
    assert by_rectangles.predict(NEW) == restored.predict(NEW)


def test_items_without_pictures_teach_and_are_answered() -> None:
    bare = [replace(item, grid_RC=item.grid_RC[:0], blocks=()) for item in ITEMS[:12]]
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    tagger = fit(cold, Problem(bare, {row: TAGS[row] for row in range(12)}, FAMILIES[:12]), CONFIG)
    assert tagger.reduction is not None
    assert tagger.network is not None
    batch = collate(bare, tagger.sources.cues, tagger.reduction, tagger.network.config.vocabulary)
    reader = BlockReader.fit(tagger.network, batch.floats(), bare, [TAGS[row] for row in range(12)], LABELS)
    assert reader.places(tagger.network, batch.floats()).strongest().isfinite().all()
    assert tagger.probabilities(bare).isfinite().all()
