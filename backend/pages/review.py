"""Review look-alikes: a screen of pictures with one proposed answer, accepted together except for those taken out."""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from fastapi import Response

from backend.pages.frame import NotThere, Visit
from backend.pages.review_screens import MOST, Part, Proposals, Screen, Shown, counts_of
from labelstudio.config import ConfigError
from labelstudio.project import ProjectKey
from model.features.cache import FeatureCache
from store.batches import Batch, Fate, NewBatch, Picture
from store.projects import Project
from store.screens import Group

LOG = structlog.stdlib.get_logger(__name__)

# The longest time that a person is taken to look at one screen, in seconds; whoever takes longer was away.
LONGEST_S = 600.0
# Batches that are told above the screen: the newest one of the person, and some that are not finished.
STRIPS = 4
# Seconds for which a finished batch stays there.
SHOWN_S = 600.0
_FORM = re.compile("[0-9a-f]{32}")
KEYS = "123456789qwertyuiopasdfg"
"""The keys that take pictures out, in the order of the pictures; h, j, k and l move."""


@dataclass(frozen=True)
class Strip:
    """A batch as told above the screen: what was written, and links to the pictures that were not."""

    batch: Batch
    left: Sequence[tuple[Picture, str]]

    @property
    def is_news(self) -> bool:
        """Whether pictures were left that the person did not take out."""
        return any(picture.fate is not Fate.EXCEPTION for picture, _ in self.left)


def review_page(visit: Visit) -> Response:
    """Return the next screen of a project."""
    return _page(visit, visit.project())


def accept(visit: Visit) -> Response:
    """Keep what a person accepts of a screen, begin to write it, and lead to the next screen.

    A form that is sent a second time changes nothing. If a proposal has changed since the screen was made, nothing is
    kept, and the screen is shown anew.
    """
    visit.require_form(visit.person.id)
    project = visit.project()
    proposals = _proposals(visit, project, visit.asked("version"))
    ids = _ids(visit.asked("tasks"))
    form = visit.asked("form")
    if proposals is None or not ids or not _FORM.fullmatch(form):
        raise NotThere
    store = visit.pages.service.store
    lead = f"review?id={_id(project)}&part={_part(visit)}"
    if store.batches.of_form(project.key, form) is not None:
        return visit.lead(lead)
    screen = proposals.screen_of(ids)
    if not screen.labels or screen.stamp != visit.asked("stamp"):
        return _page(visit, project, "review_changed", 409)
    proposed = store.screens.proposed(project.key, screen.version, ids)
    exceptions = {number for number in ids if visit.form.get(f"x{number}")}
    pictures = [_decided(one, exceptions, proposed) for one in screen.pictures]
    seconds = _seconds(visit) / len(pictures)
    new = NewBatch(form, visit.person.person, screen.version, screen.labels, round(seconds, 2), pictures)
    number, is_new = store.batches.begin(project.key, new)
    if is_new:
        LOG.info(
            "a person accepted proposals",
            project=project.key,
            person=visit.person.person,
            batch=number,
            accepted=sum(picture.fate is Fate.WAITING for picture in pictures),
        )
        visit.pages.writer.start(visit.person, project.key, number)
    return visit.lead(lead)


def strips(visit: Visit) -> Response:
    """Return the part that tells of the person's newest batches and renews itself; 401 without a session."""
    if visit.session is None:
        return Response(status_code=401)
    project = visit.project()
    return visit.page("review_now.html.jinja", project=project, strips=strips_of(visit, project))


def strips_of(visit: Visit, project: Project) -> list[Strip]:
    """Return the newest batches of the person that are not finished, or have been for a short time."""
    store = visit.pages.service.store
    now, person = store.now(), visit.person.person
    mine = [batch for batch in store.batches.newest(project.key, MOST) if batch.person == person]
    newest = [one for one in mine[:1] if now - max(one.at, one.taken_back_at) < SHOWN_S]
    shown = [one for one in mine if one.is_open or one in newest][:STRIPS]
    return [Strip(batch, left_of(visit, project, batch)) for batch in shown]


