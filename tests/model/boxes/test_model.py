from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from model.boxes import model as model_of_boxes
from model.boxes.decode import decode
from model.boxes.drawn import Drawn
from model.boxes.model import TOGETHER, BoxModel
from model.items import Box, Gold, LabelledBox, PredictedBox
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.state import State
from tests.model.boxes.pictures import (
    BLUE,
    COPY,
    LABELS,
    PRODUCT,
    long_page,
    moved,
    nothing,
    picture,
    price_plate,
    shop_picture,
    stacked,
)

PICTURES = [shop_picture(seed) for seed in range(12)]


def cold() -> BoxModel:
    return BoxModel.cold_start(LABELS, Lexicon.load())


def gold(seed: int) -> tuple[LabelledBox, ...]:
    shift = 0.02 * (seed % 5)
    return (
        LabelledBox("主体", moved(PRODUCT, shift)),
        LabelledBox("价格", price_plate(shift)),
        LabelledBox("文案", COPY),
        LabelledBox("LOGO", Box(0.03, 0.03, 0.25, 0.09)),
    )


GOLD = [gold(seed) for seed in range(12)]


def told(*boxes: LabelledBox) -> Gold:
    """Gold of somebody who drew these and ticked their labels."""
    return Gold(frozenset(box.label for box in boxes), boxes)


DRAWN = [told(*boxes) for boxes in GOLD]
UNKNOWN = Gold(frozenset(), None, unknown=frozenset(LABELS), unknown_boxes=frozenset(LABELS))


@pytest.fixture(scope="module")
def learned() -> BoxModel:
    return cold().fit(PICTURES[:10], DRAWN[:10], families=[str(seed) for seed in range(10)], seed=1)[0]


def found(boxes: tuple[PredictedBox, ...], target: LabelledBox) -> bool:
    return any(box.label == target.label and box.box.iou(target.box) > 0.5 for box in boxes)


def test_boxes_are_there_before_any_gold() -> None:
    (boxes,) = cold().predict([PICTURES[0]])
    assert all(found(boxes, target) for target in GOLD[0])
    assert [box.score for box in boxes] == sorted((box.score for box in boxes), reverse=True)
    assert all(0 <= box.score <= 1 for box in boxes)


def test_one_product_has_one_box_before_any_gold() -> None:
    for item in PICTURES:
        (boxes,) = cold().predict([item])
        assert sum(box.label == "主体" for box in boxes) == 1


def test_a_kind_of_ones_own_lexicon_has_boxes_before_any_gold() -> None:
    kinds = '[kinds.service]\naliases = ["服务条"]\ncues = [{name = "home", pattern = "上门", weight = 3.0}]'
    model = BoxModel.cold_start((*LABELS, "服务条"), Lexicon.load().extended(Lexicon.parse(kinds)))
    (boxes,) = model.predict([PICTURES[0]])
    assert found(boxes, LabelledBox("服务条", Box(0.5, 0.84, 0.9, 0.89)))


def test_a_given_tag_comes_with_a_box_however_faint(learned: BoxModel) -> None:
    tags, none = torch.ones(1, 5), torch.zeros(1, 5)
    (boxes,) = learned.predict([PICTURES[11]], torch.full((1, 5), 0.5), tags)
    (fewer,) = learned.predict([PICTURES[11]], torch.full((1, 5), 0.5), none)
    found_at_all = {box.label for box in learned.predict([PICTURES[11]], faint=True)[0]}
    assert {box.label for box in boxes} == found_at_all
    assert {box.label for box in fewer} <= found_at_all


def test_a_picture_in_which_nothing_stands_out_has_no_product() -> None:
    empty = picture([(COPY, "三十天无理由退换")])
    assert "主体" not in {box.label for box in cold().predict([empty])[0]}
    assert CueSet(("主体",), Lexicon.load()).probabilities([empty, PICTURES[0]])[:, 0].tolist() == [
        pytest.approx(0.39, abs=0.01),
        pytest.approx(0.95),
    ]


def test_an_object_that_was_read_as_a_letter_is_still_the_product() -> None:
    item = picture([(Box(0.0, 0.0, 1.0, 1.0), "M")], [(Box(0.1, 0.55, 0.45, 0.9), BLUE)])
    (boxes,) = cold().predict([item])
    assert found(boxes, LabelledBox("主体", Box(0.1, 0.55, 0.45, 0.9)))


