"""What was done with a project, and undoing it: accepted screens, versions that were let serve, stored predictions."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from fastapi import Response

from backend.pages.frame import NotThere, Visit
from backend.pages.review import left_of
from store.batches import OPEN, Batch
from store.projects import Project
from store.versions import State, Version

LOG = structlog.stdlib.get_logger(__name__)

# Most accepted screens and changes of the served version that are listed, the newest.
BATCHES, SWITCHES = 100, 30


@dataclass(frozen=True)
class Change:
    """A version that was let serve: its name, when, and who chose it (empty: the gate). ``before`` served until then.

    ``before`` is empty where going back to it changes nothing, or is not possible any more.
    """

    name: str
    at: float
    person: str
    before: str


def done_page(visit: Visit) -> Response:
    """Return what was done with a project."""
    project, store = visit.project(), visit.pages.service.store
    removals = store.prediction_removals.all(project.key)
    versions = store.versions.list(project.key)
    served = [one for one in versions if one.promoted_at and one.state is not State.CURRENT]
    return visit.page(
        "done.html.jinja",
        project=project,
        title=visit.title(project),
        batches=[(batch, left_of(visit, project, batch)) for batch in store.batches.newest(project.key, BATCHES)],
        switches=_changes(visit, project, versions)[:SWITCHES],
        versions=[(one.version, removals.get(one.version)) for one in served],
        stamp=_stamp(visit, project),
    )


def done_now(visit: Visit) -> Response:
    """Return the part that tells the script that something has changed; 401 without a session."""
    if visit.session is None:
        return Response(status_code=401)
    project = visit.project()
    return visit.page("done_now.html.jinja", project=project, stamp=_stamp(visit, project))


def continue_batch(visit: Visit) -> Response:
    """Go on with a batch that has stopped, as the person who asks."""
    visit.require_form(visit.person.id)
    project, batch = _batch(visit)
    visit.pages.service.store.batches.note(batch.id, "")
    visit.pages.writer.start(visit.person, project.key, batch.id)
    return visit.lead(f"done?id={_id(project)}")


def ask_to_take_back(visit: Visit) -> Response:
    """Ask whether a batch is to be taken back."""
    project, batch = _batch(visit)
    if batch.taken_back_at or not batch.count(*OPEN):
        return visit.lead(f"done?id={_id(project)}")
    names = ("take_back_deletes", "take_back_keeps", "take_back_again")
    return visit.page(
        "review_question.html.jinja",
        project=project,
        title=visit.title(project),
        question=visit.text("take_back_question", count=batch.count(*OPEN)),
        lines=[visit.text(name) for name in names],
        action="take-back",
        fields={"batch": batch.id},
        button=visit.text("batch_take_back"),
        back=f"done?id={_id(project)}",
    )


def take_back(visit: Visit) -> Response:
    """Begin to take a batch back."""
    visit.require_form(visit.person.id)
    project, batch = _batch(visit)
    visit.pages.service.store.batches.take_back(batch.id, visit.person.person)
    LOG.info("a person takes a batch back", project=project.key, batch=batch.id, person=visit.person.person)
    visit.pages.writer.start(visit.person, project.key, batch.id)
    return visit.lead(f"done?id={_id(project)}")


def ask_to_remove(visit: Visit) -> Response:
    """Ask whether the predictions of a version are to be removed."""
    project = visit.project()
    version, serving = _removable(visit, project)
    return visit.page(
        "review_question.html.jinja",
        project=project,
        title=visit.title(project),
        question=visit.text("removal_question", version=version),
        lines=[visit.text("removal_replaces", version=serving), visit.text("removal_keeps")],
        action="remove-predictions",
        fields={"version": version},
        button=visit.text("removal"),
        back=f"done?id={_id(project)}",
    )


def remove_predictions(visit: Visit) -> Response:
    """Let the worker remove the predictions of a version."""
    visit.require_form(visit.person.id)
    project = visit.project()
    version, _ = _removable(visit, project)
    visit.pages.service.store.prediction_removals.ask(project.key, version, visit.person.person)
    LOG.info("a person removes predictions", project=project.key, version=version, person=visit.person.person)
    return visit.lead(f"done?id={_id(project)}")


def _removable(visit: Visit, project: Project) -> tuple[str, str]:
    """Return the version that the address or the form names, and the one that serves. Raises NotThere."""
    versions, asked = visit.pages.service.store.versions.list(project.key), visit.asked("version")
    found = next((one for one in versions if one.version == asked), None)
    serving = next((one for one in versions if one.state is State.CURRENT), None)
    if found is None or serving is None or found.state is State.CURRENT:
        raise NotThere
    return found.version, serving.version


def _batch(visit: Visit) -> tuple[Project, Batch]:
    """Return the project and its batch that the address or the form names. Raises NotThere."""
    project, number = visit.project(), visit.asked("batch")
    is_number = number.isascii() and number.isdecimal() and len(number) < 19
    batch = visit.pages.service.store.batches.get(project.key, int(number)) if is_number else None
    if batch is None:
        raise NotThere
    return project, batch


def _changes(visit: Visit, project: Project, versions: Sequence[Version]) -> list[Change]:
    """Return the changes of the served version, the newest first."""
    known = {version.number: version for version in versions}
    switches = visit.pages.service.store.versions.switches(project.key)
    found = []
    for number, switch in enumerate(switches):
        before = known.get(switches[number - 1].number) if number else None
        may = before is not None and before.state not in (State.CURRENT, State.PRUNED)
        name = known[switch.number].version if switch.number in known else "?"
        found.append(Change(name, switch.at, switch.chosen_by, before.version if may and before else ""))
    return found[::-1]


def _stamp(visit: Visit, project: Project) -> str:
    """Return a hash of all that the page shows and that may change by itself."""
    store = visit.pages.service.store
    parts = (
        [
            (one.id, sorted(one.counts.items()), one.problem, one.taken_back_at)
            for one in store.batches.newest(project.key, BATCHES)
        ],
        store.prediction_removals.all(project.key),
        store.versions.switches(project.key)[-1:],
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _id(project: Project) -> str:
    return project.key.partition("/")[2]
