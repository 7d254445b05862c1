"""Replies of vision models as they come: alone, fenced, in chat, in four units."""

import json
from typing import Any

import pytest

from sources.answers import Kind, checked
from sources.interface import Item, Label
from sources.replies import Reply, answer_of, instruction, read_reply, units_of

ITEM = Item("杯子", ("家居", "杯"), size=(800, 400), labels=(Label("LOGO", "the brand's sign"), Label("价格")))
SENT = (768, 384)


def response(text: object, **usage: int) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}], "usage": usage or None}).encode()


def test_the_instruction_names_labels_descriptions_title_and_industry() -> None:
    told = instruction(ITEM)
    for part in ("- LOGO: the brand's sign", "- 价格\n", "Title: 杯子", "Industry: 家居 > 杯", '"价格": 0.5'):
        assert part in told


GOOD = '{"labels": {"LOGO": 0.9, "价格": 0}, "boxes": []}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Sure! Here is what I see:\n{GOOD}\nLet me know {{if}} I can help.",
        f"The set {{a, b}} is clear. {GOOD}",
        f'<think>{{"labels": {{"LOGO": 0}}}} or not?</think>{GOOD}',
        GOOD.replace("labels", "tags"),
        f'{{"note": 1}} {GOOD}',
    ],
)
def test_json_is_found_in_whatever_stands_around_it(text: str) -> None:
    read = read_reply(response(text))
    assert read.reply, read.why
    answer, dropped = answer_of(read.reply, ITEM, SENT)
    assert answer["labels"] == {"LOGO": 0.9, "价格": 0}
    assert not dropped


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>", "none of the chat completions API"),
        (b"[]", "none of the chat completions API"),
        (b'{"error": "x"}', "none of the chat completions API"),
        (response(None), "without text"),
        (response("I can't look at pictures."), "no JSON in the reply"),
        (response('{"labels": {"LOGO": 0.9'), "no JSON in the reply"),
        (response('{"labels": 7}'), "the reply's labels"),
        (response('{"labels": {"LOGO": "perhaps"}}'), "the reply's labels"),
        (response("{" * 5000), "no JSON in the reply"),
    ],
)
def test_what_is_no_reply_says_what_is_wrong(content: bytes, words: str) -> None:
    read = read_reply(content)
    assert read.reply is None
    assert words in read.why


def test_tokens_are_read_also_of_a_reply_that_is_of_no_use() -> None:
    assert read_reply(response("no", prompt_tokens=900, completion_tokens=7)).tokens == (900, 7)
    assert read_reply(response(GOOD)).tokens is None


def test_a_list_of_labels_is_a_no_for_the_others() -> None:
    answer, _ = answer_of(Reply(labels=["LOGO"]), ITEM, SENT)
    assert answer["labels"] == {"LOGO": True, "价格": False}


HALF = [0.0, 0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("unit", "boxes", "found"),
    [
        (None, [[0.0, 0.0, 0.5, 0.5]], [HALF]),
        ("percent", [[0, 0, 50, 50]], [HALF]),
        ("pixel", [[0, 0, 384, 192]], [HALF]),
        ("thousand", [[0, 0, 500, 500]], [HALF]),
        # Of these only one unit holds both boxes: 900 is more than the picture has pixels.
        (None, [[0, 0, 500, 500], [800, 800, 900, 900]], [HALF, [0.8, 0.8, 0.9, 0.9]]),
        # The stated unit does not hold them, another one alone does.
        ("fraction", [[0, 0, 500, 500], [800, 800, 900, 900]], [HALF, [0.8, 0.8, 0.9, 0.9]]),
        # May be percent, pixels or thousandths; none is stated.
        (None, [[0, 0, 50, 50]], []),
        ("fraction", [[0, 0, 50, 50]], []),
        ("percent", [[0, 0, 2000, 50]], []),
        (None, [[0, 0, 5000, 50]], []),
    ],
)
def test_boxes_of_a_unit_that_is_certain_are_used_and_no_others(
    unit: Any, boxes: list[list[float]], found: list[list[float]]
) -> None:
    reply = Reply(labels={"LOGO": 1.0}, unit=unit, boxes=[{"label": "LOGO", "box": box} for box in boxes])
    answer, dropped = answer_of(reply, ITEM, SENT)
    said = checked(answer, ITEM)
    assert [list(box[1:]) for box in said.boxes] == [pytest.approx(box) for box in found]
    assert (Kind.BOXES in dropped) == (not found)
    assert said.labels == {"LOGO": 1.0}


def test_a_box_that_is_odd_or_outside_does_not_take_the_others_along() -> None:
    boxes: list[Any] = [
        {"label": "LOGO", "box": [0.1, 0.1, 0.2, 0.2]},
        {"label": "LOGO", "bbox_2d": [0.3, 0.3, 0.4, 0.4]},
        {"label": "LOGO", "box": [0.5, 0.5, 0.4, 0.4]},
        {"label": "other", "box": [0.1, 0.1, 0.2, 0.2]},
        {"label": "LOGO", "box": [0.1, 0.1]},
        "LOGO",
    ]
    answer, dropped = answer_of(Reply(boxes=boxes), ITEM, SENT)
    said = checked(answer, ITEM)
    assert said.boxes == [["LOGO", 0.1, 0.1, 0.2, 0.2], ["LOGO", 0.3, 0.3, 0.4, 0.4]]
    assert Kind.BOXES in dropped
    assert set(said.dropped) == {Kind.BOXES, Kind.OTHER_LABELS}


def test_without_boxes_no_unit_is_in_question() -> None:
    assert units_of([], SENT) == ()
