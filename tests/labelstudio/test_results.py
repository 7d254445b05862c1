import math
from typing import Any

import pytest

from labelstudio.config import LabelConfig
from labelstudio.results import InvalidResultError, checked

CONFIG = LabelConfig.parse(
    '<View><Image name="image" value="$image"/>'
    '<RectangleLabels name="boxes" toName="image"><Label value="LOGO"/></RectangleLabels></View>'
)


def box(number: int, **value: float) -> dict[str, Any]:
    place = {"x": 10.0, "y": 10.0, "width": 20.0, "height": 20.0, "rotation": 0, **value}
    return {
        "id": f"region{number}",
        "from_name": "boxes",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": 100,
        "original_height": 100,
        "score": 0.5,
        "value": {**place, "rectanglelabels": ["LOGO"]},
    }


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_a_good_answer_passes_as_it_is(score: float) -> None:
    result = [box(1), box(2, x=0.0, width=100.0)]
    assert checked(CONFIG, result, score) == {"result": result, "score": score}


@pytest.mark.parametrize("score", [-0.001, 1.001, math.nan, math.inf])
def test_a_score_outside_of_0_and_1_is_held_back(score: float) -> None:
    with pytest.raises(InvalidResultError, match=r"not in \[0, 1\]"):
        checked(CONFIG, [box(1)], score)


@pytest.mark.parametrize("value", [{"x": 80.001}, {"y": 90.0}, {"width": 90.5}, {"x": math.nan}])
def test_a_box_that_leaves_the_picture_is_held_back(value: dict[str, float]) -> None:
    with pytest.raises(InvalidResultError, match="past 100"):
        checked(CONFIG, [box(1, **value)], 0.5)


def test_regions_that_share_an_id_are_held_back() -> None:
    with pytest.raises(InvalidResultError, match="share an id"):
        checked(CONFIG, [box(1), box(1)], 0.5)


def test_what_label_studio_would_refuse_is_held_back() -> None:
    with pytest.raises(InvalidResultError):
        checked(CONFIG, [{**box(1), "from_name": "nothing"}], 0.5)
