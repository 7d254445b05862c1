import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio.config import ConfigError, LabelConfig
from labelstudio.controls.choices import Choices
from labelstudio.controls.rectangle_labels import RectangleLabels
from tests import captured
from tests.labelstudio.configs import IMAGE, TREES, USELESS, labelled


def config(*tags: str) -> LabelConfig:
    return LabelConfig.parse(f"<View>{''.join(tags)}</View>")


def test_a_captured_config_has_its_controls_labels_and_keys() -> None:
    parsed = LabelConfig.parse(captured.CONFIG)
    assert parsed.labels == captured.LABELS
    assert [type(control) for control in parsed.controls] == [Choices, RectangleLabels]
    assert (parsed.image_key, parsed.title_key, parsed.text_keys) == ("image", "title", ())
    assert "industry" in parsed.industry_keys


def test_changed_config_of_the_capture_has_the_new_label_on_rectangles_only() -> None:
    parsed = LabelConfig.parse(captured.body("19")["project"]["label_config"])
    assert parsed.labels == (*captured.LABELS, "二维码")
    assert "二维码" not in parsed.choices[0].labels
    assert "二维码" in parsed.rectangles[0].labels


def test_single_choice_and_any_language() -> None:
    parsed = config(IMAGE, '<Choices name="q" toName="img"><Choice value="Ja"/><Choice value="Нет"/></Choices>')
    assert parsed.labels == ("Ja", "Нет")
    assert not parsed.choices[0].multiple
    assert parsed.rectangles == ()


def test_alias_stands_in_results_and_predicted_value_names_the_model_label() -> None:
    parsed = config(
        IMAGE,
        '<RectangleLabels name="r" toName="img"><Label value="Gift!" alias="gift" predicted_values="赠品, freebie"/>'
        '<Label value="Price"/></RectangleLabels>',
    )
    assert parsed.labels == ("赠品", "Price")
    assert parsed.rectangles[0].labels == {"gift": "赠品", "Price": "Price"}
    assert parsed.names["赠品"] == ("赠品", "freebie", "gift", "Gift!")


def test_controls_that_share_a_name_share_the_label() -> None:
    parsed = config(
        IMAGE,
        '<Choices name="c" toName="img" choice="multiple"><Choice value="赠品" alias="gift"/></Choices>',
        '<RectangleLabels name="r" toName="img"><Label value="赠品"/></RectangleLabels>',
    )
    assert parsed.labels == ("gift",)
    assert parsed.choices[0].labels == {"gift": "gift"}
    assert parsed.rectangles[0].labels == {"赠品": "gift"}


def test_labels_of_one_control_stay_apart_even_if_their_names_cross() -> None:
    parsed = config(
        IMAGE, '<Choices name="c" toName="img"><Choice value="b" alias="a"/><Choice value="a" alias="b"/></Choices>'
    )
    assert len(set(parsed.choices[0].labels.values())) == 2


def test_several_controls_nested_views_and_mixed_case() -> None:
    parsed = config(
        IMAGE,
        '<View><choices name="c" toName="img"><View><Choice value="x"/></View></choices></View>',
        '<Choices name="d" toName="img"><Choice value="y"/></Choices>',
    )
    assert [control.name for control in parsed.controls] == ["c", "d"]
    assert parsed.labels == ("x", "y")


def test_title_is_the_usual_name_else_the_first_text() -> None:
    tags = '<Header value="$shop"/><Text name="t" value="$title"/><HyperText name="h" value="$html"/>'
    choices = '<Choices name="c" toName="img"><Choice value="x"/></Choices>'
    assert config(IMAGE, tags, choices).title_key == "title"
    assert config(IMAGE, tags, choices).text_keys == ("shop", "html")
    assert config(IMAGE, '<Text name="t" value="$caption"/>', choices).title_key == "caption"
    assert config(IMAGE, choices).title_key == "title"


def test_headers_that_only_explain_are_no_data() -> None:
    parsed = config(IMAGE, '<Header value="Which ones?"/><Choices name="c" toName="img"><Choice value="x"/></Choices>')
    assert parsed.text_keys == ()