def test_gold_teaches_what_no_cue_knows() -> None:
    """A label of no known kind that always marks the copy at the bottom."""
    model = BoxModel.cold_start(("服务条",), Lexicon.load())
    assert model.predict([PICTURES[11]], faint=True) == [()]
    said = [told(LabelledBox("服务条", COPY))] * 10
    taught = model.fit(PICTURES[:10], said, seed=1)[0]
    assert found(taught.predict([PICTURES[11]])[0], LabelledBox("服务条", COPY))


def test_learning_keeps_what_is_right(learned: BoxModel) -> None:
    for item, targets in zip(PICTURES[10:], GOLD[10:], strict=True):
        (boxes,) = learned.predict([item])
        assert all(found(boxes, target) for target in targets)


def test_same_seed_and_gold_give_the_same_model(learned: BoxModel) -> None:
    again = cold().fit(PICTURES[:10], DRAWN[:10], families=[str(seed) for seed in range(10)], seed=1)[0]
    assert again.predict(PICTURES[:4], faint=True) == learned.predict(PICTURES[:4], faint=True)


def kept(model: BoxModel) -> BoxModel:
    """The model as its tagger's checkpoint gives it back."""
    of_the_tagger = State(facts={"labels": list(LABELS), "lexicon": Lexicon.load().as_dict()})
    restored = BoxModel.from_state(State.joined([of_the_tagger, model.state()]))
    assert restored is not None
    return restored


@pytest.mark.parametrize("state", ["cold", "learned"])
def test_state_and_back(state: str, learned: BoxModel) -> None:
    model = cold() if state == "cold" else learned
    restored = kept(model)
    assert restored.predict(PICTURES[:4], faint=True) == model.predict(PICTURES[:4], faint=True)


def test_tags_choose_what_is_shown_and_do_not_rank_it(learned: BoxModel) -> None:
    doubtful = torch.tensor([[0.3, 0.2, 0.5, 0.6, 0.4]])
    assert learned.predict([PICTURES[11]], doubtful, faint=True) == learned.predict([PICTURES[11]], faint=True)


def test_boxes_follow_the_tags(learned: BoxModel) -> None:
    without_price = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.01]])
    (boxes,) = learned.predict([PICTURES[11]], without_price)
    assert "价格" not in {box.label for box in boxes}
    assert "文案" in {box.label for box in boxes}


@pytest.mark.parametrize(
    "box",
    [
        Box(0.5, 0.5, 0.5, 0.5),
        Box(0.9, 0.1, 0.2, 0.05),
        Box(-3.0, -3.0, -2.0, -2.0),
        Box(0.4, 0.4, 7.0, 9.0),
        Box(0.30001, 0.3, 0.30002, 0.3001),
        Box(0.0, 0.0, 1.0, 1.0),
    ],
)
def test_odd_gold_boxes_do_no_harm(box: Box) -> None:
    said = [
        told(*targets, LabelledBox("赠品", box), LabelledBox("price of a foreign project", box)) for targets in GOLD[:6]
    ]
    model = cold().fit(PICTURES[:6], said, seed=1)[0]
    (boxes,) = model.predict([PICTURES[11]])
    assert all(found(boxes, target) for target in GOLD[11])
    assert all(0 <= edge <= 1 for found_box in boxes for edge in vars(found_box.box).values())


def test_items_without_picture_or_text_or_gold_are_no_trouble() -> None:
    items = [nothing("电视机"), picture(), PICTURES[0]]
    model = cold().fit(items, [told(), told(), DRAWN[0]], seed=1)[0]
    assert model.predict(items)[0] == ()
    assert cold().fit(items, [UNKNOWN] * 3)[0].head is None
    assert cold().fit([nothing()], [told()])[0].head is None
    assert cold().fit([], [])[0].head is None


def test_one_gold_picture_is_enough_to_learn_from() -> None:
    model = cold().fit(PICTURES[:1], DRAWN[:1], families=["a"], seed=0)[0]
    (boxes,) = model.predict([PICTURES[5]])
    assert found(boxes, GOLD[5][1])


def test_tags_alone_teach_which_cues_to_believe() -> None:
    """Every picture shows a name at the top; the tags say that it is no logo."""
    taught = cold().fit(PICTURES[:10], [Gold(frozenset({"主体", "价格", "文案"}))] * 10, seed=1)[0]

    def best(model: BoxModel, label: str) -> float:
        return max(box.score for box in model.predict([PICTURES[11]], faint=True)[0] if box.label == label)

    assert best(taught, "LOGO") < 0.6 * best(cold(), "LOGO")
    assert best(taught, "价格") > 0.8 * best(cold(), "价格")
    restored = kept(taught)
    assert restored.predict(PICTURES[:2], faint=True) == taught.predict(PICTURES[:2], faint=True)


