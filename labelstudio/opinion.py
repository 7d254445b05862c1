"""Read one annotation: which labels it affirms, which it denies and which stay unknown.

Every label that was read counts as present. If a part of a control's result was not understood, the control cannot
deny labels: its labels that were not read are then unknown instead of absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.controls.choices import Choices
from labelstudio.controls.rectangle_labels import RectangleLabels
from labelstudio.controls.shape_labels import ShapeLabels
from labelstudio.proposals import Mark, mark_of
from labelstudio.regions import Reading, Region
from model.items import LabelledBox

Control = Choices | RectangleLabels | ShapeLabels

SAME_ELEMENT = 0.8  # the least IoU at which two boxes of a label in one annotation mark the same element

MOST_BOXES = 500  # read per annotation; boxes are compared in pairs, so the time grows with the square

TOO_MANY = f"more than {MOST_BOXES} boxes; the rest was not read"
NO_REGION = "an entry of the result that is not a region"
NO_CONTROL = "a region of a control that the labelling config does not have"
ANOTHER_PICTURE = "only another picture of the task was answered"
NOT_ASKED = "a question that is shown only under a condition was not answered"
TAG_REMOVED = "a person removed a tag but left its proposed box: the label counts as absent, the box is ignored"
TAG_UNSURE = "a proposed box was left without its tag, and it is unknown whether the tag was proposed too"
BOX_DRAWN = "a person drew or changed a box without setting its tag: the box counts, and so does the tag"
TWINS = "two boxes of one label on the same element count once"

# Kinds of regions that mark a place without a label.
_UNLABELLED = frozenset({"rectangle", "polygon", "ellipse", "brush", "keypoint", "vector", "bitmask"})


@dataclass(frozen=True)
class Opinion:
    """One annotation's gold; most fields are those of ``model.items.Gold``.

    ``untouched`` maps region ids to their marks if the annotation is an unchanged proposal; otherwise it is None.
    """

    labels: frozenset[str]
    boxes: tuple[LabelledBox, ...] | None
    unknown: frozenset[str]
    unknown_boxes: frozenset[str]
    notes: frozenset[str]
    untouched: Mapping[str, Mark] | None


@dataclass(frozen=True)
class _Drawn:
    """One label of a drawn region. ``box`` is None when the coordinates were not understood."""

    label: str
    box: LabelledBox | None
    by_hand: bool
    mark: Mark | None


@dataclass
class _Result:
    """The regions that were read, each with its control, and the problems by the name of the control."""

    readings: list[tuple[Control, Region, Reading]] = field(default_factory=list)
    problems: dict[str, set[str]] = field(default_factory=dict)
    beside: bool = False  # whether a region belongs to another picture of the task

    def doubt(self, controls: "tuple[Control, ...]", problem: str) -> None:
        """Note that the answers of these controls are incomplete."""
        for control in controls:
            self.problems.setdefault(control.name, set()).add(problem)

    def answered(self, control: Control) -> bool:
        """Return whether a region of this control was read."""
        return any(one is control for one, _, _ in self.readings)

    def is_whole(self, control: Control) -> bool:
        """Return whether all regions of this control were understood."""
        return control.name not in self.problems


def opinion_of(config: LabelConfig, result: list[Any]) -> Opinion:
    """Return the opinion that one annotation's ``result`` expresses."""
    shapes: tuple[Control, ...] = (*config.rectangles, *config.shapes)
    read = _sorted_result(config, result)
    notes = {problem for problems in read.problems.values() for problem in problems}
    chosen = frozenset[str]().union(
        *(reading.labels for control, _, reading in read.readings if isinstance(control, Choices))
    )
    drawn, drawn_notes = _drawn(config, read)
    if config.choices:
        drawn, removed, unsure, overruled = _without_removed_tags(config, chosen, drawn)
        drawn_notes |= overruled
    else:
        removed = unsure = frozenset()
    present = chosen | frozenset(one.label for one in drawn)
    boxes = tuple(one.box for one in drawn if one.box is not None)
    doubted = {label for control in shapes if not read.is_whole(control) for label in control.labels.values()}
    unknown_boxes = frozenset(doubted) | unsure | {one.label for one in drawn if one.box is None}
    # An annotator who set tags but drew nothing skipped the drawing: the annotation says nothing about places.
    is_drawn = bool(boxes) or (not present and not unknown_boxes.issuperset(config.labels))
    unknown = _unknown_tags(config, read, doubted, is_drawn) | unsure
    return Opinion(
        labels=present,
        boxes=boxes if shapes and is_drawn else None,
        unknown=unknown - present - removed,
        unknown_boxes=unknown_boxes - removed,
        notes=frozenset(notes | drawn_notes),
        untouched=_untouched(result),
    )