def test_industry_keys_given_take_the_place_of_the_usual_ones() -> None:
    choices = '<Choices name="c" toName="i"><Choice value="x"/></Choices>'
    xml = f'<View><Image name="i" value="$i"/><Text name="t" value="$industry"/>{choices}</View>'
    assert LabelConfig.parse(xml).title_key == "title"
    given_keys = LabelConfig.parse(xml, ("kind",))
    assert given_keys.industry_keys == ("kind",)
    assert given_keys.title_key == "industry"


def test_controls_of_another_picture_and_questions_per_region_are_left_to_people() -> None:
    parsed = config(
        IMAGE,
        '<Image name="second" value="$other"/>',
        '<RectangleLabels name="r" toName="img"><Label value="x"/></RectangleLabels>',
        '<RectangleLabels name="r2" toName="second"><Label value="y"/></RectangleLabels>',
        '<Choices name="c" toName="img" perRegion="true"><Choice value="z"/></Choices>',
    )
    assert [control.name for control in parsed.controls] == ["r"]
    assert parsed.labels == ("x",)


def test_a_list_of_pictures_is_answered_for_its_first() -> None:
    parsed = config(
        '<Image name="img" valueList="$photos"/>',
        '<RectangleLabels name="r" toName="img"><Label value="x"/></RectangleLabels>',
    )
    assert parsed.image_key == "photos"
    assert parsed.rectangles[0].item_index == 0


@pytest.mark.parametrize(
    ("xml", "advice"),
    [
        ("", "not well-formed"),
        ("<View>", "not well-formed"),
        ("<View></View>", "add <Choices"),
        (f"<View>{IMAGE}</View>", "add <Choices"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "remove it"),
        (f'<View>{IMAGE}<Choices toName="img"><Choice value="x"/></Choices></View>', "name and a toName"),
        (f'<View>{IMAGE}<Choices name="c" toName="gone"><Choice value="x"/></Choices></View>', "no tag has the name"),
        (f'<View>{IMAGE}<Choices name="c" toName="img" value="$o"/></View>', "task data"),
        (
            '<View><Text name="t" value="$t"/><RectangleLabels name="r" toName="t"><Label value="x"/></RectangleLabels>'
            "</View>",
            "<Image",
        ),
        ("<View>" + " " * 1_000_001 + "</View>", "longer than"),
    ],
)
def test_what_cannot_work_says_what_to_change(xml: str, advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        LabelConfig.parse(xml)


@settings(max_examples=60, deadline=None)
@given(TREES | st.text(max_size=80))
def test_any_config_parses_or_says_what_to_change(xml: str) -> None:
    try:
        parsed = LabelConfig.parse(xml)
    except ConfigError:
        return
    assert parsed.labels
    assert len(set(parsed.labels)) == len(parsed.labels)
    for control in parsed.controls:
        assert set(control.labels.values()) <= set(parsed.labels)
        assert len(set(control.labels.values())) == len(control.labels)


@pytest.mark.parametrize("name", USELESS)
def test_a_config_that_cannot_work_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=r"labels|levels|tags|characters|no task"):
        LabelConfig.parse(USELESS[name])


def test_as_many_labels_as_may_be_cost_in_proportion() -> None:
    def cost(count: int) -> float:
        began = time.process_time()
        LabelConfig.parse(labelled(count))
        return time.process_time() - began

    few, many = min(cost(100) for _ in range(5)), min(cost(1_000) for _ in range(3))
    assert many < 30 * few + 0.05
    assert len(LabelConfig.parse(labelled(1_000)).labels) == 1_000


def test_many_names_of_a_label_cost_in_proportion() -> None:
    names = ",".join(f"name {number}" for number in range(60_000))
    xml = f'<View>{IMAGE}<Choices name="c" toName="img"><Choice value="x" predicted_values="{names}"/></Choices></View>'
    began = time.process_time()
    assert len(LabelConfig.parse(xml).names["name 0"]) == 60_001
    assert time.process_time() - began < 2