def test_for_each_family_with_gold_there_is_a_model_that_has_not_seen_it() -> None:
    gold = [*DRAWN[:4], *[Gold(frozenset({"主体"}))] * 6]
    families = ["a", "a", "b", "c", "c", "d", "e", "e", "f", "g"]
    model, unseen = cold().fit(PICTURES[:10], gold, families=families, seed=1)
    assert set(unseen) == set(families)
    others = [said if family != "b" else DRAWN[9] for said, family in zip(gold, families, strict=True)]
    other, other_unseen = cold().fit(PICTURES[:10], others, families=families, seed=1)
    item = [PICTURES[11]]
    assert torch.equal(unseen["b"].best(unseen["b"].see(item)), other_unseen["b"].best(other_unseen["b"].see(item)))
    assert not torch.equal(model.best(model.see(item)), other.best(other.see(item)))


def test_some_gold_pictures_choose_the_thresholds_and_no_more_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def counting(*given: Any, **options: Any) -> list[PredictedBox]:
        decoded.append(1)
        return decode(*given, **options)

    monkeypatch.setattr(model_of_boxes, "MOST_JUDGED", 3)
    monkeypatch.setattr(model_of_boxes, "decode", counting)
    cold().fit(PICTURES[:6], DRAWN[:6], seed=1)
    assert len(decoded) == 3


def test_what_was_seen_once_is_drawn_as_it_would_be_predicted(learned: BoxModel) -> None:
    likely = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.01]]).expand(2, -1)
    seen = learned.see(PICTURES[10:])
    assert learned.drawn(seen, likely) == learned.predict(PICTURES[10:], likely)
    assert learned.drawn(seen, faint=True) == learned.predict(PICTURES[10:], faint=True)


def test_items_that_are_seen_together_are_seen_as_each_alone(learned: BoxModel) -> None:
    items = [shop_picture(seed) for seed in range(TOGETHER + 2)]
    items[3] = nothing()
    for model in (learned, cold()):
        for item, together in zip(items, model.see(items), strict=True):
            (alone,) = model.see([item])
            assert torch.equal(together.boxes_N4, alone.boxes_N4)
            assert np.allclose(together.quality_NK, alone.quality_NK, atol=1e-6)
        assert model.see([]) == []


def test_the_best_candidate_of_each_label_is_told_and_none_of_an_empty_picture(learned: BoxModel) -> None:
    best_NK = learned.best(learned.see([PICTURES[10], nothing()]))
    faint = learned.predict([PICTURES[10]], faint=True)[0]
    scores = {label: max(box.score for box in faint if box.label == label) for label in ("主体", "价格")}
    assert {label: float(best_NK[0, LABELS.index(label)]) for label in scores} == pytest.approx(scores)
    assert best_NK[1].isnan().all()
    assert learned.best([]).shape == (0, len(LABELS))


def test_a_drawn_region_gets_its_class_and_the_tight_box(learned: BoxModel) -> None:
    shift = 0.02 * (11 % 5)
    rough = Box(0.02 + shift, 0.77, 0.35 + shift, 0.97)
    (answer,) = learned.classify_regions(PICTURES[11], [Drawn(rough, LABELS)], torch.ones(5))
    assert answer is not None
    assert answer.label == "价格"
    assert answer.box.iou(price_plate(shift)) > rough.iou(price_plate(shift))


@pytest.mark.parametrize("loose", [Box(0.4, 0.7, 0.95, 1.0), Box(0.45, 0.75, 1.0, 1.0), Box(0.3, 0.72, 0.92, 0.97)])
def test_a_loosely_drawn_box_is_fitted(learned: BoxModel, loose: Box) -> None:
    assert loose.iou(COPY) < 1 / 3
    for model in (cold(), learned):
        (answer,) = model.classify_regions(PICTURES[11], [Drawn(loose, ("文案",))])
        assert answer is not None
        assert answer.box.iou(COPY) > 0.8


