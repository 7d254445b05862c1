from model.knowledge.facts import Fact, Knowledge, Learned, Relation, disputes, industry_name, place_of

ALIAS = Fact(Relation.ALIAS, "nova", "诺瓦")
ELEMENT = Fact(Relation.ELEMENT, "家电", "价格")


def test_people_win_over_gold() -> None:
    gold = {ALIAS: Learned((1, 2))}
    assert Knowledge(gold).holds(ALIAS) is True
    assert Knowledge(gold, {ALIAS: False}).holds(ALIAS) is False
    assert Knowledge({}, {ALIAS: True}).holds(ALIAS) is True
    assert Knowledge().holds(ALIAS) is None
    assert Knowledge(gold, {ALIAS: False}).holding(Relation.ALIAS) == {}
    assert Knowledge(gold).holding(Relation.ALIAS) == {"nova": ["诺瓦"]}


def test_what_people_and_gold_say_apart_is_told_with_its_tasks() -> None:
    (found,) = disputes(Knowledge({ALIAS: Learned((1, 2))}, {ALIAS: False}))
    assert "people say no, gold says yes" in found.words
    assert found.tasks == (1, 2)


def test_an_element_that_people_give_and_no_gold_picture_has_is_told() -> None:
    seen = {Fact(Relation.ELEMENT, "家电", "LOGO"): Learned((3,), of=9)}
    (found,) = disputes(Knowledge(seen, {ELEMENT: True}))
    assert "none of 9 gold pictures" in found.words
    assert disputes(Knowledge({}, {ELEMENT: True})) == (), "without gold nothing contradicts"


def test_a_name_of_two_brands_is_told_until_a_person_decides() -> None:
    shared = Fact(Relation.ALIAS, "apex", "诺瓦")
    gold = {ALIAS: Learned((1,)), shared: Learned((5,))}
    (found,) = disputes(Knowledge(gold))
    assert "apex" in found.words
    assert "nova" in found.words
    assert found.tasks == (1, 5)
    decided = disputes(Knowledge(gold, {shared: False}))
    assert not any("is a name of" in one.words for one in decided)


def test_places_and_paths_are_plain_words() -> None:
    assert place_of(12, (0.02, 0.03, 0.2, 0.125)) == "task 12 at 2 3 20 12.5"
    assert industry_name(("家电", "水壶")) == "家电 > 水壶"
