"""What one annotation says: yes, no, or unknown where it was not understood."""

import time
from typing import Any

import pytest

from labelstudio import opinion
from labelstudio.config import LabelConfig
from labelstudio.gold import gold_of
from labelstudio.opinion import Opinion, opinion_of
from labelstudio.proposals import region_seed
from labelstudio.results import checked, result_of
from model.items import Box, PredictedBox, Prediction

ALL = ("主体", "赠品", "LOGO", "文案", "价格")
LABELS = "".join(f'<Label value="{label}"/>' for label in ALL)
CHOICES = "".join(f'<Choice value="{label}"/>' for label in ALL)
RECTANGLES = f'<RectangleLabels name="boxes" toName="image">{LABELS}</RectangleLabels>'
TAGS = f'<Choices name="elements" toName="image" choice="multiple">{CHOICES}</Choices>'
IMAGE = '<Image name="image" value="$image"/>'


def config(*controls: str) -> LabelConfig:
    return LabelConfig.parse(f"<View>{''.join(controls)}</View>")


BOTH = config(IMAGE, TAGS, RECTANGLES)
DRAWN = config(IMAGE, RECTANGLES)
TAGGED = config(IMAGE, TAGS)
SHAPES = config(IMAGE, RECTANGLES, f'<PolygonLabels name="poly" toName="image">{LABELS}</PolygonLabels>')
TWO = config(
    IMAGE,
    TAGS,
    '<Image name="other" value="$other"/>',
    f'<Choices name="elsewhere" toName="other" choice="multiple">{CHOICES}</Choices>',
)
LIST = config('<Image name="image" valueList="$images"/>', RECTANGLES)
REPEATED = config(
    '<Repeater on="$images" indexFlag="{{idx}}"><Image name="im_{{idx}}" value="$images[{{idx}}].url"/>'
    f'<Choices name="c_{{{{idx}}}}" toName="im_{{{{idx}}}}" choice="multiple">{CHOICES}</Choices></Repeater>'
)


def tags(*names: object, control: str = "elements", to: str = "image", **fields: Any) -> dict[str, Any]:
    return {
        "id": "t",
        "from_name": control,
        "to_name": to,
        "type": "choices",
        "value": {"choices": names and [*names]},
    } | fields


def box(label: str | None, x: float = 10, size: float = 20, **fields: Any) -> dict[str, Any]:
    value = {"x": x, "y": 10, "width": size, "height": size, "rectanglelabels": [label] if label else []}
    return {"id": "b", "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": value} | fields


def said(one: Opinion) -> dict[str, bool | None]:
    return {label: None if label in one.unknown else label in one.labels for label in ALL}


def only(**known: bool) -> dict[str, bool | None]:
    return dict.fromkeys(ALL, None) | known


NO_PRICE = dict.fromkeys(ALL, False)


def test_a_turned_picture_is_read_as_it_is() -> None:
    one = opinion_of(DRAWN, [box("价格", image_rotation=90)])
    assert one.boxes is not None
    assert [(drawn.label, drawn.box) for drawn in one.boxes] == [("价格", Box(0.1, 0.1, 0.3, 0.3))]
    assert said(one) == NO_PRICE | {"价格": True}


@pytest.mark.parametrize(
    "odd",
    [
        box(None),
        box("gone"),
        {"from_name": "boxes", "type": "rectangle", "value": {"x": 1, "y": 1, "width": 5, "height": 5}},
        {"from_name": "boxes", "type": "rectanglelabels", "value": None},
        {"from_name": "renamed", "type": "rectanglelabels", "value": {"rectanglelabels": ["价格"]}},
        {"from_name": "renamed", "type": "polygonlabels", "value": {"polygonlabels": ["价格"]}},
        {"type": "rectanglelabels", "value": {}},
        None,
        "region",
    ],
)
def test_what_was_read_is_there_and_beside_what_was_not_nothing_is_absent(odd: Any) -> None:
    one = opinion_of(DRAWN, [box("LOGO"), odd])
    assert said(one) == only(LOGO=True)
    assert one.unknown_boxes == set(ALL)
    assert one.boxes is not None
    assert [drawn.label for drawn in one.boxes] == ["LOGO"]
    assert one.notes


def test_a_box_without_a_place_still_says_that_its_label_is_there() -> None:
    one = opinion_of(DRAWN, [box("价格", x="left")])  # type: ignore[arg-type]
    assert one.labels == {"价格"}
    assert "价格" in one.unknown_boxes


def test_only_the_control_that_was_not_understood_is_unknown() -> None:
    one = opinion_of(BOTH, [tags("LOGO"), box(None)])
    assert said(one) == NO_PRICE | {"LOGO": True}, "tags were read whole"
    assert one.unknown_boxes == set(ALL)
    assert one.boxes is None, "nothing is known of boxes"
    one = opinion_of(BOTH, [tags("LOGO", "gone"), box("LOGO")])
    assert said(one) == only(LOGO=True)
    assert one.unknown_boxes == set()


