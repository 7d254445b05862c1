"""Convert predictions to Label Studio results, and check each result against the labelling config."""

import math
from typing import TYPE_CHECKING, Any

from labelstudio.config import ConfigError, LabelConfig
from labelstudio.controls.choices import Choices
from labelstudio.kept import Kept
from labelstudio.proposals import NO_TAG, NOT_TICKED, TICKED, region_id
from labelstudio.regions import Region, names_in
from model.items import Prediction

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.interface import LabelInterface


_INTERFACES: "Kept[str, LabelInterface]" = Kept(64, 1_000_000)  # the weight is the config's length in characters


class InvalidResultError(ValueError):
    """A result that Label Studio would refuse; the message says why."""


def result_of(config: LabelConfig, prediction: Prediction, size: tuple[int, int], seed: str) -> list[Region]:
    """Return the regions of all controls for one task.

    ``size`` is the upright picture's width and height, (0, 0) without a picture. Region ids are derived from ``seed``
    (project, task and version), so the same prediction always gets the same ids, and each region has its own id.
    """
    regions: list[Region] = []
    for control in config.controls:
        regions += control.write(prediction) if isinstance(control, Choices) else control.write(prediction, size)
    asked = {label for control in config.choices for label in control.labels.values()}
    labels = {control.name: control.labels for control in config.controls}
    named = [
        {labels[region["from_name"]][name] for name in names_in(region["value"], region["type"])} for region in regions
    ]
    is_tag = [region["type"] == Choices.KIND for region in regions]
    ticked = set().union(*(those for those, tag in zip(named, is_tag, strict=True) if tag))
    # The id of a box records whether the tag of its label was proposed too; gold needs that when the tag is removed.
    marks = [
        NO_TAG if tag or not those & asked else TICKED if those <= ticked else NOT_TICKED
        for those, tag in zip(named, is_tag, strict=True)
    ]
    return [
        {"id": region_id(seed, number, len(regions), marks[number]), **region} for number, region in enumerate(regions)
    ]


def checked(config: LabelConfig, result: list[Region], score: float) -> dict[str, Any]:
    """Return ``{"result": ..., "score": ...}``, which Label Studio accepts even with its own validation switched on.

    Raises InvalidResultError otherwise.
    """
    answer = {"result": result, "score": score}
    # The SDK's validator does not check scores, ids and the far sides of boxes.
    problems = [] if math.isfinite(score) and 0 <= score <= 1 else [f"score {score} is not in [0, 1]"]
    ids = [region.get("id") for region in result]
    if len(set(ids)) < len(ids):
        problems.append("two regions share an id")
    for value in (region["value"] for region in result):
        for start, length in (("x", "width"), ("y", "height")):
            if length in value and not value[start] + value[length] <= 100:
                problems.append(f"{start} + {length} = {value[start] + value[length]} is past 100")
    interface = _interface(config.unrolled)
    problems += interface.validate_prediction(answer, return_errors=True)  # type: ignore[no-untyped-call]
    if problems:
        raise InvalidResultError("; ".join(problems))
    return answer


def check_readable(config: LabelConfig) -> None:
    """Raise ConfigError for a config that the SDK's reader refuses: no result could be checked against it."""
    try:
        _interface(config.unrolled)
    except Exception as error:
        raise ConfigError(
            f"Label Studio's own reader cannot read the labelling config ({str(error)[:200]}): correct it there."
        ) from error


def _interface(xml: str) -> "LabelInterface":
    return _INTERFACES.made(xml, len(xml), lambda: _new_interface(xml))


def _new_interface(xml: str) -> "LabelInterface":
    # Imported here, because the SDK imports pandas and nltk, which takes two seconds.
    from label_studio_sdk.label_interface.interface import LabelInterface

    return LabelInterface(xml)
