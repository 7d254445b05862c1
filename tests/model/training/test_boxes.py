"""What boxes say of the pool's tags: on gold by those who have not seen the product, in the middle of what is usual."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import torch

from model.boxes.model import BoxModel
from model.items import Box, Gold, LabelledBox
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.weak_supervision.boxes import LEAST, LearnedBoxes
from tests.model.boxes.pictures import LABELS, PRODUCT, moved, nothing, price_plate, shop_picture

PICTURES = [shop_picture(seed) for seed in range(12)]
POOL = [*PICTURES, nothing("电视机")]
FAMILIES = [f"p{row // 2}" for row in range(len(POOL))]
FAMILY = (4, 5)
"""The rows of one family."""
OTHERS = (0, 1, 2, 3, 6, 7)


def drawn(seed: int) -> Gold:
    shift = 0.02 * (seed % 5)
    return Gold(
        frozenset({"主体", "价格"}),
        (LabelledBox("主体", moved(PRODUCT, shift)), LabelledBox("价格", price_plate(shift))),
    )


DRAWN = {row: drawn(row) for row in sorted((*FAMILY, *OTHERS))}
TAGGED = {row: Gold(frozenset({"主体", "价格", "LOGO"})) for row in DRAWN}
ELSEWHERE = Gold(frozenset({"文案", "LOGO"}), (LabelledBox("文案", PRODUCT), LabelledBox("LOGO", PRODUCT)))


@pytest.fixture(scope="module")
def cold() -> Tagger:
    return Tagger.cold_start(LABELS, space="space", seed=1)


def learned(cold: Tagger, gold: Mapping[int, Gold], held_out: frozenset[int] = frozenset()) -> LearnedBoxes:
    return learn_boxes(cold, Problem(POOL, gold, FAMILIES, held_out), seed=1)


def model_of(boxes: LearnedBoxes) -> BoxModel:
    assert boxes.model is not None
    return boxes.model


def centre_of(boxes: LearnedBoxes) -> torch.Tensor:
    assert boxes.source is not None
    return boxes.source.centre_K


@pytest.fixture(scope="module")
def boxes(cold: Tagger) -> LearnedBoxes:
    return learned(cold, DRAWN)


def said(boxes: LearnedBoxes, rows: Sequence[int]) -> torch.Tensor:
    """Before it is centred, since the centre depends on all that is said."""
    return boxes.opinions_NK[list(rows)] + centre_of(boxes)


@pytest.mark.parametrize("gold", [DRAWN, TAGGED], ids=["rectangles", "tags alone"])
def test_what_is_said_of_gold_does_not_depend_on_the_gold_of_its_family(
    cold: Tagger, gold: dict[int, Gold], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The excess is measured on all models that have not seen a family, and so depends a little on all gold. Here one
    # picture without candidates is the sample, on which nothing is measured.
    monkeypatch.setattr("model.training.boxes.sample_of", lambda *_: [nothing()])
    other = ELSEWHERE if gold is DRAWN else Gold(frozenset({"文案"}))
    before, after = learned(cold, gold), learned(cold, gold | dict.fromkeys(FAMILY, other))
    assert torch.allclose(said(after, FAMILY), said(before, FAMILY), atol=1e-6)
    for row in OTHERS:
        assert not torch.allclose(said(after, [row]), said(before, [row]), atol=0.01)


def test_pictures_that_nobody_has_labelled_are_asked_by_the_model_that_serves(boxes: LearnedBoxes) -> None:
    best_NK = model_of(boxes).best(model_of(boxes).see(POOL))
    assert torch.allclose(said(boxes, [8, 9, 10, 11]), torch.logit(best_NK[8:12].double().clamp(LEAST, 1 - LEAST)))
    assert not torch.allclose(said(boxes, FAMILY), torch.logit(best_NK[list(FAMILY)].double().clamp(LEAST, 1 - LEAST)))


def test_who_has_not_seen_a_family_says_no_more_on_average_than_who_serves(cold: Tagger, boxes: LearnedBoxes) -> None:
    rows = sorted(DRAWN)
    assert cold.box_model is not None
    _, unseen = cold.box_model.fit(
        [POOL[row] for row in rows],
        [DRAWN[row] for row in rows],
        families=[FAMILIES[row] for row in rows],
        seed=1,
    )

    def told(model: BoxModel, items: Sequence[int]) -> torch.Tensor:
        best_NK = model.best(model.see([POOL[row] for row in items]))
        return torch.logit(best_NK.double().clamp(LEAST, 1 - LEAST))

    unlearned = [8, 9, 10, 11]
    parts_PK = torch.stack([told(part, unlearned).mean(0) for part in unseen.values()])
    excess_K = parts_PK.mean(0) - told(model_of(boxes), unlearned).mean(0)
    assert excess_K.abs().max() > 0.05
    for row in rows:
        assert torch.allclose(said(boxes, [row]), told(unseen[FAMILIES[row]], [row]) - excess_K, atol=1e-6)


def test_held_out_gold_is_never_learned_from(cold: Tagger) -> None:
    held_out = frozenset(FAMILY)
    without = learned(cold, {row: DRAWN[row] for row in OTHERS})
    beside = learned(cold, DRAWN | dict.fromkeys(FAMILY, ELSEWHERE), held_out)
    assert torch.equal(beside.opinions_NK, without.opinions_NK)
    assert torch.equal(centre_of(beside), centre_of(without))
    expected = model_of(without).state().tensors
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model_of(beside).state().tensors.items())


def test_nothing_is_said_of_an_item_without_candidates(boxes: LearnedBoxes) -> None:
    assert boxes.opinions_NK.shape == (len(POOL), len(LABELS))
    assert boxes.opinions_NK.dtype == torch.float64
    assert not boxes.opinions_NK[-1].any()
    assert boxes.opinions_NK[:-1].any(1).all()


def test_the_usual_says_nothing(boxes: LearnedBoxes) -> None:
    """Each label's opinions are 0 on average over the pictures that have candidates."""
    assert torch.allclose(boxes.opinions_NK[:-1].mean(0), torch.zeros(len(LABELS)).double(), atol=1e-6)
    assert boxes.opinions_NK[:-1].std(0)[LABELS.index("主体")] > 0.05


