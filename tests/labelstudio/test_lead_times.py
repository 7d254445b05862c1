"""Lead times: only those of annotations that a person made in the editor, with what was drawn in that time."""

from typing import Any

import pytest

from labelstudio.config import LabelConfig
from labelstudio.lead_times import LeadTime, lead_time_of
from testing.shop import LABELS
from tools.project import label_config

CONFIG = LabelConfig.parse(label_config(LABELS))
NAME = CONFIG.rectangles[0].name


def box(**more: Any) -> dict[str, Any]:
    return {"from_name": NAME, "type": "rectanglelabels", **more}


def test_boxes_of_a_person_and_boxes_of_a_prediction_are_told_apart() -> None:
    result = [box(origin="manual"), box(origin="prediction"), box(origin="prediction-changed"), {"from_name": "tags"}]
    assert lead_time_of(CONFIG, {"lead_time": 12.5, "result": result}) == LeadTime(12.5, drawn=1, others=2)
    assert lead_time_of(CONFIG, {"lead_time": 4.0, "result": []}) == LeadTime(4.0, drawn=0, others=0)


@pytest.mark.parametrize(
    "annotation",
    [
        {"lead_time": None, "result": []},
        {"lead_time": 0, "result": []},
        {"lead_time": 5.0, "result": [], "was_cancelled": True},
        {"lead_time": 5.0, "result": [box()]},
        {"lead_time": 5.0, "result": "nonsense"},
    ],
)
def test_an_annotation_that_was_not_timed_in_the_editor_says_nothing(annotation: dict[str, Any]) -> None:
    assert lead_time_of(CONFIG, annotation) is None
