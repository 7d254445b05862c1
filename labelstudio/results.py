"""Predictions as Label Studio results, checked against the labelling config before they leave."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelstudio.config import ConfigError, LabelConfig
from labelstudio.controls.choices import Choices
from labelstudio.kept import Kept
from labelstudio.proposals import NO_TAG, NOT_TICKED, TICKED, region_id
from labelstudio.regions import Region, names_in
from model.items import Prediction

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.interface import LabelInterface


_INTERFACES: "Kept[str, LabelInterface]" = Kept(64, 1_000_000)  # by characters of the config


class InvalidResultError(ValueError):
    """A result that Label Studio would refuse; the message says which region and why."""


def result_of(config: LabelConfig, prediction: Prediction, size: tuple[int, int], seed: str) -> list[Region]:
    """All controls' regions for one task.

    ``size`` is the upright picture's width and height, (0, 0) without one. Region ids derive from ``seed`` (task and
    version), so the same prediction always gives the same ids, and no two regions share one.
    """
    regions: list[Region] = []
    for control in config.controls:
        regions += control.write(prediction) if isinstance(control, Choices) else control.write(prediction, size)
    marks = _tag_marks(config, regions)
    return [
        {"id": region_id(seed, number, len(regions), marks[number]), **region} for number, region in enumerate(regions)
    ]


def checked(config: LabelConfig, result: list[Region], score: float) -> dict[str, Any]:
    """``{"result", "score"}`` that Label Studio accepts, also with its own validation on. Raises InvalidResultError."""
    answer = {"result": result, "score": score}
    problems = [*_own_problems(result, score), *_sdk_problems(config.unrolled, answer)]
    if problems:
        raise InvalidResultError("; ".join(problems))
    return answer


def _tag_marks(config: LabelConfig, regions: Sequence[Region]) -> list[str]:
    """For each region whether its label is proposed as a tag, too."""
    asked = {label for control in config.choices for label in control.labels.values()}
    labels = {control.name: control.labels for control in config.controls}
    named = [
        {labels[region["from_name"]][name] for name in names_in(region["value"], region["type"])} for region in regions
    ]
    is_tag = [region["type"] == Choices.KIND for region in regions]
    ticked = set().union(*(those for those, tag in zip(named, is_tag, strict=True) if tag))
    return [
        NO_TAG if tag or not those & asked else TICKED if those <= ticked else NOT_TICKED
        for those, tag in zip(named, is_tag, strict=True)
    ]


def check_readable(config: LabelConfig) -> None:
    """ConfigError for a config that Label Studio's own reader refuses: no result could be checked against it."""
    try:
        _interface(config.unrolled)
    except Exception as error:
        raise ConfigError(
            f"Label Studio's own reader cannot read the labelling config ({str(error)[:200]}): correct it there."
        ) from error


def _sdk_problems(xml: str, answer: dict[str, Any]) -> list[str]:
    found: list[str] = _interface(xml).validate_prediction(answer, return_errors=True)  # type: ignore[no-untyped-call]
    return found


def _interface(xml: str) -> "LabelInterface":
    return _INTERFACES.made(xml, len(xml), lambda: _new_interface(xml))


def _new_interface(xml: str) -> "LabelInterface":
    # Imported here: the SDK brings pandas and nltk, two seconds that only who validates shall pay.
    from label_studio_sdk.label_interface.interface import LabelInterface

    return LabelInterface(xml)


def _own_problems(result: list[Region], score: float) -> list[str]:
    """What the SDK's validator lets pass."""
    problems = [] if math.isfinite(score) and 0 <= score <= 1 else [f"score {score} is not in [0, 1]"]
    ids = [region.get("id") for region in result]
    if len(set(ids)) < len(ids):
        problems.append("two regions share an id")
    return problems + [problem for region in result for problem in _geometry(region["value"])]


def _geometry(value: Mapping[str, Any]) -> list[str]:
    return [
        f"{start} + {length} = {value[start] + value[length]} is past 100"
        for start, length in (("x", "width"), ("y", "height"))
        if length in value and not value[start] + value[length] <= 100
    ]