MANY = "".join(f'<Choice value="{number}"/>' for number in range(1_001))
TAGS = '<Choices name="tags" toName="img" choice="multiple"><Choice value="LOGO"/></Choices>'
BOXES = '<RectangleLabels name="boxes" toName="img"><Label value="LOGO"/></RectangleLabels>'


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ('<Choices name="odd" toName="img" value="$candidates"/>', r'task data \(value="\$candidates"\)'),
        ('<RectangleLabels name="odd" toName="img" value="$kinds"/>', r'task data \(value="\$kinds"\)'),
        ('<Choices name="odd" toName="img"/>', "lists no labels"),
        ('<Choices name="odd" toName="gone"><Choice value="x"/></Choices>', 'no tag has the name "gone"'),
        ('<RectangleLabels name="odd" toName="gone"><Label value="x"/></RectangleLabels>', "no tag has the name"),
        ('<Choices name="odd"><Choice value="x"/></Choices>', "both a name and a toName"),
        ('<Choices toName="img"><Choice value="x"/></Choices>', "both a name and a toName"),
        (f'<Choices name="odd" toName="img"><Choice value="{"x" * 501}"/></Choices>', "longer than 500"),
        (
            f'<Choices name="odd" toName="img">{MANY}</Choices>',
            "more than 1,000 labels",
        ),
        ('<Choices name="odd" toName="img" perRegion="true"><Choice value="x"/></Choices>', "single regions"),
        (
            '<Text name="t" value="$t"/><RectangleLabels name="odd" toName="t"><Label value="x"/></RectangleLabels>',
            "another object",
        ),
        (
            f'<Image name="far" value="$a[{"9" * 9}]"/><Choices name="odd" toName="far"><Choice value="x"/></Choices>',
            "no task has data",
        ),
        ('<Rating name="odd" toName="img"/>', "no such control"),
        ('<BrushLabels name="odd" toName="img" value="$kinds"/>', r'task data \(value="\$kinds"\)'),
        ('<PolygonLabels name="odd" toName="img"><Label value="x"/></PolygonLabels>', "read as gold"),
    ],
)
def test_a_control_that_cannot_be_used_is_left_to_people_beside_usable_ones(odd: str, reason: str) -> None:
    for tags in ([IMAGE, odd, TAGS, BOXES], [IMAGE, TAGS, BOXES, odd]):
        parsed = config(*tags)
        assert [control.name for control in parsed.controls] == ["tags", "boxes"]
        assert parsed.labels == ("LOGO",)
        assert re.search(reason, parsed.left_out[-1])
    with pytest.raises(ConfigError, match=reason):
        config(IMAGE, odd)


def test_a_control_of_another_picture_is_named() -> None:
    second = '<Image name="second" value="$b"/><Choices name="odd" toName="second"><Choice value="x"/></Choices>'
    parsed = config(IMAGE, TAGS, second)
    assert parsed.labels == ("LOGO",)
    assert parsed.left_out == (
        '<Choices name="odd">: it belongs to another object than the picture that Tagloom reads',
    )


@pytest.mark.parametrize(
    "unusable",
    [
        '<Choices name="odd" toName="first" value="$candidates"/>',
        '<Choices name="odd" toName="first" perRegion="true"><Choice value="x"/></Choices>',
        '<Rating name="odd" toName="first"/>',
    ],
)
def test_a_picture_without_a_usable_control_does_not_stand_before_one_with(unusable: str) -> None:
    parsed = config('<Image name="first" value="$a"/>', IMAGE, unusable, TAGS)
    assert (parsed.image_key, [control.name for control in parsed.controls]) == ("photo", ["tags"])


def test_a_text_that_no_task_can_have_is_left_out() -> None:
    parsed = config(IMAGE, f'<Text name="t" value="${"a" * 501}"/><Text name="u" value="$caption"/>', TAGS)
    assert (parsed.title_key, parsed.text_keys) == ("caption", ())
    assert parsed.left_out[0].startswith('<text name="t">: no task has data')


def test_a_config_without_a_usable_control_gives_the_reason_of_each() -> None:
    with pytest.raises(ConfigError) as refused:
        config(IMAGE, '<Choices name="a" toName="img" value="$a"/><RectangleLabels name="b" toName="gone"/>')
    assert '<Choices name="a">: it takes its labels from task data' in str(refused.value)
    assert '<RectangleLabels name="b">: no tag has the name "gone"' in str(refused.value)
    with pytest.raises(ConfigError) as refused:
        config(IMAGE, *(f'<Rating name="r{number}" toName="img"/>' for number in range(1_000)))
    assert len(str(refused.value)) < 1_000