def test_without_any_tag_an_unread_box_may_be_any_label() -> None:
    assert said(opinion_of(BOTH, [box(None)])) == only()
    assert said(opinion_of(BOTH, [])) == NO_PRICE


def test_other_shapes_count_by_their_frame() -> None:
    polygon = {
        "from_name": "poly",
        "type": "polygonlabels",
        "value": {"points": [[10, 10], [30, 10], [30, 30]], "polygonlabels": ["价格"]},
    }
    one = opinion_of(SHAPES, [polygon])
    assert one.boxes is not None
    assert [(drawn.label, drawn.box) for drawn in one.boxes] == [("价格", Box(0.1, 0.1, 0.3, 0.3))]
    assert said(one) == NO_PRICE | {"价格": True}


def test_nested_choices_are_read() -> None:
    assert said(opinion_of(TAGGED, [tags(["促销", "价格"], ["LOGO"])])) == NO_PRICE | {"价格": True, "LOGO": True}


def test_an_answer_about_another_picture_says_nothing_of_ours() -> None:
    elsewhere = tags("价格", control="elsewhere", to="other")
    assert said(opinion_of(TWO, [elsewhere])) == only()
    assert gold_of(TWO, [{"id": 1, "result": [elsewhere]}]) is None
    assert said(opinion_of(TWO, [elsewhere, tags("LOGO")])) == NO_PRICE | {"LOGO": True}


def test_boxes_on_a_second_picture_are_not_ours() -> None:
    second = box("价格", item_index=1)
    assert said(opinion_of(LIST, [second])) == only()
    assert said(opinion_of(LIST, [second, box("LOGO", item_index=0)])) == NO_PRICE | {"LOGO": True}


def test_a_repeater_is_read_for_its_first_picture() -> None:
    first, second = tags("价格", control="c_0", to="im_0"), tags("LOGO", control="c_1", to="im_1")
    assert said(opinion_of(REPEATED, [first])) == NO_PRICE | {"价格": True}
    assert said(opinion_of(REPEATED, [second])) == only()
    assert said(opinion_of(REPEATED, [first, second])) == NO_PRICE | {"价格": True}
    assert REPEATED.image_key == "images[0].url"
    prediction = Prediction(dict.fromkeys(ALL, 0.5), ("LOGO",), (), 0.5)
    written = result_of(REPEATED, prediction, (10, 10), "seed")
    assert [region["from_name"] for region in checked(REPEATED, written, 0.5)["result"]] == ["c_0"]


def test_a_question_that_was_perhaps_not_asked_says_no_to_nothing() -> None:
    asked_if = config(IMAGE, TAGS.replace("<Choices ", '<Choices visibleWhen="region-selected" '))
    assert said(opinion_of(asked_if, [])) == only()
    assert said(opinion_of(asked_if, [tags("LOGO")])) == NO_PRICE | {"LOGO": True}


def test_other_controls_and_arrows_cast_no_doubt() -> None:
    commented = config(IMAGE, TAGS, '<TextArea name="comment" toName="image"/>')
    comment = {"from_name": "comment", "to_name": "image", "type": "textarea", "value": {"text": ["价格"]}}
    arrow = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    assert said(opinion_of(commented, [tags("LOGO"), comment, arrow])) == NO_PRICE | {"LOGO": True}


@pytest.mark.parametrize(
    ("left_out", "kind", "value"),
    [
        ('<Choices name="odd" toName="image" value="$candidates"/>', "choices", {"choices": ["价格"]}),
        ('<Choices name="odd" toName="image" perRegion="true"><Choice value="价格"/></Choices>', "choices", {}),
        ('<Choices name="odd" toName="gone"><Choice value="价格"/></Choices>', "choices", {"choices": ["价格"]}),
        (
            '<PolygonLabels name="odd" toName="image" value="$kinds"/>',
            "polygonlabels",
            {"points": [[1, 1], [9, 1], [9, 9]], "polygonlabels": ["价格"]},
        ),
        (
            '<RectangleLabels name="odd" toName="image" value="$kinds"/>',
            "rectanglelabels",
            {"x": 1, "y": 1, "width": 9, "height": 9, "rectanglelabels": ["价格"]},
        ),
    ],
)
def test_gold_of_a_control_that_is_left_to_people_changes_nothing(left_out: str, kind: str, value: Any) -> None:
    beside = config(IMAGE, TAGS, RECTANGLES, left_out)
    odd = {"id": "o", "from_name": "odd", "to_name": "image", "type": kind, "value": value}
    gold = [tags("LOGO"), box("LOGO")]
    assert opinion_of(beside, [*gold, odd]) == opinion_of(BOTH, gold)
    assert opinion_of(beside, [odd]) == opinion_of(BOTH, [])
    drawn = (PredictedBox("价格", Box(0, 0, 0.5, 0.5), 0.9),)
    prediction = Prediction(dict.fromkeys(ALL, 0.9), ALL, drawn, 0.5)
    written = checked(beside, result_of(beside, prediction, (10, 10), "seed"), 0.5)["result"]
    assert {region["from_name"] for region in written} == {"elements", "boxes"}


