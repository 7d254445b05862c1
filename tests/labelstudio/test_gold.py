from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio.config import LabelConfig
from labelstudio.gold import gold_of, read_gold, was_misread
from labelstudio.proposals import NO_TAG, Mark, proposed_by, region_id, region_seed
from model.items import Box, Gold
from tests import captured

CONFIG = LabelConfig.parse(captured.CONFIG)
BOXES_ONLY = LabelConfig.parse(
    '<View><Image name="image" value="$i"/><RectangleLabels name="boxes" toName="image"><Label value="LOGO"/>'
    "</RectangleLabels></View>"
)
TAGS_ONLY = LabelConfig.parse(
    '<View><Image name="image" value="$i"/><Choices name="elements" toName="image" choice="multiple">'
    '<Choice value="LOGO"/><Choice value="价格"/></Choices></View>'
)


def tags(*names: str) -> dict[str, Any]:
    return {"from_name": "elements", "to_name": "image", "type": "choices", "value": {"choices": list(names)}}


def box(label: str, x: float = 10) -> dict[str, Any]:
    value = {"x": x, "y": 10, "width": 20, "height": 20, "rectanglelabels": [label]}
    return {"from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": value}


def annotation(*result: Any, number: int = 1, **fields: Any) -> dict[str, Any]:
    stamp = f"2026-11-21T19:00:{number:02}Z"
    return {"id": number, "result": list(result), "was_cancelled": False, "updated_at": stamp, **fields}


def test_a_captured_annotation_is_gold_with_its_labels_and_boxes() -> None:
    gold = gold_of(CONFIG, [captured.body("10")["annotation"]])
    assert gold is not None
    assert gold.labels == frozenset({"主体", "价格"})
    assert gold.boxes is not None
    assert gold.boxes[0].box == Box(0.01, 0.02, 0.31, 0.42)
    assert gold.weight == 1.0


def test_skipped_and_missing_annotations_are_no_gold() -> None:
    assert gold_of(CONFIG, [captured.body("13")["annotation"]]) is None
    assert gold_of(CONFIG, []) is None


def test_submitted_with_nothing_chosen_says_that_nothing_is_there() -> None:
    assert gold_of(CONFIG, [annotation()]) == Gold(frozenset(), (), 1.0)


def test_tags_without_rectangles_say_nothing_about_boxes() -> None:
    gold = gold_of(CONFIG, [annotation(tags("LOGO"))])
    assert gold == Gold(frozenset({"LOGO"}), None, 1.0)


def test_what_is_drawn_is_there() -> None:
    gold = gold_of(CONFIG, [annotation(tags("LOGO"), box("价格"))])
    assert gold is not None
    assert gold.labels == frozenset({"LOGO", "价格"})


def test_a_project_without_tags_or_without_rectangles() -> None:
    boxes = gold_of(BOXES_ONLY, [annotation(box("LOGO"))])
    assert boxes is not None
    assert boxes.labels == {"LOGO"}
    assert boxes.boxes is not None
    only_tags = gold_of(TAGS_ONLY, [annotation(tags("LOGO"))])
    assert only_tags == Gold(frozenset({"LOGO"}), None, 1.0)


def test_the_majority_of_annotators_decides_and_gives_the_weight() -> None:
    gold = gold_of(
        TAGS_ONLY,
        [
            annotation(tags("LOGO"), number=1),
            annotation(tags("LOGO", "价格"), number=2),
            annotation(tags("LOGO"), number=3),
        ],
    )
    assert gold is not None
    assert gold.labels == frozenset({"LOGO"})
    assert gold.weight == 2 / 3


def test_the_newest_decides_a_tie() -> None:
    old, new = annotation(tags("LOGO"), number=1), annotation(tags("价格"), number=2)
    for order in ([old, new], [new, old]):
        gold = gold_of(TAGS_ONLY, order)
        assert gold is not None
        assert gold.labels == frozenset({"价格"})