def _sorted_result(config: LabelConfig, result: list[Any]) -> _Result:
    """Read each region with its control. A region without a known control makes the controls in question doubtful."""
    tags: tuple[Control, ...] = config.choices
    shapes: tuple[Control, ...] = (*config.rectangles, *config.shapes)
    own = {control.name: control for control in (*tags, *shapes)}
    read, drawn = _Result(), 0
    for region in result:
        if not isinstance(region, dict):
            read.doubt((*tags, *shapes), NO_REGION)
            continue
        name, kind = region.get("from_name"), region.get("type")
        if kind == "relation":  # an arrow between two regions
            continue
        control = own.get(name) if isinstance(name, str) else None
        if control is None:
            if isinstance(name, str) and config.is_aside(name):
                read.beside |= config.is_of_another_picture(name, region.get("to_name"))
            elif kind == Choices.KIND:
                read.doubt(tags, NO_CONTROL)
            elif isinstance(kind, str) and (kind.endswith("labels") or kind in _UNLABELLED):
                read.doubt(shapes, NO_CONTROL)
            elif not isinstance(name, str):
                read.doubt((*tags, *shapes), NO_CONTROL)
            continue
        # Tagloom reads the first picture only; ``item_index`` counts the pictures of a list.
        if region.get("item_index") not in (0, None) or config.is_of_another_picture(name, region.get("to_name")):
            read.beside = True
            continue
        if not isinstance(control, Choices) and drawn >= MOST_BOXES:
            read.doubt((control,), TOO_MANY)
            continue
        reading = control.read(region)
        drawn += not isinstance(control, Choices)
        read.readings.append((control, region, reading))
        if reading.problem:
            read.doubt((control,), reading.problem)
    if read.beside and not read.readings:
        read.doubt((*tags, *shapes), ANOTHER_PICTURE)
    for question in config.choices:
        if question.conditional and not read.answered(question):
            read.doubt((question,), NOT_ASKED)
    return read


def _drawn(config: LabelConfig, read: _Result) -> tuple[list[_Drawn], set[str]]:
    """Return the drawn labels, at most one box per element and label, and the notes about dropped boxes."""
    drawn: list[_Drawn] = []
    for control, region, reading in read.readings:
        if isinstance(control, Choices):
            continue
        mark = mark_of(region.get("id"))
        by_hand = region.get("origin") != "prediction"
        for label in sorted(reading.labels.intersection(config.labels)):
            box = LabelledBox(label, reading.box) if reading.box is not None else None
            drawn.append(_Drawn(label, box, by_hand, mark))
    kept: list[_Drawn] = []
    notes: set[str] = set()
    # Boxes that a person drew or changed come first, so that they are the ones kept.
    for one in sorted(drawn, key=lambda one: not one.by_hand):
        box = one.box
        if box is not None and any(
            other.box is not None and other.label == one.label and other.box.box.iou(box.box) >= SAME_ELEMENT
            for other in kept
        ):
            notes.add(TWINS)
        else:
            kept.append(one)
    return kept, notes


def _without_removed_tags(
    config: LabelConfig, chosen: frozenset[str], drawn: list[_Drawn]
) -> tuple[list[_Drawn], frozenset[str], frozenset[str], set[str]]:
    """Decide labels that have boxes but no tag; return the kept boxes, removed labels, unsure labels and notes.

    A result does not show in which order a person acted. A box that a person drew or changed outweighs the missing tag.
    If all boxes are unchanged proposals and the tag was proposed with them, then a person removed the tag, which
    outweighs the boxes. If the ids do not show whether the tag was proposed, the label is unsure.
    """
    asked = {label for control in config.choices for label in control.labels.values()}
    removed: set[str] = set()
    unsure: set[str] = set()
    notes: set[str] = set()
    for label in {one.label for one in drawn if one.label in asked} - chosen:
        own = [one for one in drawn if one.label == label]
        marks = [one.mark for one in own]
        if any(one.by_hand for one in own):
            notes.add(BOX_DRAWN)
        elif all(mark is not None and mark.ticked for mark in marks):
            removed.add(label)
            notes.add(TAG_REMOVED)
        elif not all(mark is not None and not mark.ticked for mark in marks):
            unsure.add(label)
            notes.add(TAG_UNSURE)
    gone = removed | unsure
    return [one for one in drawn if one.label not in gone], frozenset(removed), frozenset(unsure), notes


def _unknown_tags(config: LabelConfig, read: _Result, doubted: set[str], is_drawn: bool) -> frozenset[str]:
    """Return the labels that may be present although no tag names them."""
    any_chosen = any(read.answered(control) for control in config.choices)
    unknown = set()
    for label in config.labels:
        asking = [control for control in config.choices if label in control.labels.values()]
        if asking:
            # A drawn region affirms its label. If no tag was chosen at all, a drawn region that was not understood may
            # stand for this label.
            of_drawn = label in doubted and not any_chosen
            is_unknown = of_drawn or not all(read.is_whole(control) for control in asking)
        else:
            # Only shapes can affirm this label, so its absence is certain only if the annotator drew.
            is_unknown = label in doubted or not is_drawn
        if is_unknown:
            unknown.add(label)
    return frozenset(unknown)


def _untouched(result: list[Any]) -> dict[str, Mark] | None:
    """Return the regions' marks by id if the result consists of all regions of one proposal, unchanged; else None."""
    marks: dict[str, Mark] = {}
    for region in result:
        mark = mark_of(region.get("id")) if isinstance(region, dict) else None
        # Regions that Label Studio copies from predictions ("create annotations from predictions") have no origin.
        if mark is None or region.get("origin") not in ("prediction", None):
            return None
        marks[region["id"]] = mark
    # The proposal is complete if its regions' numbers are exactly 0 to total - 1.
    totals = {mark.total for mark in marks.values()}
    is_whole = len(totals) == 1 and {mark.number for mark in marks.values()} == set(range(*totals))
    return marks if is_whole else None
