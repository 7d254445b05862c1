"""The columns are Tagloom's own: never data to it, and people's values under their names stay."""

from typing import Any

import pytest

from labelstudio.changes import task_state
from labelstudio.columns import CHANGED, CONFIDENCE, DOUBTFUL, LOOK_ALIKES, NO_TURN, ORDER, differing, without_columns
from labelstudio.config import LabelConfig
from labelstudio.tasks import item_key, reference_of

FILLED: dict[str, Any] = {CONFIDENCE: 0.5, CHANGED: "yes", DOUBTFUL: "", LOOK_ALIKES: "12", ORDER: "003"}


def test_only_what_differs_is_written_and_what_is_over_is_emptied() -> None:
    assert differing({"title": "mug"}, {CONFIDENCE: 0.5, ORDER: "001"}) == {CONFIDENCE: 0.5, ORDER: "001"}
    assert differing(FILLED, {CONFIDENCE: 0.5, CHANGED: "yes", LOOK_ALIKES: "12", ORDER: "003"}) == {}
    assert differing(FILLED, {CONFIDENCE: 0.25}) == {CONFIDENCE: 0.25, CHANGED: "", LOOK_ALIKES: "", ORDER: NO_TURN}
    assert differing(FILLED | {DOUBTFUL: "yes"}, {}) == {
        CONFIDENCE: 0.0, CHANGED: "", DOUBTFUL: "", LOOK_ALIKES: "", ORDER: NO_TURN,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [(CONFIDENCE, "high"), (CONFIDENCE, 2), (CONFIDENCE, True), (CHANGED, "no"), (DOUBTFUL, 1), (LOOK_ALIKES, "a"),
     (LOOK_ALIKES, 12), (ORDER, "first"), (ORDER, None)],
)  # fmt: skip
def test_what_people_wrote_stays(name: str, value: Any) -> None:
    wanted: dict[str, float | str] = {CONFIDENCE: 0.5, CHANGED: "yes"}
    expected = {column: held for column, held in wanted.items() if column != name}
    assert differing({name: value}, {**wanted, name: FILLED[name]}) == expected
    assert without_columns({name: value}) == {name: value}


def test_columns_are_no_data_to_tagloom() -> None:
    data = {"image": "/a.png", "title": "mug", "tagloom_note": "mine"}
    body = {"id": 3, "updated_at": "2026-11-30T04:00:00Z"}
    assert task_state({**body, "data": data | FILLED}).data == data
    shown = LabelConfig.parse(
        '<View><Image name="image" value="$image"/><Text name="t" value="$title"/>'
        f'<Text name="c" value="${CONFIDENCE}"/>'
        '<Choices name="tag" toName="image"><Choice value="LOGO"/></Choices></View>'
    )
    before, after = (reference_of(shown, {**body, "data": held}) for held in (data, data | FILLED))
    assert item_key("default", before) == item_key("default", after)