def test_who_was_not_understood_has_no_say_in_what_is_absent() -> None:
    unread, no, yes = annotation(tags("gone")), annotation(tags("LOGO"), number=2), annotation(tags("价格"), number=3)
    gold = gold_of(TAGS_ONLY, [unread, no])
    assert gold is not None
    assert (gold.labels, gold.unknown) == (frozenset({"LOGO"}), frozenset())
    gold = gold_of(TAGS_ONLY, [unread, annotation(tags("gone", "价格"), number=2)])
    assert gold is not None
    assert (gold.labels, gold.unknown) == (frozenset({"价格"}), frozenset({"LOGO"}))
    gold = gold_of(TAGS_ONLY, [unread, no, yes])
    assert gold is not None
    assert (gold.labels, gold.weight) == (frozenset({"价格"}), 2 / 3), "the newest decides between two"


def test_annotations_of_which_nothing_was_understood_are_no_gold() -> None:
    unread = [annotation(tags("gone")), annotation({"type": "choices"}, number=2)]
    assert gold_of(TAGS_ONLY, unread) is None
    gold = read_gold(TAGS_ONLY, unread)
    assert gold is not None
    assert gold.unknown == {"LOGO", "价格"}
    assert len(gold.notes) == 2


def test_gold_is_accepted_only_if_all_annotators_took_the_proposal_over() -> None:
    seed = region_seed("default/1.2", 5, "v3.abcd")
    proposed = {**tags("LOGO"), "id": region_id(seed, 0, 1, NO_TAG), "origin": "prediction"}

    def version_of(mark: Mark) -> str:
        return proposed_by(mark, "default/1.2", 5, ["v2.0000", "v3.abcd"])

    accepted = read_gold(TAGS_ONLY, [annotation(proposed)], version_of)
    assert accepted is not None
    assert accepted.accepted == "v3.abcd"
    changed = read_gold(TAGS_ONLY, [annotation(proposed), annotation(tags("价格"), number=2)], version_of)
    assert changed is not None
    assert changed.accepted is None


def test_ground_truth_counts_alone() -> None:
    gold = gold_of(
        TAGS_ONLY,
        [
            annotation(tags("LOGO"), number=1, ground_truth=True),
            annotation(tags("价格"), number=2),
            annotation(tags("价格"), number=3),
        ],
    )
    assert gold is not None
    assert gold.labels == frozenset({"LOGO"})


def test_boxes_of_several_annotators_are_averaged_and_lone_ones_left_out() -> None:
    gold = gold_of(
        BOXES_ONLY,
        [
            annotation(box("LOGO", 10), number=1),
            annotation(box("LOGO", 14), number=2),
            annotation(box("LOGO", 70), number=3),
        ],
    )
    assert gold is not None
    assert gold.boxes is not None
    assert [round(entry.box.left, 4) for entry in gold.boxes] == [0.12]


def test_an_alias_in_old_annotations_still_counts() -> None:
    renamed = LabelConfig.parse(
        '<View><Image name="image" value="$i"/><Choices name="elements" toName="image">'
        '<Choice value="Brand mark" alias="LOGO"/></Choices></View>'
    )
    gold = gold_of(renamed, [annotation(tags("LOGO"))])
    assert gold is not None
    assert gold.labels == frozenset({"LOGO"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
REGIONS = st.fixed_dictionaries(
    {
        "from_name": st.sampled_from(["boxes", "elements"]) | JSON,
        "type": st.sampled_from(["choices", "rectanglelabels", "polygonlabels"]) | JSON,
    },
    optional={
        "id": JSON,
        "origin": JSON,
        "to_name": JSON,
        "item_index": JSON,
        "image_rotation": JSON,
        "value": st.dictionaries(st.sampled_from(["x", "y", "width", "choices", "rectanglelabels"]), JSON) | JSON,
    },
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.fixed_dictionaries({"result": st.lists(REGIONS | JSON, max_size=4) | JSON, "was_cancelled": JSON})))
def test_any_annotation_gives_gold_or_nothing(annotations: list[dict[str, Any]]) -> None:
    gold = read_gold(CONFIG, annotations)
    for annotation in annotations:
        was_misread(CONFIG, annotation)
    if gold is not None:
        assert gold.labels | gold.unknown | gold.unknown_boxes <= set(CONFIG.labels)
        assert not gold.labels & gold.unknown
        assert 0 < gold.weight <= 1
