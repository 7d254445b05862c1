"""Gold from annotations: what one or several annotators said of one task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.opinion import Opinion, opinion_of
from labelstudio.proposals import Mark
from model.items import Box, Gold, LabelledBox

SAME_BOX = 0.5  # IoU from which two annotators' rectangles count as the same one


def no_version(_: Mark) -> str:
    """For callers that do not know which versions there are."""
    return ""


def gold_of(config: LabelConfig, annotations: Sequence[Mapping[str, Any]]) -> Gold | None:
    """Merge a task's annotations; None when there are none, all were skipped, or nothing of them was understood."""
    gold = read_gold(config, annotations)
    return gold if gold is not None and gold.says_something(config.labels) else None


def read_gold(
    config: LabelConfig, annotations: Sequence[Mapping[str, Any]], version_of: Callable[[Mark], str] = no_version
) -> Gold | None:
    """Merge a task's annotations; None when all were skipped or there are none.

    Ground-truth annotations, where there are any, count alone. Of each label only those annotators are asked whose
    annotation says yes or no (``labelstudio.opinion``): it is gold when more than half of them gave it, on a tie the
    newest decides. ``version_of`` names the version that proposed a region, by the mark in its id.
    """
    valid = [entry for entry in annotations if not entry.get("was_cancelled") and isinstance(entry.get("result"), list)]
    chosen = [entry for entry in valid if entry.get("ground_truth")] or valid
    opinions = [opinion_of(config, entry["result"]) for entry in sorted(chosen, key=_age)]
    if not opinions:
        return None
    labels, unknown = _merge_labels(config, opinions)
    boxes, unknown_boxes = _merge_boxes(config, opinions)
    return Gold(
        labels=labels,
        boxes=boxes,
        weight=_agreement(labels, opinions),
        unknown=unknown,
        unknown_boxes=unknown_boxes,
        accepted=_accepted(opinions, version_of),
        notes=tuple(sorted({note for opinion in opinions for note in opinion.notes})),
    )


def _age(annotation: Mapping[str, Any]) -> tuple[str, str]:
    return str(annotation.get("updated_at") or ""), f"{annotation.get('id') or 0:>20}"


def _merge_labels(config: LabelConfig, opinions: Sequence[Opinion]) -> tuple[frozenset[str], frozenset[str]]:
    """Labels that are there, and those of which no annotation says anything."""
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
    """Boxes that at least half of the annotators drew, each the mean of theirs; and labels that may have more.

    Who drew nothing beside their tags, or whose boxes of a label were not all understood, is not counted against it.
    """
    drawn = [opinion for opinion in opinions if opinion.boxes is not None]
    if not drawn:
        return None, frozenset().union(*(opinion.unknown_boxes for opinion in opinions))
    groups: list[list[LabelledBox]] = []
    for opinion in reversed(drawn):
        _join(groups, opinion.boxes or ())
    sure = {label: [one for one in drawn if label not in one.unknown_boxes] for label in config.labels}
    kept = [group for group in groups if 2 * len(group) >= len(sure.get(group[0].label, drawn))]
    unknown = {label for label, those in sure.items() if not those}
    return tuple(_mean(group) for group in kept), frozenset(unknown)


def _join(groups: list[list[LabelledBox]], boxes: tuple[LabelledBox, ...]) -> None:
    """Put one annotator's boxes into the groups they overlap most; each group takes at most one of them."""
    free = list(groups)
    for box in boxes:
        close = [group for group in free if group[0].label == box.label and group[0].box.iou(box.box) >= SAME_BOX]
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


def _agreement(labels: frozenset[str], opinions: Sequence[Opinion]) -> float:
    """Share of annotators who say what the merged labels say, as far as they say anything."""
    agreeing = sum(opinion.labels == labels - opinion.unknown for opinion in opinions)
    return max(agreeing, 1) / len(opinions)


def _accepted(opinions: Sequence[Opinion], version_of: Callable[[Mark], str]) -> str | None:
    """The version whose proposal all annotators took over unchanged (the newest one's), else None."""
    marks = [opinion.untouched for opinion in opinions]
    if any(untouched is None for untouched in marks):
        return None
    return next((version for mark in (marks[-1] or {}).values() if (version := version_of(mark))), "")
