"""Doubtful gold: labels that the model and the sources contradict, for people to look at, to correct or to dismiss."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from fastapi import Response

from backend.pages.cards import LITTLE, Card, answered, cards_of, studio_task
from backend.pages.frame import NotThere, Visit
from store.doubts import Kept

LOG = structlog.stdlib.get_logger(__name__)

MOST = 30  # doubts on a page, and dismissed ones
ENOUGH = 100  # labelled tasks below which the page says that most doubts are mistaken


@dataclass(frozen=True)
class Row:
    """A doubt with its picture, and the pictures of the nearest gold: card, similarity, whether the label is there."""

    kept: Kept
    card: Card | None
    nearest: Sequence[tuple[Card, float, bool]]
    place: str

    @property
    def sources(self) -> Sequence[tuple[str, float]]:
        """The sources that say something worth telling against the label, with the log-odds that each adds."""
        return [one for one in self.kept.doubt.sources if abs(one[1]) >= LITTLE]


def doubts(visit: Visit) -> Response:
    """Return the doubts of a project, the strongest first, and those that were dismissed."""
    project, store = visit.project(), visit.pages.service.store
    version, _ = answered(visit, project)
    serving = store.versions.all_served().get(project.key)
    gold = serving.gold_count if serving else 0
    kept = store.doubts.of(project.key)
    open_ones = [one for one in kept if not one.dismissed_at]
    dismissed = sorted((one for one in kept if one.dismissed_at), key=lambda one: -one.dismissed_at)
    shown = open_ones[:MOST]
    tasks = {one.doubt.task_id for one in shown} | {task for one in shown for task, _, _ in one.doubt.nearest}
    cards = {card.task_id: card for card in cards_of(visit, project, version, sorted(tasks))}
    rows = [
        Row(
            one,
            cards.get(one.doubt.task_id),
            [(cards[task], similarity, there) for task, similarity, there in one.doubt.nearest if task in cards],
            studio_task(visit, project, one.doubt.task_id),
        )
        for one in shown
    ]
    return visit.page(
        "doubts.html.jinja",
        project=project,
        title=visit.title(project),
        rows=rows,
        count=len(open_ones),
        dismissed=dismissed[:MOST],
        trained=bool(project.trained_revision),
        gold=gold,
        is_early=gold < ENOUGH,
    )


def dismiss(visit: Visit) -> Response:
    """Dismiss a doubt, or let it stand again, and lead back to the doubts."""
    visit.require_form(visit.person.id)
    project = visit.project()
    task, label, again = visit.task(project), visit.asked("label"), bool(visit.asked("again"))
    person = visit.person.person
    if not visit.pages.service.store.doubts.dismiss(project.key, task.id, label, "" if again else person):
        raise NotThere
    word = "a doubt stands again" if again else "a doubt was dismissed"
    LOG.info(word, project=project.key, task=task.id, label=label, person=person)
    return visit.lead(f"doubts?id={project.key.partition('/')[2]}")
