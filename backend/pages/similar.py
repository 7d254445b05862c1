"""The page on which people find items of a project: like one of its tasks, like a picture, or by words."""

import base64
import io
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import Response
from PIL import Image

from backend.engine import Engine
from backend.pages.frame import Visit
from backend.similar import LoadingError, engine_of, searched_in
from labelstudio.project import ProjectKey
from labelstudio.sites import connections_of
from model.features.item import ItemFeatures
from store.projects import Project
from tagloom_base.errors import UserError
from worker.search.finding import MOST, Fold, Only, Searched, Wanted

ON_A_PAGE = 24
LONGEST = 500  # characters of what is looked for
FOLDS: tuple[Fold, ...] = ("copies", "products", "nothing")
LABELLED = {"": None, "yes": True, "no": False}
FIELDS = ("id", "text", "task", "picture", "weight", "tag", "industry", "labelled", "fold")
"""What the form and the address say; ``picture`` is the name of one that was sent."""


def similar_page(visit: Visit) -> Response:
    """Return the page with the form and, where something was asked for, what was found."""
    return _page(visit, visit.project(), _asked(visit))


def find(visit: Visit) -> Response:
    """Take the form, keep the picture that it holds, and lead to the address of the results.

    Without script, the form is sent as it stands. A picture that cannot be read is told on the page.
    """
    visit.require_form(visit.person.id)
    project, asked = visit.project(), _asked(visit)
    if visit.form.get("without_picture"):
        asked["picture"] = ""
    if content := visit.files.get("file"):
        try:
            engine = engine_of(visit.pages.service.engine)
            most = visit.pages.service.settings.pictures.image_max_pixels
            asked["picture"] = visit.pages.uploads.add(visit.person.hash, engine, content, most)
        except (UserError, LoadingError) as reason:
            return _page(visit, project, {**asked, "picture": ""}, str(reason))
    return visit.lead(_at(asked))


def too_large(visit: Visit, most: int) -> Response:
    """Return the page that says that a file is too large."""
    return visit.problem(413, "file_too_large", "file_too_large_advice", visit.text("file_most", most=f"{most:,}"))


def _asked(visit: Visit) -> dict[str, str]:
    return {name: visit.asked(name)[:LONGEST].strip() for name in FIELDS}


def _page(visit: Visit, project: Project, asked: Mapping[str, str], why: str = "") -> Response:
    page = visit.asked("page")
    number = int(page) if page.isdecimal() and page.isascii() and len(page) < 4 and int(page) else 1
    fold = next((fold for fold in FOLDS if fold == asked["fold"]), FOLDS[0])
    asked = {**asked, "id": project.key.partition("/")[2], "fold": fold}
    found, shown, labels = None, "", tuple[str, ...]()
    service = visit.pages.service
    try:
        (searched,) = searched_in(service, project.key.partition("/")[0], [project.key])
        labels = searched.config.labels
        engine = engine_of(service.engine)
        if not why and (asked["task"] or asked["text"] or asked["picture"]):
            wanted = _wanted(visit, engine, searched, asked)
            shown = _data_url(wanted.features) if wanted.features else ""
            found = engine.finder.search([searched], replace(wanted, fold=fold, count=ON_A_PAGE, page=number))
    except (UserError, LoadingError) as reason:
        why = why or str(reason)
    return visit.page(
        "similar.html.jinja",
        200 if not why else 422,
        project=project,
        title=visit.title(project),
        query=asked,
        folds=FOLDS,
        labels=labels,
        shown=shown,
        found=found,
        why=why,
        studio=_studio(visit, project),
        earlier=_at(asked, number - 1) if number > 1 else "",
        later=_at(asked, number + 1) if found and found.more and ON_A_PAGE * (number + 1) <= MOST else "",
    )


def _at(asked: Mapping[str, str], page: int = 1) -> str:
    usual = {"weight": "50", "fold": FOLDS[0]}
    said = {name: value for name, value in asked.items() if value and value != usual.get(name)}
    return f"similar?{urlencode(said if page == 1 else {**said, 'page': page})}"


def _wanted(visit: Visit, engine: Engine, searched: Searched, asked: Mapping[str, str]) -> Wanted:
    """Return what is looked for. Raises UserError for what cannot be."""
    task, tag, weight, features = asked["task"], asked["tag"], asked["weight"] or "50", None
    if task and asked["picture"]:
        raise UserError(visit.text("task_or_picture"))
    if task and not (task.isdecimal() and task.isascii() and len(task) < 19):
        raise UserError(visit.text("no_task_number"))
    if not (weight.isdecimal() and weight.isascii() and len(weight) < 4 and int(weight) <= 100):
        raise UserError(visit.text("no_weight"))
    if asked["picture"]:
        features = visit.pages.uploads.get(visit.person.hash, engine, asked["picture"])
        if features is None:
            raise UserError(visit.text("picture_gone"))
    only = Only((tag,) if tag in searched.config.labels else (), asked["industry"], LABELLED.get(asked["labelled"]))
    return Wanted(
        task=(searched.project.key, int(task)) if task else None,
        features=features,
        text=asked["text"],
        weight=int(weight) / 100,
        only=only,
    )


def _data_url(features: ItemFeatures) -> str:
    """Return a small picture of what was sent, as an address that holds it."""
    made = io.BytesIO()
    Image.fromarray(features.thumbnail_HW3.numpy()).save(made, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(made.getvalue()).decode()}"


def _studio(visit: Visit, project: Project) -> str:
    """Return the beginning of a task's address in Label Studio."""
    key = ProjectKey.parse(project.key)
    url = connections_of(visit.pages.service.settings.studios)[key.connection].url
    return f"{url.rstrip('/')}/projects/{key.id}/data?task="
