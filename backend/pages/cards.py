"""Pictures with what was answered and what people said: the cards of the gallery and of other pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backend.pages.frame import Visit
from labelstudio.config import ConfigError, LabelConfig
from labelstudio.project import ProjectKey
from model.items import Gold
from store.answers import Answer
from store.projects import Project
from worker.corpus.gold import project_gold

LITTLE = 0.05  # log-odds below which a source says nothing worth telling
COLOURS = 8  # classes of the style sheet for labels; further labels begin anew


@dataclass(frozen=True)
class Tag:
    """A label on a card. ``state``: right, wrong or missed by gold; given where gold does not say."""

    label: str
    colour: int
    state: str
    probability: float


@dataclass(frozen=True)
class Shape:
    """A box in thousandths of the picture."""

    label: str
    colour: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Card:
    """One picture.

    ``before`` are the labels and boxes of the version before, where the caller asked for them. ``alike`` is the size of
    its group of look-alikes, which is named by ``group``.
    """

    task_id: int
    score: float
    tags: Sequence[Tag]
    boxes: Sequence[Shape]
    gold_boxes: Sequence[Shape]
    is_labelled: bool
    group: int
    alike: int
    place: str
    before: "Card | None" = None


def config_of(visit: Visit, project: Project) -> LabelConfig | None:
    """Return the project's labelling config; None for one that cannot be used."""
    try:
        return visit.pages.service.config(project.label_config, project.industry_keys)
    except ConfigError:
        return None


def answered(visit: Visit, project: Project) -> tuple[str, str]:
    """Return the version whose answers pages show and the one before, "" where there is none.

    The served one, except in the minute in which its first answers are still to come.
    """
    kept = visit.pages.service.store.answers.versions(project.key)
    current = visit.pages.service.store.versions.current(project.key)
    serving = current.version if current else ""
    version = serving if serving in kept else next(iter(kept), "")
    return version, next((other for other in kept if other != version), "")


def overtaken(visit: Visit, project: Project, version: str) -> str:
    """Return the version that serves, where pages still show the answers of ``version``; "" where they are its own."""
    current = visit.pages.service.store.versions.current(project.key)
    return current.version if current and version and current.version != version else ""


def cards_of(visit: Visit, project: Project, version: str, tasks: Sequence[int], before: str = "") -> list[Card]:
    """Return a card for each of these tasks that has an answer, in their order."""
    store, config = visit.pages.service.store, config_of(visit, project)
    if config is None or not tasks:
        return []
    answers = store.answers.of_tasks(project.key, version, tasks)
    gold = gold_of(visit, project, config, tasks)
    alike = store.gallery.look_alikes(project.key, version, sorted({one.look_alike for one in answers.values()}))
    cards = {number: _card(visit, project, config, one, gold.get(number)) for number, one in answers.items()}
    cards = {number: replace(card, alike=alike.get(card.group, 1)) for number, card in cards.items()}
    if before:
        for number, one in store.answers.of_tasks(project.key, before, list(cards)).items():
            older = _card(visit, project, config, one, gold.get(number))
            cards[number] = replace(cards[number], before=older)
    return [cards[number] for number in tasks if number in cards]


def gold_of(visit: Visit, project: Project, config: LabelConfig, tasks: Sequence[int]) -> Mapping[int, Gold]:
    """Return the gold of these tasks as it is now."""
    return project_gold(visit.pages.service.store, project, config, set(tasks), page=tasks).by_task


def studio_task(visit: Visit, project: Project, task_id: int) -> str:
    """Return the address of a task in Label Studio, by the name under which people know it."""
    connection = visit.pages.accounts.connections[visit.person.connection]
    base = next(iter(connection.further), connection.url).rstrip("/")
    return f"{base}/projects/{ProjectKey.parse(project.key).id}/data?task={task_id}"


def tags_of(config: LabelConfig, answer: Answer, gold: Gold | None) -> list[Tag]:
    """Return the given labels and those that were missed, in the order of the config."""
    tags = []
    for number, label in enumerate(config.labels):
        given, there = label in answer.labels, gold.says(label) if gold else None
        state = ("given" if there is None else "right" if there else "wrong") if given else "missed"
        if given or there:
            tags.append(Tag(label, number % COLOURS, state, answer.probabilities.get(label, 0.0)))
    return tags


def _card(visit: Visit, project: Project, config: LabelConfig, answer: Answer, gold: Gold | None) -> Card:
    colours = {label: number % COLOURS for number, label in enumerate(config.labels)}
    drawn = gold.boxes if gold and gold.boxes else ()
    return Card(
        task_id=answer.task_id,
        score=answer.score,
        tags=tags_of(config, answer, gold),
        boxes=[_shape(label, colours.get(label, 0), *sides) for label, *sides, _ in answer.boxes],
        gold_boxes=[
            _shape(one.label, colours.get(one.label, 0), one.box.left, one.box.top, one.box.right, one.box.bottom)
            for one in drawn
        ],
        is_labelled=gold is not None,
        group=answer.look_alike,
        alike=1,
        place=studio_task(visit, project, answer.task_id),
    )


def _shape(label: str, colour: int, left: float, top: float, right: float, bottom: float) -> Shape:
    return Shape(
        label,
        colour,
        round(1000 * left, 1),
        round(1000 * top, 1),
        round(1000 * (right - left), 1),
        round(1000 * (bottom - top), 1),
    )
