"""How long annotators took: Label Studio's ``lead_time``, beside what they did in that time.

Label Studio 1.23.2 counts the seconds that an annotation was open, over all of its edits. It marks each region by its
``origin``: ``manual`` if a person made it, ``prediction`` or ``prediction-changed`` otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelstudio.config import LabelConfig


@dataclass(frozen=True)
class LeadTime:
    """``seconds`` of one annotation in which ``drawn`` boxes were drawn by hand, beside ``others`` of a prediction."""

    seconds: float
    drawn: int
    others: int


def lead_time_of(config: LabelConfig, annotation: Mapping[str, Any]) -> LeadTime | None:
    """Return the lead time of an annotation; None if it was skipped, has no time, or was not made in the editor."""
    seconds, result = annotation.get("lead_time"), annotation.get("result")
    if not seconds or annotation.get("was_cancelled") or not isinstance(result, list):
        return None
    names = {control.name for control in config.rectangles}
    boxes = [region for region in result if isinstance(region, dict) and region.get("from_name") in names]
    origins = [region.get("origin") for region in boxes]
    # Imported annotations and copied predictions have no origin.
    if None in origins:
        return None
    drawn = origins.count("manual")
    return LeadTime(float(seconds), drawn, len(boxes) - drawn)
