"""Gold from annotations: merge what one or several annotators answered for one task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.controls.choices import Choices
from labelstudio.opinion import BOX_DRAWN, Opinion, opinion_of
from labelstudio.proposals import Mark
from model.items import Box, Gold, LabelledBox

SAME_BOX = 0.5  # the least IoU at which boxes of two annotators count as the same box


def no_version(_: Mark) -> str:
    """Return the empty string: the default of ``version_of`` for callers that do not know the project's versions."""
    return ""


def gold_of(config: LabelConfig, annotations: Sequence[Mapping[str, Any]]) -> Gold | None:
    """Return a task's merged gold.

    Returns None when the task has no annotations, all of them were skipped, or no region of them was understood.
    """
    gold = read_gold(config, annotations)
    return gold if gold is not None and gold.says_something(config.labels) else None


def read_gold(
    config: LabelConfig, annotations: Sequence[Mapping[str, Any]], version_of: Callable[[Mark], str] = no_version
) -> Gold | None:
    """Return a task's merged gold; None when the task has no annotations or all of them were skipped.

    If some annotations are marked as ground truth, only these count. The annotators vote on each label; annotations in
    which the label is unknown (see ``labelstudio.opinion``) have no vote. A label is gold when more than half of the
    votes are for it; on a tie the newest annotation decides. ``version_of`` returns the version that proposed a
    region, given the mark in the region's id; the empty string if no known version did.
    """
    valid = [entry for entry in annotations if not entry.get("was_cancelled") and isinstance(entry.get("result"), list)]
    chosen = [entry for entry in valid if entry.get("ground_truth")] or valid
    # Oldest first; the id, padded so that text order is number order, decides between equal times.
    chosen.sort(key=lambda entry: (str(entry.get("updated_at") or ""), f"{entry.get('id') or 0:>20}"))
    opinions = [opinion_of(config, entry["result"]) for entry in chosen]
    if not opinions:
        return None
    labels, unknown = _merge_labels(config, opinions)
    boxes, unknown_boxes = _merge_boxes(config, opinions)
    agreeing = sum(opinion.labels == labels - opinion.unknown for opinion in opinions)
    accepted = None
    if all(opinion.untouched is not None for opinion in opinions):
        marks = (opinions[-1].untouched or {}).values()
        accepted = next((version for mark in marks if (version := version_of(mark))), "")
    return Gold(
        labels=labels,
        boxes=boxes,
        weight=max(agreeing, 1) / len(opinions),  # the share of annotators who agree with the merged labels
        unknown=unknown,
        unknown_boxes=unknown_boxes,
        accepted=accepted,
        notes=tuple(sorted({note for opinion in opinions for note in opinion.notes})),
    )


def _merge_labels(config: LabelConfig, opinions: Sequence[Opinion]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the labels that are gold, and the labels that are unknown in every annotation."""
    there, unknown = set(), set()
    for label in dict.fromkeys((*config.labels, *sorted(label for one in opinions for label in one.labels))):
        votes = [label in opinion.labels for opinion in opinions if label not in opinion.unknown]
        if not votes:
            unknown.add(label)
        elif 2 * sum(votes) > len(votes) or (2 * sum(votes) == len(votes) and votes[-1]):
            there.add(label)
    return frozenset(there), frozenset(unknown)


def _merge_boxes(
    config: LabelConfig, opinions: Sequence[Opinion]
) -> tuple[tuple[LabelledBox, ...] | None, frozenset[str]]:
    """Return the merged boxes, and the labels that may have more boxes than these.

    A box is kept when at least half of the annotators drew it; its sides are the means of theirs. An annotator who set
    tags but drew nothing does not count, nor does one whose boxes of the label were not all understood. The boxes are
    None when no annotator drew.
    """
    drawn = [opinion for opinion in opinions if opinion.boxes is not None]
    if not drawn:
        return None, frozenset().union(*(opinion.unknown_boxes for opinion in opinions))
    groups: list[list[LabelledBox]] = []
    for opinion in reversed(drawn):
        # Each of the annotator's boxes joins the group that it overlaps most; a group takes at most one of the boxes.
        free = list(groups)
        for box in opinion.boxes or ():
            close = [group for group in free if group[0].label == box.label and group[0].box.iou(box.box) >= SAME_BOX]
            if close:
                best = max(close, key=lambda group: group[0].box.iou(box.box))
                best.append(box)
                free.remove(best)
            else:
                groups.append([box])
    sure = {label: [one for one in drawn if label not in one.unknown_boxes] for label in config.labels}
    kept = [group for group in groups if 2 * len(group) >= len(sure.get(group[0].label, drawn))]
    unknown = {label for label, those in sure.items() if not those}
    merged = []
    for group in kept:
        sides = (sum(getattr(one.box, side) for one in group) for side in ("left", "top", "right", "bottom"))
        merged.append(LabelledBox(group[0].label, Box(*(total / len(group) for total in sides))))
    return tuple(merged), frozenset(unknown)


def was_misread(config: LabelConfig, annotation: Mapping[str, Any]) -> bool:
    """Return whether the first release derived other gold from this annotation than this one does.

    It treated regions that it did not understand as absent labels."""
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