def test_several_drawn_regions_are_answered_each_by_itself(learned: BoxModel) -> None:
    product = moved(PRODUCT, 0.02 * (11 % 5))
    drawn = [Drawn(COPY, LABELS), Drawn(product, LABELS), Drawn(COPY, ("主体",)), Drawn(COPY, ("价格", "赠品"))]
    answers = learned.classify_regions(PICTURES[11], drawn)
    labels = [answer.label for answer in answers if answer is not None]
    assert labels[:3] == ["文案", "主体", "主体"], "a chosen label stays"
    assert labels[3] in ("价格", "赠品"), "only what the control may hold"
    assert answers[0] == learned.classify_regions(PICTURES[11], drawn[:1])[0]


def test_a_click_finds_the_element_around_it(learned: BoxModel) -> None:
    x, y = (COPY.left + COPY.right) / 2, (COPY.top + COPY.bottom) / 2
    (answer,) = learned.classify_regions(PICTURES[11], [Drawn(Box(x, y, x, y), LABELS)])
    assert answer is not None
    assert answer.label == "文案"
    assert answer.box.iou(COPY) > 0.5


def test_a_drawn_region_where_nothing_is_stays_as_drawn(learned: BoxModel) -> None:
    region = Box(0.75, 0.15, 0.95, 0.25)
    (answer,) = learned.classify_regions(PICTURES[11], [Drawn(region, LABELS)])
    assert answer is not None
    assert answer.label in LABELS
    assert answer.box.iou(region) > 0.99


def test_without_a_picture_or_with_unknown_labels_a_region_stays_and_a_click_means_nothing(learned: BoxModel) -> None:
    region, click = Box(0.75, 0.15, 0.95, 0.25), Box(0.5, 0.5, 0.5, 0.5)
    (answer, on_nothing) = learned.classify_regions(nothing(), [Drawn(region, LABELS), Drawn(click, LABELS)])
    assert answer is not None
    assert answer.box.iou(region) > 0.99
    assert on_nothing is None
    new = [Drawn(region, ("新",)), Drawn(click, ("新",)), Drawn(region, ("新", "更新")), Drawn(region, ())]
    assert learned.classify_regions(PICTURES[11], new) == [PredictedBox("新", region, 0.0), None, None, None]


def test_nothing_drawn_gives_nothing(learned: BoxModel) -> None:
    assert learned.classify_regions(PICTURES[11], []) == []


@pytest.mark.slow
def test_what_is_unknown_of_a_label_teaches_nothing_of_it(learned: BoxModel) -> None:
    """Half of the gold was read only in part: its missing prices are no evidence that there are none."""
    unread = [told(*(box for box in boxes if box.label != "价格")) for boxes in GOLD[:10]]
    open_ = [replace(said, unknown=frozenset({"价格"}), unknown_boxes=frozenset({"价格"})) for said in unread]
    families = [str(seed) for seed in range(10)]

    def best_price(model: BoxModel) -> float:
        return max(box.score for box in model.predict([PICTURES[11]], faint=True)[0] if box.label == "价格")

    denied = cold().fit(PICTURES[:10], [*unread[:5], *DRAWN[5:10]], families=families, seed=1)[0]
    masked = cold().fit(PICTURES[:10], [*open_[:5], *DRAWN[5:10]], families=families, seed=1)[0]
    assert best_price(masked) > best_price(denied) + 0.1
    assert best_price(masked) == pytest.approx(best_price(learned), abs=0.15)


def test_tags_that_are_unknown_deny_nothing() -> None:
    tags = frozenset({"主体", "文案"})
    denied = cold().fit(PICTURES[:10], [Gold(tags)] * 10, seed=1)[0]
    unknown = cold().fit(PICTURES[:10], [Gold(tags, unknown=frozenset({"价格"}))] * 10, seed=1)[0]

    def best_price(model: BoxModel) -> float:
        return max(box.score for box in model.predict([PICTURES[11]], faint=True)[0] if box.label == "价格")

    assert best_price(denied) < 0.6 * best_price(cold())
    assert best_price(unknown) > 0.9 * best_price(cold())


def test_boxes_of_a_long_page_stand_where_the_elements_stand() -> None:
    page = long_page(4)
    (found,) = cold().predict([page])
    products = [box.box for box in found if box.label == "主体"]
    prices = [box.box for box in found if box.label == "价格"]
    for number in range(4):
        shift = 0.02 * number
        assert max(box.iou(stacked(moved(PRODUCT, shift), number, 4)) for box in products) > 0.6
        assert max(box.iou(stacked(price_plate(shift), number, 4)) for box in prices) > 0.6
    assert len(products) == 4