def test_a_pool_without_pictures_is_no_trouble(cold: Tagger) -> None:
    boxes = learn_boxes(cold, Problem([nothing()] * 2, {0: Gold(frozenset())}, ["a", "b"]), seed=1)
    assert boxes.opinions_NK.tolist() == [[0.0] * len(LABELS)] * 2
    assert centre_of(boxes).tolist() == [0.0] * len(LABELS)


def test_who_has_tagged_and_not_drawn_says_nothing_of_places(cold: Tagger) -> None:
    """And who has seen that a picture shows none of the labels does."""
    undrawn = {row: Gold(frozenset({"主体", "价格"}), ()) for row in DRAWN}
    tags_alone = {row: Gold(said.labels) for row, said in undrawn.items()}
    empty = {row: Gold(frozenset(), ()) for row in DRAWN}
    assert torch.equal(learned(cold, undrawn).opinions_NK, learned(cold, tags_alone).opinions_NK)
    heads = [model_of(learned(cold, gold)).head for gold in (undrawn, empty)]
    assert [head is not None and head.forest is not None for head in heads] == [False, True]


def test_some_rows_of_the_pool_keep_what_is_said_of_them(boxes: LearnedBoxes) -> None:
    some = boxes.rows([7, 0, 12])
    assert torch.equal(some.opinions_NK, boxes.opinions_NK[[7, 0, 12]])
    assert some.model is boxes.model
    assert some.source is boxes.source


def test_without_a_box_model_boxes_are_silent(cold: Tagger) -> None:
    found = learn_boxes(replace(cold, box_model=None), Problem(POOL, DRAWN, FAMILIES), seed=1)
    assert (found.model, found.source) == (None, None)
    assert found.opinions_NK.tolist() == [[0.0] * len(LABELS)] * len(POOL)


def test_a_box_of_a_label_that_the_project_does_not_have_teaches_nothing_and_breaks_nothing(cold: Tagger) -> None:
    foreign = {row: Gold(frozenset({"消失了"}), (LabelledBox("消失了", Box(0.1, 0.1, 0.2, 0.2)),)) for row in DRAWN}
    assert learned(cold, foreign).opinions_NK.isfinite().all()


@pytest.mark.slow
def test_boxes_are_measured_on_pictures_that_their_model_has_not_seen(cold: Tagger, boxes: LearnedBoxes) -> None:
    assert boxes.mean_ap is not None
    assert boxes.mean_ap > 0.8, "the pictures are alike"
    # What is right in the pictures of the others says nothing of these: their gold is elsewhere.
    astray = learned(cold, {**DRAWN, **dict.fromkeys(FAMILY, ELSEWHERE)})
    assert astray.mean_ap is not None
    assert astray.mean_ap < 0.7
    assert learned(cold, TAGGED).mean_ap is None, "nobody drew a box"
    # Where a label may have more boxes than people drew, no box of it is wrong.
    half = {row: Gold(one.labels, (one.boxes or ())[:1]) for row, one in DRAWN.items()}
    more = {row: replace(one, unknown_boxes=frozenset({"主体"})) for row, one in half.items()}
    strict, lenient = learned(cold, half).mean_ap, learned(cold, more).mean_ap
    assert strict is not None
    assert lenient is not None
    assert lenient >= strict
