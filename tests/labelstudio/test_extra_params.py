import json
from typing import Any

import pytest

from labelstudio.config import ConfigError
from labelstudio.extra_params import industry_keys_of

KEYS = {"industry_keys": ["一级", "$level2", " "]}


@pytest.mark.parametrize("nothing", [None, {}, "", "  ", "{}", [], {"industry_keys": None}, {"industry_keys": []}])
def test_nothing_asked_for(nothing: Any) -> None:
    assert industry_keys_of(nothing) == ()


@pytest.mark.parametrize("asked", [KEYS, json.dumps(KEYS), {"industry_keys": "一级, level2"}])
def test_industry_keys_as_an_object_as_typed_text_and_by_commas(asked: Any) -> None:
    assert industry_keys_of(asked) == ("一级", "level2")


def test_what_is_somebody_elses_is_passed_over_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    asked = {"told_by_this_test_alone": "world", "industry_keys": ["a"]}  # a name is told once a process
    assert industry_keys_of(asked) == industry_keys_of(asked) == ("a",)
    assert caplog.text.count("told_by_this_test_alone mean nothing") == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"industry_key": ["a"]}, "industry_key, which"),
        ({"hello": 1, "IndustryKeys": ["a"]}, "IndustryKeys, which"),
        ("industry_keys", "no JSON object"),
        (["level1"], "no JSON object"),
        (5, "no JSON object"),
        ({"industry_keys": {"level1": 1}}, "as a list of names"),
        ({"industry_keys": [1]}, "as a list of names"),
    ],
)
def test_what_is_not_understood_is_told_with_an_example(asked: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        industry_keys_of(asked)
    assert '"industry_keys": [' in str(refused.value)
