"""Compose the next screen of a review: unlabelled pictures with one answer, look-alikes together, the surest first."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import torch

from labelstudio.annotations import submitted
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.proposals import region_seed
from labelstudio.regions import Region, names_in
from labelstudio.results import InvalidResultError, checked, result_of
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.items import Box, PredictedBox, Prediction
from model.weak_supervision.propagation import Embedding
from store.answers import Answer
from store.screens import Group
from store.store import Store

MOST = 24
"""Pictures of a screen."""
SURE = 0.9
"""The mean probability that all labels of a group's pictures are right from which the group counts as sure."""
# A screen with fewer pictures comes after those with more.
FULL = 12
# Screens that are looked through for one that can be shown.
TRIES = 20


class Part(StrEnum):
    """The parts of a review: what is sure, and the rest."""

    SURE = "sure"
    REST = "rest"


@dataclass(frozen=True)
class Shown:
    """A picture as proposed: the regions that accepting writes, and its rectangles: label, x, y, width, height in %."""

    answer: Answer
    result: Sequence[Region]
    tags: tuple[str, ...]
    boxes: Sequence[tuple[str, float, float, float, float]]
    features: ItemFeatures | None


@dataclass(frozen=True)
class Screen:
    """Pictures with the same labels. ``labels`` is the text of the table of answers; empty without pictures."""

    version: str
    labels: str
    pictures: Sequence[Shown]

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that accepting writes for each picture."""
        return self.pictures[0].tags if self.pictures else ()

    @property
    def stamp(self) -> str:
        """A hash of all that accepting writes; it differs from that of a screen with any other proposal."""
        written = [
            [one.answer.task_id, one.result] for one in sorted(self.pictures, key=lambda one: one.answer.task_id)
        ]
        return hashlib.sha256(json.dumps([self.version, self.labels, written]).encode()).hexdigest()


@dataclass(frozen=True)
class Proposals:
    """The proposals of one version for one project, with what is needed to write them."""

    store: Store
    config: LabelConfig
    cache: FeatureCache
    project_key: str
    version: str

    def groups(self) -> dict[Part, list[Group]]:
        """Return the groups of each part, the surest first."""
        found = self.store.screens.groups(self.project_key, self.version)
        return {part: [group for group in found if (group.score >= SURE) == (part is Part.SURE)] for part in Part}

    def next_screen(self, groups: Sequence[Group]) -> Screen:
        """Return the next screen of these groups, the surest first; one without pictures if none can be shown."""
        left = list(groups)
        for _ in range(TRIES):
            chosen = next_groups(left)
            if not chosen:
                break
            labels, look_alikes = chosen[0].labels, [group.look_alike for group in chosen]
            ids = self.store.screens.tasks(self.project_key, self.version, labels, look_alikes, MOST)
            pictures = self.shown(ids)
            if pictures:
                same = [one for one in pictures if one.tags == pictures[0].tags]
                return Screen(self.version, labels, by_similarity(same))
            left = [group for group in left if group not in chosen]
        return Screen(self.version, "", ())

    def upcoming(self, groups: Sequence[Group], screen: Screen) -> list[int]:
        """Return the tasks that probably come after a screen of these groups, so that their pictures load early."""
        shown = {one.answer.task_id for one in screen.pictures}
        alike = {one.answer.look_alike for one in screen.pictures}
        here = [group for group in groups if group.labels == screen.labels and group.look_alike in alike]
        for chosen in (here, next_groups([group for group in groups if group not in here])):
            if chosen:
                look_alikes = [group.look_alike for group in chosen]
                asked = (self.project_key, self.version, chosen[0].labels, look_alikes, 2 * MOST)
                if further := [number for number in self.store.screens.tasks(*asked) if number not in shown]:
                    return further[:MOST]
        return []

    def screen_of(self, ids: Sequence[int]) -> Screen:
        """Return the screen of these tasks as it was shown; without labels if they differ."""
        given = self.store.screens.labels_of(self.project_key, self.version, ids)
        pictures = self.shown([number for number in ids if number in given])
        labels = {given[one.answer.task_id] for one in pictures}
        return Screen(self.version, labels.pop() if len(labels) == 1 else "", pictures)

    def shown(self, ids: Sequence[int]) -> list[Shown]:
        """Return these tasks as they are proposed; those that cannot be written as they were predicted are left out."""
        answers = self.store.answers.of_tasks(self.project_key, self.version, ids) if ids else {}
        found = []
        for number in ids:
            if number in answers and (one := self._one(answers[number])) is not None:
                found.append(one)
        return found

    def _one(self, answer: Answer) -> Shown | None:
        # Boxes cannot be written without the picture's size.
        if answer.boxes and not all(answer.size):
            return None
        features = self.cache.get(answer.item_key)
        seed = region_seed(ProjectKey.parse(self.project_key), answer.task_id, self.version)
        prediction = _prediction(answer)
        try:
            result = result_of(self.config, prediction, answer.size, seed)
            checked(self.config, result, prediction.score)
        except InvalidResultError:
            return None
        rectangles = {control.name for control in self.config.rectangles}
        boxes = [
            (names_in(region["value"], region["type"])[0], *(region["value"][side] for side in _SIDES))
            for region in result
            if region["from_name"] in rectangles
        ]
        choices = {control.name for control in self.config.choices}
        tags = [
            name
            for region in result
            if region["from_name"] in choices
            for name in names_in(region["value"], region["type"])
        ]
        return Shown(answer, submitted(result), tuple(tags), boxes, features)


_SIDES = ("x", "y", "width", "height")


def next_groups(groups: Sequence[Group]) -> list[Group]:
    """Return the groups of the next screen: of one answer, whole, at most MOST pictures unless the first has more.

    Of all answers the one whose screen is surest comes next, full screens before smaller ones.
    """
    by_labels: dict[str, list[Group]] = {}
    for group in groups:
        by_labels.setdefault(group.labels, []).append(group)
    best: tuple[tuple[bool, float], list[Group]] = ((False, -1.0), [])
    for those in by_labels.values():
        chosen, count = [those[0]], those[0].count
        for group in those[1:]:
            if count + group.count <= MOST:
                chosen.append(group)
                count += group.count
        score = sum(group.score * group.count for group in chosen) / count
        best = max(best, ((count >= FULL, score), chosen), key=lambda entry: entry[0])
    return best[1]


def by_similarity(pictures: Sequence[Shown]) -> list[Shown]:
    """Return the pictures group by group: after each group of look-alikes comes the one that is most similar to it."""
    groups = [list(those) for _, those in groupby(pictures, key=lambda one: one.answer.look_alike)]
    known = [[one.features for one in group if one.features is not None] for group in groups]
    if len(groups) < 3 or not all(known):
        return [one for group in groups for one in group]
    embedding = Embedding.of([features for those in known for features in those])
    vectors_GD = torch.stack([embedding.vectors(those).mean(0) for those in known])
    order, left = [0], set(range(1, len(groups)))
    while left:
        last_D = vectors_GD[order[-1]]
        nearest = max(left, key=lambda number: (float(vectors_GD[number] @ last_D), -number))
        order.append(nearest)
        left.remove(nearest)
    return [one for number in order for one in groups[number]]


def counts_of(groups: Sequence[Group]) -> int:
    """Return how many pictures these groups have."""
    return sum(group.count for group in groups)


def _prediction(answer: Answer) -> Prediction:
    boxes = tuple(PredictedBox(label, Box(*sides), score) for label, *sides, score in answer.boxes)
    return Prediction(dict(answer.probabilities), answer.labels, boxes, answer.score)
