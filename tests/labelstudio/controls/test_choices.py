from labelstudio.controls.choices import Choices
from labelstudio.regions import NO_VALUE, UNKNOWN_NAME, Reading
from model.items import Prediction

MULTIPLE = Choices("tags", "image", {"a": "A", "b": "B", "c": "C"}, multiple=True)
SINGLE = Choices("tags", "image", {"a": "A", "b": "B"}, multiple=False)


def prediction(labels: tuple[str, ...], **probabilities: float) -> Prediction:
    return Prediction(probabilities, labels, (), 0.5)


def chosen(*names: object) -> dict[str, object]:
    return {"from_name": "tags", "to_name": "image", "type": "choices", "value": {"choices": list(names)}}


def test_multiple_gives_all_predicted_labels_in_the_configs_order() -> None:
    written = MULTIPLE.write(prediction(("C", "A"), A=0.9, B=0.1, C=0.8))
    assert [region["value"]["choices"] for region in written] == [["a", "c"]]


def test_nothing_predicted_is_no_region() -> None:
    assert MULTIPLE.write(prediction((), A=0.1)) == []


def test_single_gives_the_likeliest_even_below_its_threshold() -> None:
    assert SINGLE.write(prediction((), A=0.2, B=0.4))[0]["value"]["choices"] == ["b"]
    assert SINGLE.write(prediction(("A", "B"), A=0.9, B=0.8))[0]["value"]["choices"] == ["a"]


def test_labels_that_the_model_does_not_know_are_no_error() -> None:
    assert SINGLE.write(prediction((), X=0.9)) == []


def test_names_are_read_and_unknown_ones_told() -> None:
    assert MULTIPLE.read(chosen("a", "b")) == Reading(frozenset({"A", "B"}))
    assert MULTIPLE.read(chosen("a", "gone", 5)) == Reading(frozenset({"A"}), None, UNKNOWN_NAME)
    assert MULTIPLE.read(chosen()) == Reading(frozenset())
    assert MULTIPLE.read({"value": None}) == Reading(frozenset(), None, NO_VALUE)


def test_a_nested_choice_is_a_path_of_names() -> None:
    assert MULTIPLE.read(chosen(["group", "a"], ["b"])) == Reading(frozenset({"A", "B"}))
    assert MULTIPLE.read(chosen(["c", "a"])) == Reading(frozenset({"A", "C"}))
    assert MULTIPLE.read(chosen(["a", "gone"])) == Reading(frozenset({"A"}), None, UNKNOWN_NAME)
