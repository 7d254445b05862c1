"""Find annotations that the first release misread: it treated regions that it did not understand as absent labels."""

from collections.abc import Mapping
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.controls.choices import Choices
from labelstudio.opinion import BOX_DRAWN, opinion_of


def was_misread(config: LabelConfig, annotation: Mapping[str, Any]) -> bool:
    """Return whether the first release derived other gold from this annotation than ``labelstudio.gold`` does."""
    result = annotation.get("result")
    if annotation.get("was_cancelled") or not isinstance(result, list):
        return False
    if opinion_of(config, result).notes - {BOX_DRAWN}:
        return True
    shapes = {control.name for control in config.shapes}
    controls = {control.name for control in config.controls}
    # The first release ignored these regions; today they are understood, so no note reports them.
    for region in result:
        name = region.get("from_name") if isinstance(region, dict) else None
        if not isinstance(name, str) or name not in shapes | controls:
            continue
        value = region.get("value")
        chosen = value.get(Choices.KIND) if isinstance(value, dict) else None
        is_nested = isinstance(chosen, list) and any(isinstance(entry, list) for entry in chosen)
        is_turned = region.get("image_rotation") not in (0, None)
        is_of_later_picture = region.get("item_index") not in (0, None)
        if name in shapes or is_nested or is_turned or is_of_later_picture or config.repeated:
            return True
    return False
