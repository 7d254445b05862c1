"""The page of one task: its picture with what was answered, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Response

from backend.engine import Engine
from backend.pages.cards import COLOURS, LITTLE, Card, answered, cards_of, config_of, gold_of, studio_task
from backend.pages.frame import Visit
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey, file_name
from labelstudio.tasks import reference_of
from model.attention.batching import GRID
from model.explanation import Explanation, Reason, explain
from model.features.item import ItemFeatures
from model.items import Gold
from store.projects import Project
from store.tasks import Task
from worker.said import with_said
from worker.training.index import nearest_gold

NEAREST = 6  # gold tasks that are shown
SOURCES = 6  # sources of a label that are told


@dataclass(frozen=True)
class Row:
    """One label: its reason, what gold says (None: nothing), and its colour. ``sources`` are those worth telling."""

    reason: Reason
    gold: bool | None
    colour: int
    sources: Sequence[tuple[str, float]]
    heat: Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class Near:
    """A gold task that is like this one."""

    similarity: float
    card: Card


def task_page(visit: Visit) -> Response:
    """Return the page of a task."""
    project = visit.project()
    task, store = visit.task(project), visit.pages.service.store
    version, before = answered(visit, project)
    config = config_of(visit, project)
    cards = cards_of(visit, project, version, [task.id], before)
    gold = gold_of(visit, project, config, [task.id]).get(task.id) if config else None
    explained, why_not = explanation_of(visit, project, config, task)
    return visit.page(
        "task.html.jinja",
        project=project,
        title=visit.title(project),
        task=task,
        name=_name(config, task, project),
        card=cards[0] if cards else None,
        version=version,
        before=before if cards and cards[0].before and _changed(visit, project, version, task.id) else "",
        rows=rows_of(explained, gold, config) if explained and config else [],
        why_not=why_not,
        has_network=bool(explained and any(reason.look for reason in explained.reasons)),
        nearest=_nearest(visit, project, config, version, task) if config else [],
        place=studio_task(visit, project, task.id),
        doubts=[
            kept for kept in store.doubts.of(project.key) if kept.doubt.task_id == task.id and not kept.dismissed_at
        ],
        side=1000 / GRID,
    )


def explanation_of(
    visit: Visit, project: Project, config: LabelConfig | None, task: Task
) -> tuple[Explanation | None, str]:
    """Return why the served version answers so, or the name of the text that says why that cannot be told."""
    service = visit.pages.service
    if config is None:
        return None, "why_not_config"
    if not service.engine.done() or service.engine.exception():
        return None, "why_not_loaded"
    engine, key = service.engine.result(), ProjectKey.parse(project.key)
    found = engine.encoder.kept(key, config, [task.payload()])
    if found is None or not isinstance(found[0], ItemFeatures):
        return None, "why_not_read"
    served = engine.served(key, config)
    said = with_said(service.store.source_opinions, served.tagger.sources.foreign, key, config, [task.payload()], found)
    features = said[0]
    assert isinstance(features, ItemFeatures)
    explained = engine.inference.explain(project.key, lambda items: explain(served.tagger, items), features)
    return explained, "" if explained else "why_not_failed"


def rows_of(explained: Explanation, gold: Gold | None, config: LabelConfig) -> list[Row]:
    """Return a row for each label."""
    colours = {label: number % COLOURS for number, label in enumerate(config.labels)}
    return [
        Row(
            reason,
            gold.says(reason.label) if gold else None,
            colours.get(reason.label, 0),
            [one for one in reason.sources if abs(one[1]) >= LITTLE][:SOURCES],
            _heat(reason.look.strengths) if reason.look else (),
        )
        for reason in explained.reasons
    ]


def _heat(strengths: Sequence[float]) -> list[tuple[float, float, float]]:
    """Return left, top (in thousandths of the picture) and opacity of each region that is looked at."""
    side = 1000 / GRID
    return [
        (round(at % GRID * side, 1), round(at // GRID * side, 1), round(0.65 * value, 2))
        for at, value in enumerate(strengths)
        if value >= 0.05
    ]


def _nearest(visit: Visit, project: Project, config: LabelConfig, version: str, task: Task) -> list[Near]:
    engine = _engine(visit)
    found = engine.encoder.kept(ProjectKey.parse(project.key), config, [task.payload()]) if engine else None
    if engine is None or found is None or not isinstance(found[0], ItemFeatures):
        return []
    file = visit.pages.service.settings.paths.neighbours / f"{file_name(project.key)}.safetensors"
    # One more than is shown, since the task itself may be among them.
    near = dict(nearest_gold(file, engine.extractor.space, found[0], NEAREST + 1))
    near.pop(task.id, None)
    return [Near(near[card.task_id], card) for card in cards_of(visit, project, version, list(near)[:NEAREST])]


def _engine(visit: Visit) -> Engine | None:
    future = visit.pages.service.engine
    return future.result() if future.done() and not future.exception() else None


def _changed(visit: Visit, project: Project, version: str, task_id: int) -> bool:
    answers = visit.pages.service.store.answers.of_tasks(project.key, version, [task_id])
    return task_id in answers and answers[task_id].changed


def _name(config: LabelConfig | None, task: Task, project: Project) -> str:
    """Return the title of the product; empty where the task has none."""
    return reference_of(config, task.payload(), ProjectKey.parse(project.key)).title if config else ""
