"""Gold from annotations: what one or several annotators said of one task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelstudio.config import LabelConfig
from model.items import Box, Gold, LabelledBox

_SAME_BOX = 0.5  # IoU from which two annotators' rectangles count as the same one


@dataclass(frozen=True)
class _Opinion:
    """One annotation's gold."""

    labels: frozenset[str] | None
    boxes: tuple[LabelledBox, ...] | None


def gold_of(config: LabelConfig, annotations: Sequence[Mapping[str, Any]]) -> Gold | None:
    """Merge a task's annotations; None when all were skipped or there are none.

    Ground-truth annotations, where there are any, count alone. A label is gold when more than half of the annotators
    gave it (on a tie the newest decides); ``weight`` is the share of annotators that agree with the whole label set.
    """
    valid = [entry for entry in annotations if not entry.get("was_cancelled") and isinstance(entry.get("result"), list)]
    chosen = [entry for entry in valid if entry.get("ground_truth")] or valid
    opinions = [_opinion(config, entry["result"]) for entry in sorted(chosen, key=_age)]
    if not opinions:
        return None
    labels = _merge_labels([opinion.labels for opinion in opinions if opinion.labels is not None])
    boxes = _merge_boxes([opinion.boxes for opinion in opinions if opinion.boxes is not None])
    return Gold(labels, boxes, _agreement(labels, boxes, opinions))


def _age(annotation: Mapping[str, Any]) -> tuple[str, str]:
    return str(annotation.get("updated_at") or ""), f"{annotation.get('id') or 0:>20}"


def _opinion(config: LabelConfig, result: list[Any]) -> _Opinion:
    """Tags include what was drawn. No rectangle beside chosen tags says nothing about boxes: drawing was left out."""
    drawn = tuple(box for control in config.rectangles for box in control.gold(result))
    said = [labels for control in config.choices if (labels := control.gold(result)) is not None]
    tags = frozenset().union(*said, (box.label for box in drawn))
    boxes = drawn if drawn or not tags else None
    return _Opinion(tags if config.choices else None, boxes if config.rectangles else None)


def _merge_labels(opinions: list[frozenset[str]]) -> frozenset[str] | None:
    if not opinions:
        return None
    votes = Counter(label for labels in opinions for label in labels)
    newest = opinions[-1]
    return frozenset(
        label
        for label, count in votes.items()
        if 2 * count > len(opinions) or (2 * count == len(opinions) and label in newest)
    )


def _merge_boxes(opinions: list[tuple[LabelledBox, ...]]) -> tuple[LabelledBox, ...] | None:
    """Boxes that at least half of the annotators drew, each the mean of theirs."""
    if not opinions:
        return None
    groups: list[list[LabelledBox]] = []
    for boxes in reversed(opinions):
        _join(groups, boxes)
    return tuple(_mean(group) for group in groups if 2 * len(group) >= len(opinions))


def _join(groups: list[list[LabelledBox]], boxes: tuple[LabelledBox, ...]) -> None:
    """Put one annotator's boxes into the groups they overlap most; each group takes at most one of them."""
    free = list(groups)
    for box in boxes:
        close = [group for group in free if group[0].label == box.label and group[0].box.iou(box.box) >= _SAME_BOX]
        if close:
            best = max(close, key=lambda group: group[0].box.iou(box.box))
            best.append(box)
            free.remove(best)
        else:
            groups.append([box])


def _mean(group: list[LabelledBox]) -> LabelledBox:
    count = len(group)
    sides = [sum(getattr(entry.box, side) for entry in group) / count for side in ("left", "top", "right", "bottom")]
    return LabelledBox(group[0].label, Box(*sides))


def _agreement(labels: frozenset[str] | None, boxes: tuple[LabelledBox, ...] | None, opinions: list[_Opinion]) -> float:
    """Share of annotators whose label set is the merged one (rectangles imply it where there are no tags)."""
    merged = labels if labels is not None else frozenset(box.label for box in boxes or ())
    theirs = [
        opinion.labels if opinion.labels is not None else frozenset(box.label for box in opinion.boxes or ())
        for opinion in opinions
    ]
    return max(sum(each == merged for each in theirs), 1) / len(opinions)