def test_a_label_without_a_tag_is_unknown_where_drawing_was_left_out() -> None:
    one_more = config(IMAGE, TAGS, RECTANGLES.replace("</Rect", '<Label value="角标"/></Rect'))
    assert "角标" in opinion_of(one_more, [tags("LOGO")]).unknown
    assert "角标" not in opinion_of(one_more, [tags("LOGO"), box("LOGO")]).unknown


def test_twins_count_once_and_the_one_by_hand_stays() -> None:
    proposed, by_hand = box("LOGO", origin="prediction"), box("LOGO", 10.5, origin="manual")
    one = opinion_of(BOTH, [proposed, by_hand, box("LOGO", 60), tags("LOGO")])
    assert one.boxes is not None
    assert sorted(round(drawn.box.left, 3) for drawn in one.boxes) == [0.105, 0.6]
    assert opinion.TWINS in one.notes


def test_any_number_of_boxes_is_read_in_time_and_the_rest_is_unknown() -> None:
    began = time.process_time()
    one = opinion_of(BOTH, [tags("LOGO"), *(box("LOGO", n % 97, 1) for n in range(100_000))])
    assert time.process_time() - began < 5
    assert one.boxes is not None
    assert len(one.boxes) == 97, "twins of the first ones count once"
    assert opinion.TOO_MANY in one.notes
    assert one.unknown_boxes == set(ALL)
    assert said(one) == NO_PRICE | {"LOGO": True}


# What Tagloom proposes and Label Studio keeps: ids of regions, and in `origin` whether one was changed.

PROPOSED = Prediction(
    dict.fromkeys(ALL, 0.5),
    ("主体", "LOGO"),
    (PredictedBox("主体", Box(0.2, 0.2, 0.8, 0.8), 0.7), PredictedBox("价格", Box(0.1, 0.1, 0.2, 0.2), 0.4)),
    0.5,
)


def proposal() -> list[dict[str, Any]]:
    """The regions of a proposal as an annotation holds them that was made of it: tags, product box, price box."""
    written = result_of(BOTH, PROPOSED, (100, 100), region_seed("default/1.2", 5, "v3.abcd"))
    return [{**region, "origin": "prediction"} for region in written]


def test_an_untouched_proposal_is_known_as_such() -> None:
    one = opinion_of(BOTH, proposal())
    assert one.untouched is not None
    assert said(one) == NO_PRICE | {"主体": True, "LOGO": True, "价格": True}
    copied = [{name: value for name, value in region.items() if name != "origin"} for region in proposal()]
    assert opinion_of(BOTH, copied).untouched is not None, "Label Studio's own copies have no origin"


@pytest.mark.parametrize("what", ["changed", "removed", "added"])
def test_a_proposal_that_a_person_worked_on_is_not_untouched(what: str) -> None:
    regions = proposal()
    if what == "changed":
        regions[1]["origin"] = "prediction-changed"
    elif what == "removed":
        regions.pop()
    else:
        regions.append(box("LOGO", origin="manual"))
    assert opinion_of(BOTH, regions).untouched is None


def test_a_removed_tag_beats_its_untouched_box() -> None:
    regions = proposal()
    regions[0] |= {"value": {"choices": ["LOGO"]}, "origin": "prediction-changed"}
    one = opinion_of(BOTH, regions)
    assert said(one) == NO_PRICE | {"LOGO": True, "价格": True}
    assert one.boxes is not None
    assert [drawn.label for drawn in one.boxes] == ["价格"], "a box that was proposed without its tag stays"
    assert opinion.TAG_REMOVED in one.notes


def test_all_tags_removed_beat_their_untouched_boxes() -> None:
    assert said(opinion_of(BOTH, proposal()[1:])) == NO_PRICE | {"价格": True}


def test_a_box_by_hand_beats_a_missing_tag() -> None:
    regions = proposal()
    regions[0] |= {"value": {"choices": ["LOGO"]}, "origin": "prediction-changed"}
    regions[1]["origin"] = "prediction-changed"
    one = opinion_of(BOTH, regions)
    assert one.labels == {"主体", "LOGO", "价格"}
    assert opinion.BOX_DRAWN in one.notes


def test_where_nobody_knows_what_was_proposed_a_box_without_its_tag_is_unknown() -> None:
    one = opinion_of(BOTH, [tags("LOGO", origin="prediction-changed"), box("主体", origin="prediction")])
    assert said(one) == NO_PRICE | {"LOGO": True, "主体": None}
    assert "主体" in one.unknown_boxes
    assert opinion.TAG_UNSURE in one.notes
