from dataclasses import asdict, replace

from model.attention.vocabulary import UNSEEN, Vocabulary
from testing.features import features


def test_a_vocabulary_grows_at_its_end() -> None:
    first = Vocabulary().grown([features(industry=("家电", "水壶"))])
    second = first.grown([features(industry=("家电", "烤箱")), features(industry=("日用", "水壶"))])
    assert first.industries == ("0:家电", "1:水壶")
    assert second.industries == (*first.industries, "0:日用", "1:烤箱")
    assert second.grown([features(industry=("家电", "水壶"))]) == second


def test_a_name_on_two_levels_is_two_values_and_an_unknown_one_has_no_row() -> None:
    vocabulary = Vocabulary().grown([features(industry=("水壶", "水壶"))])
    assert vocabulary.rows(("水壶", "水壶")) == [0, 1]
    assert vocabulary.rows(("烤箱", "水壶")) == [UNSEEN, 1]


def test_fields_are_those_that_some_item_fills() -> None:
    items = [
        replace(features(), texts={"reviews": "好", "description": " "}),
        replace(features(), texts={"brief": "轻"}),
    ]
    assert Vocabulary().grown(items).fields == ("brief", "reviews")


def test_it_comes_back_from_a_dictionary() -> None:
    vocabulary = Vocabulary(("0:家电",), ("reviews",))
    assert Vocabulary.from_dict({name: list(values) for name, values in asdict(vocabulary).items()}) == vocabulary
