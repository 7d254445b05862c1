"""Which region of an interactive request was drawn just now, in what Label Studio 1.23.2 sent from a browser."""

from typing import Any

import pytest

from labelstudio.drawing import Drawing, Stored
from labelstudio.regions import Region
from tests import captured

NOTHING = Stored.of([], [], [])


def drawing(name: str) -> Drawing | None:
    body = captured.body(name)
    (task,) = body["tasks"]
    stored = Stored.of(task["drafts"], task["annotations"], task["predictions"])
    return Drawing.of(body["params"]["context"]["result"], stored)


def drawn(identity: str, x: float = 10, label: str = "LOGO", **marks: Any) -> Region:
    value = {"x": x, "y": 10, "width": 20, "height": 5, "rotation": 0, "rectanglelabels": [label]}
    return {"id": identity, "from_name": "boxes", "type": "rectanglelabels", "value": value, **marks}


@pytest.mark.parametrize("name", ["30", "31"])
def test_an_opened_and_a_submitted_task_have_no_drawing(name: str) -> None:
    assert drawing(name) is None


@pytest.mark.parametrize(
    ("name", "newest", "others"),
    [
        ("32", "_ZLw3k9eGO", 2),  # two of the prediction beside it
        ("33", "SaBww9kqei", 3),  # and the first one drawn, which was not accepted
        ("34", "6x0VCyhB7z", 0),  # the draft holds it already
        ("35", "7M7Wg9WPfK", 2),  # one of the prediction, one accepted
        ("36", "cWIxUhkvic", 0),  # the draft holds it with the label that it had before
        ("37", "wdUHuyEH9H", 0),
        ("38", "1tXdBBfdxL", 0),
        ("39", "821hZ2qedj", 2),  # drawn before the last one, and moved; the draft has its old place
    ],
)
def test_the_region_that_was_drawn_just_now(name: str, newest: str, others: int) -> None:
    found = drawing(name)
    assert found is not None
    assert (found.region["id"], len(found.others)) == (newest, others)


def test_an_older_drawing_that_was_moved_is_the_newest() -> None:
    stored = Stored.of([{"result": [drawn("a"), drawn("b", x=50)]}], [], [])
    found = Drawing.of([drawn("a", x=12), drawn("b", x=50)], stored)
    assert found is not None
    assert found.region["id"] == "a"


def test_drawings_of_a_stored_annotation_are_not_new() -> None:
    stored = Stored.of([], [{"result": [drawn("a"), drawn("b")]}], [])
    found = Drawing.of([drawn("new"), drawn("a"), drawn("b")], stored)
    assert found is not None
    assert found.region["id"] == "new"


def test_what_remains_of_a_prediction_after_a_deletion_is_not_a_drawing() -> None:
    regions = [drawn("p", origin="prediction"), drawn("q", origin="prediction-changed"), drawn("r", score=0.0)]
    assert Drawing.of(regions, NOTHING) is None
    assert Drawing.of([], NOTHING) is None


@pytest.mark.parametrize("odd", [None, 7, "x", {}, [None], [7], [{}], [{"result": None}], [{"result": [None, 7]}]])
def test_odd_stored_entries_are_passed_over(odd: Any) -> None:
    stored = Stored.of(odd, odd, odd)
    assert stored.held == ()
    found = Drawing.of([drawn("a")], stored)
    assert found is not None
    assert found.region["id"] == "a"


def test_a_draft_is_the_newest_word_on_what_an_annotation_holds() -> None:
    predictions, annotations = [{"result": [drawn("p")]}], [{"result": [drawn("a")]}]
    assert [region["id"] for region in Stored.of([], annotations, predictions).held] == ["a", "p"]
    assert [region["id"] for region in Stored.of([{"result": [drawn("d")]}], annotations, predictions).held] == ["d"]
    assert Stored.of([{"result": []}], [], predictions).held == (), "all boxes were deleted"
