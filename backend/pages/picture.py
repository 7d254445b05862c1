"""The picture of a task, upright and small, as an address that pages show: ``picture?id=<project>&task=<n>``."""

import hashlib
import textwrap

from fastapi import Response

from backend.pages.frame import Visit, Waits
from labelstudio.config import ConfigError
from labelstudio.project import ProjectKey
from labelstudio.tasks import ItemReference, reference_of
from store.projects import Project
from store.tasks import Task

# Pixels of the longer side. A long picture may be longer, so that its shorter side has a third of that.
SMALL, LARGE = 480, 1280
FRESH_S = 300  # seconds for which a browser keeps a picture
LINE = 40  # characters in a line of the reason


def picture(visit: Visit, *, may_wait: bool = False) -> Response:
    """Return the picture of a task, or one that says why it cannot be had.

    Raises NotThere for a task that the project does not have, and Waits where the picture must be fetched but this
    thread must not wait.
    """
    project = visit.project()
    task, side = visit.task(project), LARGE if visit.asked("large") else SMALL
    pictures = visit.pages.pictures
    try:
        reference = reference_for(visit, project, task)
    except ConfigError as error:
        return _missing(visit, str(error))
    # By person: two people who see a task need not see the same pictures, which its data may take from anywhere.
    facts = (visit.person.connection, visit.person.person, project.key, task.id, side, reference.image)
    name = hashlib.sha256(repr(facts).encode()).hexdigest()
    if not may_wait and visit.request.headers.get("if-none-match") == f'"{name}"':
        return Response(status_code=304, headers=_headers(name))
    shown = pictures.kept(name)
    if shown is None:
        if not may_wait:
            raise Waits
        shown = pictures.fetched(name, visit.person, reference, side)
    if shown.reason:
        return _missing(visit, shown.reason)
    return Response(shown.content, media_type="image/webp", headers=_headers(name))


def reference_for(visit: Visit, project: Project, task: Task) -> ItemReference:
    """Return where a task's picture lies. Raises ConfigError for a labelling config that cannot be used."""
    config = visit.pages.service.config(project.label_config, project.industry_keys)
    return reference_of(config, task.payload(), ProjectKey.parse(project.key))


def _headers(name: str) -> dict[str, str]:
    # The cookie tells people apart who share a browser.
    return {"Cache-Control": f"private, max-age={FRESH_S}", "ETag": f'"{name}"', "Vary": "Cookie"}


def _missing(visit: Visit, reason: str) -> Response:
    """Return a picture of the words that say why there is none."""
    said = visit.text.said(reason)
    # A Chinese character is twice as wide as a letter.
    lines = textwrap.wrap(said.words, LINE if said.language == "en" else LINE // 2, max_lines=6, placeholder=" …")
    drawing = visit.rendered("picture_missing.svg.jinja", lines=lines, reason=said.words)
    return Response(drawing, media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=30"})
