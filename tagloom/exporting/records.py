"""A project's tasks one after the other, each with its gold, the served version's answer, and its weak labels.

A page of tasks is in memory at a time, so a project may be of any size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from labelstudio.controls.rectangle_labels import is_number
from labelstudio.project import ProjectKey
from labelstudio.tasks import reference_of
from model.items import Box, Gold
from model.weak_supervision.label_model import WeakLabel
from store.projects import Project
from store.tasks import Task
from worker.corpus.gold import project_gold
from worker.predictions.answering import Answering, Predicted
from worker.search.finding import Finder
from worker.workplace import Workplace

PAGE = 64

Only = Literal["all", "gold", "unlabelled"]


@dataclass(frozen=True)
class PlacedBox:
    """A box with its label, and whose it is: gold, with the confidence 1, or a version's."""

    label: str
    box: Box
    confidence: float
    origin: str


@dataclass(frozen=True)
class Record:
    """One task. ``answer`` is the served version's in Label Studio's form, None where its picture could not be read.

    ``size`` is the picture's width and height in pixels, (0, 0) where nobody knows it. ``vector_D`` are the 512
    half-precision numbers by which the item is found; None where they were not asked for, or are not there.
    """

    task: Task
    image: str
    title: str
    size: tuple[int, int]
    annotations: Sequence[Mapping[str, Any]]
    gold: Gold | None
    version: str
    answer: Mapping[str, Any] | None
    predicted: Predicted | None
    weak: Mapping[str, WeakLabel]
    vector_D: Tensor | None = None

    @property
    def origin(self) -> str:
        """Whose the best known labels are: gold, the version that predicted them, or empty."""
        if self.gold:
            return "gold"
        return self.version if self.predicted else ""

    def tags(self, labels: Sequence[str]) -> dict[str, float]:
        """Return the best known probability of each label; of gold 1 or 0, without labels of which it says nothing."""
        if self.gold:
            told = {label: self.gold.says(label) for label in labels}
            return {label: float(says) for label, says in told.items() if says is not None}
        return dict(self.predicted.prediction.probabilities) if self.predicted else {}

    def given(self, labels: Sequence[str]) -> list[str]:
        """Return the labels that the best known answer gives."""
        if self.gold:
            return [label for label in labels if label in self.gold.labels]
        return list(self.predicted.prediction.labels) if self.predicted else []

    def boxes(self) -> list[PlacedBox]:
        """Return the best known boxes: those that were drawn, else the predicted ones of labels that gold allows."""
        if self.gold and self.gold.boxes is not None:
            return [PlacedBox(one.label, one.box, 1.0, "gold") for one in self.gold.boxes]
        found = self.predicted.prediction.boxes if self.predicted else ()
        allowed = [one for one in found if self.gold is None or self.gold.says(one.label) is not False]
        return [PlacedBox(one.label, one.box, one.score, self.version) for one in allowed]


def records(
    workplace: Workplace, project: Project, answering: Answering, only: Only, finder: Finder | None = None
) -> Iterator[tuple[Record, int, int]]:
    """Yield each task's record, with the number of tasks that were looked at by then, and of all to be looked at.

    They come in the order of ids. ``only`` leaves out tasks without gold, or tasks that have an annotation; those are
    not read. ``finder`` knows the items' vectors.
    """
    store, config = workplace.store, answering.config
    wanted = store.annotations.labelled(project.key) if only == "gold" else set(store.tasks.ids(project.key))
    if only == "unlabelled":
        wanted -= store.annotations.task_ids(project.key)
    order = sorted(wanted)
    for seen in range(0, len(order), PAGE):
        ids = order[seen : seen + PAGE]
        tasks = store.tasks.some(project.key, ids)
        annotations = store.annotations.of_project(project.key, ids)
        gold = project_gold(store, project, config, ids, page=ids).by_task
        page = [tasks[number] for number in ids if number in tasks and (only != "gold" or number in gold)]
        found = answering.predictions([task.payload() for task in page]) if page else {}
        guessed = {number: one.features for number, one in found.items() if one is not None and number not in gold}
        weak = dict(zip(guessed, answering.weak_labels(list(guessed.values())), strict=True))
        vectors = finder.vectors_of(project, ids) if finder else {}
        for task in page:
            predicted = found.get(task.id)
            reference = reference_of(config, task.payload(), ProjectKey.parse(project.key))
            own = annotations.get(task.id, [])
            record = Record(
                task=task,
                image=reference.image or "",
                title=reference.title,
                size=predicted.features.size if predicted and all(predicted.features.size) else _drawn_on(own),
                annotations=own,
                gold=gold.get(task.id),
                version=answering.version,
                answer=answering.written(task.id, predicted) if task.id in found else None,
                predicted=predicted,
                weak=weak.get(task.id, {}),
                vector_D=vectors.get(task.id),
            )
            yield record, seen + ids.index(task.id) + 1, len(order)


def _drawn_on(annotations: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the picture's size that the annotations' regions name; (0, 0) if none does."""
    for annotation in annotations:
        for region in annotation.get("result") or ():
            named = region if isinstance(region, dict) else {}
            width, height = named.get("original_width"), named.get("original_height")
            if is_number(width) and is_number(height) and min(width, height) >= 1:
                return int(width), int(height)
    return 0, 0
