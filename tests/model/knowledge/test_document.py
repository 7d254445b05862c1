import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.knowledge.document import WrongLineError, read, written
from model.knowledge.facts import Contradiction, Fact, Knowledge, Learned, Relation

LABELS = ("LOGO", "赠品", "价格")
ALIAS = Fact(Relation.ALIAS, "nova", "诺瓦")
LOOK = Fact(Relation.LOGO, "nova", "task 12 at 2 3 20 12.5")
ELEMENT = Fact(Relation.ELEMENT, "家电 > 水壶", "价格")
KNOWLEDGE = Knowledge(
    {ALIAS: Learned((12, 15)), LOOK: Learned((12,)), ELEMENT: Learned((1, 2, 3, 4, 5, 6, 7), of=9)},
    {ALIAS: False, Fact(Relation.COPY, "618", "买: 得 #1"): True},
    (Contradiction("one look with\ntwo names", (3, 4)),),
)


def test_a_file_says_who_said_what_in_plain_lines() -> None:
    text = written(KNOWLEDGE, "default/2.1 女装\nyes")
    assert "brand names:\n  nova:\n    诺瓦: no, gold tasks 12, 15\n" in text
    assert "    task 12 at 2 3 20 12.5: gold task 12\n" in text
    assert "    价格: gold 7 of 9, tasks 1, 2, 3, 4, 5 and 2 more\n" in text
    assert "# contradiction: one look with two names (tasks 3, 4)\n" in text


def test_what_was_written_is_read_back() -> None:
    reading = read(written(KNOWLEDGE, "shop"), LABELS)
    assert reading.said == KNOWLEDGE.said
    assert reading.of_gold == 2


@given(
    st.dictionaries(st.text(min_size=1, max_size=20).filter(lambda name: name.strip() != ""), st.booleans(), max_size=4)
)
def test_any_name_comes_back(names: dict[str, bool]) -> None:
    usual = {name: holds for name, holds in names.items() if name.isprintable()}
    said = {Fact(Relation.ALIAS, name, name): holds for name, holds in usual.items()}
    assert read(written(Knowledge({}, said), "shop"), LABELS).said == said


def test_names_that_yaml_takes_for_something_else_stay_names() -> None:
    said = read("brand names:\n  no:\n    yes: YES\n    1.0: no\n", LABELS).said
    assert said == {Fact(Relation.ALIAS, "no", "yes"): True, Fact(Relation.ALIAS, "no", "1.0"): False}


@pytest.mark.parametrize("text", ["", "# nothing\n", "brand names:\n", "brand names:\n  nova:\n"])
def test_an_empty_place_says_nothing(text: str) -> None:
    assert read(text, LABELS).said == {}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("brand names:\n  nova:\n    诺瓦: maybe\n", 3, "write yes or no"),
        ("\nbrand name:\n  nova:\n    诺瓦: yes\n", 2, "is no section: use one of brand names"),
        ("elements of industries:\n  家电:\n    价钱: no\n", 3, "is no label of this project: use one of LOGO"),
        ("brand logos:\n  nova:\n    task 12: no\n", 3, "write task 12 at 2 3 20 10"),
        ("brand names:\n  nova:\n    诺瓦: yes\n    诺瓦: no\n", 4, "stands in line 3 too"),
        ("brand names:\n  nova: yes\n", 2, "write lines such as NAME: yes below nova"),
        ("brand names: yes\n", 1, "write NAME: below brand names:"),
        ("- nova\n", 1, "write the sections"),
        ("brand names:\n  nova:\n    诺瓦:\n      a: yes\n", 3, "stands no value"),
        ("brand names:\n  nova:\n   - yes\n", 3, "write lines such as NAME: yes"),
        ("brand names:\n  nova:\n    'open: yes\n", 4, "this is no YAML"),
        ("brand names:\n  nova:\n\t诺瓦: yes\n", 3, "this is no YAML"),
        (f"brand names:\n  {'n' * 301}:\n    a: yes\n", 2, "1 to 300 characters"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_with_what_to_write(text: str, line: int, words: str) -> None:
    with pytest.raises(WrongLineError) as wrong:
        read(text, LABELS)
    assert str(wrong.value).startswith(f"line {line}: ")
    assert words in str(wrong.value)
