"""Annotations that the first release misread: it took what it did not understand for "nothing is there"."""

from collections.abc import Mapping
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.controls.choices import Choices
from labelstudio.opinion import BOX_DRAWN, opinion_of


def was_misread(config: LabelConfig, annotation: Mapping[str, Any]) -> bool:
    """Whether the first release made other gold of this annotation than ``labelstudio.gold`` does."""
    result = annotation.get("result")
    if annotation.get("was_cancelled") or not isinstance(result, list):
        return False
    regions = [region for region in result if isinstance(region, dict)]
    return bool(opinion_of(config, result).notes - {BOX_DRAWN}) or any(_was_passed_over(config, one) for one in regions)


def _was_passed_over(config: LabelConfig, region: Mapping[str, Any]) -> bool:
    """A region that is understood today and was not then."""
    name, value = region.get("from_name"), region.get("value")
    if not isinstance(name, str):
        return False
    if name in {control.name for control in config.shapes}:
        return True
    if name not in {control.name for control in config.controls}:
        return False
    chosen = value.get(Choices.KIND) if isinstance(value, dict) else None
    is_nested = isinstance(chosen, list) and any(isinstance(entry, list) for entry in chosen)
    is_turned = region.get("image_rotation") not in (0, None)
    return is_nested or is_turned or region.get("item_index") not in (0, None) or bool(config.repeated)