def left_of(visit: Visit, project: Project, batch: Batch) -> list[tuple[Picture, str]]:
    """Return the pictures of a batch that were not written, with their addresses in Label Studio."""
    fates = [fate for fate in Fate if fate not in (Fate.WAITING, Fate.WRITTEN, Fate.TAKEN_BACK)]
    found = visit.pages.service.store.batches.pictures(batch.id, fates)
    return [(one, task_address(visit, project, one.task_id)) for one in found]


def task_address(visit: Visit, project: Project, task_id: int) -> str:
    """Return the address of a task in the person's Label Studio."""
    connection = visit.pages.accounts.connections[visit.person.connection]
    # The further URLs are those under which browsers know it.
    base = (connection.further or (connection.url,))[0].rstrip("/")
    return f"{base}/projects/{ProjectKey.parse(project.key).id}/data?task={task_id}"


def _page(visit: Visit, project: Project, alert: str = "", status: int = 200) -> Response:
    service = visit.pages.service
    current = service.store.versions.current(project.key)
    part = _part(visit)
    proposals, groups = _newest(visit, project, current.version if current else "")
    screen = proposals.next_screen(groups[part]) if proposals else Screen("", "", ())
    return visit.page(
        "review.html.jinja",
        status,
        project=project,
        title=visit.title(project),
        alert=alert,
        version=current.version if current else "",
        is_older=bool(current and screen.pictures and screen.version != current.version),
        part=part,
        counts={one: counts_of(groups[one]) for one in Part},
        screen=screen,
        given=json.loads(screen.labels) if screen.labels else [],
        kinds={label: number % 6 for number, label in enumerate(current.labels if current else ())},
        keys=KEYS,
        form=secrets.token_hex(16),
        shown_at=f"{service.store.now():.3f}",
        tasks=",".join(str(one.answer.task_id) for one in screen.pictures),
        upcoming=proposals.upcoming(groups[part], screen) if proposals and screen.pictures else [],
        address=lambda task_id: task_address(visit, project, task_id),
        strips=strips_of(visit, project),
    )


def _newest(visit: Visit, project: Project, version: str) -> tuple[Proposals | None, dict[Part, list[Group]]]:
    """Return the proposals of the served version, and their groups by part.

    While it has not answered all tasks yet, those of the version before are returned if they have any: a review goes
    on while its own labels make one version after the other.
    """
    answers = visit.pages.service.store.answers
    names = [version]
    if version and project.key in answers.due():
        names = [*(one for one in answers.versions(project.key) if one != version), version]
    for name in names:
        proposals = _proposals(visit, project, name)
        groups = proposals.groups() if proposals else {part: [] for part in Part}
        if any(groups.values()):
            break
    return proposals, groups


def _proposals(visit: Visit, project: Project, version: str) -> Proposals | None:
    """Return the proposals of a version of the project; None for none, or where its config cannot be used."""
    service = visit.pages.service
    found = next((one for one in service.store.versions.list(project.key) if one.version == version), None)
    try:
        config = service.config(project.label_config, project.industry_keys)
    except ConfigError:
        return None
    if found is None:
        return None
    cache = FeatureCache(service.settings.paths.features, found.space)
    return Proposals(service.store, config, cache, project.key, version)


def _part(visit: Visit) -> Part:
    return Part.REST if visit.asked("part") == Part.REST else Part.SURE


def _id(project: Project) -> str:
    return project.key.partition("/")[2]


def _decided(shown: Shown, exceptions: set[int], proposed: set[int]) -> Picture:
    """Return what becomes of a picture of a screen that is accepted."""
    number = shown.answer.task_id
    if number in exceptions:
        return Picture(number, Fate.EXCEPTION)
    return Picture(number, Fate.WAITING, shown.result) if number in proposed else Picture(number, Fate.LABELLED)


def _ids(text: str) -> list[int]:
    """Return the task ids of a form's field; none for what is no list of at most MOST ids."""
    parts = text.split(",")
    if not 0 < len(parts) <= MOST or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        return []
    return list(dict.fromkeys(map(int, parts)))


def _seconds(visit: Visit) -> float:
    """Return how long the person had the screen, as the form says when it was made."""
    try:
        shown_at = float(visit.asked("shown_at"))
    except ValueError:
        return 0.0
    seconds = visit.pages.service.store.now() - shown_at
    return min(max(seconds, 0.0), LONGEST_S) if seconds == seconds else 0.0  # not for NaN
