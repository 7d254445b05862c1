"""Similar items, search and recommendation for one connection: its requests find its own projects' items alone."""

import base64
import binascii
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Annotated

from pydantic import BaseModel, Field

from backend.engine import Engine
from backend.schemas import MAX_ID, Loose, ProjectUid
from backend.service import Service
from labelstudio.config import ConfigError
from labelstudio.decoding import ImageUnavailableError, decode
from labelstudio.project import ProjectKey
from model.features.item import ItemFeatures
from model.items import Item
from store.projects import Project
from tagloom_base.errors import UserError
from worker.search.finding import MOST, MOST_SEEN, Fold, Only, Results, Searched, Wanted

TaskId = Annotated[int, Field(ge=0, le=MAX_ID)]
MOST_TEXT, MOST_NAMES = 2_000, 100


class SimilarQuery(Loose):
    """What to look for. ``task`` is one of ``project``; ``projects`` are searched, or ``project``, or all there are."""

    project: ProjectUid | None = None
    projects: list[ProjectUid] = Field([], max_length=MOST_NAMES)
    task: TaskId | None = None
    text: str = Field("", max_length=MOST_TEXT)
    weight: float = Field(0.5, ge=0, le=1, description="Share of task or picture, where words are given too.")
    tags: list[str] = Field([], max_length=MOST_NAMES, description="Only items with one of these tags.")
    industry: str = Field("", max_length=MOST_TEXT, description="Only items of this industry, at any level.")
    labelled: bool | None = Field(None, description="Only items that people have labelled, or only others.")
    fold: Fold = Field("copies", description="What becomes one result: copies of a picture, or views of a product.")
    count: int = Field(10, ge=1, le=MOST)
    page: int = Field(1, ge=1, le=MOST)


class SimilarRequest(SimilarQuery):
    """The same, with a picture: the bytes of its file in base64."""

    picture: str = ""


class RecommendRequest(Loose):
    """Tasks of a project that somebody looked at, in this order, and those of them that were bought."""

    project: ProjectUid
    seen: list[TaskId] = Field(description=f"1 to {MOST_SEEN:,} tasks.")
    bought: list[TaskId] = Field([])
    count: int = Field(10, ge=1, le=MOST)


class FoundItem(BaseModel):
    """One result. ``score`` is 1 for an item that equals what is looked for; ``folded`` tasks stand behind it."""

    project: str
    task: int
    score: float
    title: str
    industry: list[str]
    tags: list[str]
    folded: list[int]


class SimilarResponse(BaseModel):
    """One page of results, best first; ``searched`` is how many items were compared."""

    results: list[FoundItem]
    more: bool
    searched: int


class LoadingError(Exception):
    """The encoders are not loaded yet, or cannot be."""


def similar(service: Service, connection: str, asked: SimilarQuery) -> SimilarResponse:
    """Return what is like the task, picture or words. Raises UserError, which says what to ask, and LoadingError."""
    engine = engine_of(service.engine)
    own = str(ProjectKey.of_request(asked.project, connection)) if asked.project else ""
    if asked.task is not None and not own:
        raise UserError("name the project that the task is of")
    named = [str(ProjectKey.of_request(one, connection)) for one in asked.projects] or ([own] if own else [])
    wanted = Wanted(
        task=None if asked.task is None else (own, asked.task),
        features=_seen(service, engine, asked.picture) if isinstance(asked, SimilarRequest) else None,
        text=asked.text,
        weight=asked.weight,
        only=Only(tuple(asked.tags), asked.industry, asked.labelled),
        fold=asked.fold,
        count=asked.count,
        page=asked.page,
    )
    searched = named if own in named or asked.task is None else [own, *named]
    return told(engine.finder.search(searched_in(service, connection, searched), wanted))


def recommend(service: Service, connection: str, asked: RecommendRequest) -> SimilarResponse:
    """Return what somebody may like who looked at these tasks. Raises UserError and LoadingError."""
    engine = engine_of(service.engine)
    key = str(ProjectKey.of_request(asked.project, connection))
    (searched,) = searched_in(service, connection, [key])
    return told(engine.finder.recommend(searched, asked.seen, asked.bought, asked.count))


def engine_of(future: "Future[Engine]") -> Engine:
    """Return the loaded engine. Raises LoadingError."""
    if not future.done() or future.exception() is not None:
        raise LoadingError("the encoders are not loaded yet, or cannot be: /health says which")
    return future.result()


def searched_in(service: Service, connection: str, keys: Sequence[str]) -> list[Searched]:
    """Return these projects of a connection, or all of it. Raises UserError for one that is not known there."""
    if keys:
        found = [_known(service, key) for key in dict.fromkeys(keys)]
    else:
        found = [one for one in service.store.projects.all() if one.key.startswith(f"{connection}/")]
    try:
        return [Searched(one, service.config(one.label_config, one.industry_keys)) for one in found]
    except ConfigError as unusable:
        raise UserError(f"the labelling config cannot be used: {unusable}") from unusable


def told(results: Results) -> SimilarResponse:
    """Return results as they are sent; projects are named as in Label Studio's requests."""
    found = [
        FoundItem(
            project=one.project.partition("/")[2], task=one.task, score=round(one.score, 4), title=one.title,
            industry=list(one.industry), tags=list(one.tags), folded=list(one.folded),
        )
        for one in results.found
    ]  # fmt: skip
    return SimilarResponse(results=found, more=results.more, searched=results.searched)


def _known(service: Service, key: str) -> Project:
    project = service.store.projects.get(key)
    if project is None:
        raise UserError(f"there is no project {key.partition('/')[2]} here: /status lists them")
    return project


def _seen(service: Service, engine: Engine, picture: str) -> ItemFeatures | None:
    """Return the features of a picture in base64, also as a data URL; None for none. UserError for a broken one."""
    if not picture:
        return None
    encoded = picture.partition(",")[2] if picture.startswith("data:") else picture
    try:
        shown = decode(base64.b64decode(encoded, validate=True), service.settings.pictures.image_max_pixels)
    except (binascii.Error, ValueError) as wrong:
        raise UserError("picture is no base64: send the bytes of the picture's file in base64") from wrong
    except ImageUnavailableError as broken:
        raise UserError(f"the picture cannot be read: {broken}") from broken
    (item,) = engine.inference.extract("", [Item(shown.image, "", (), {}, shown.size, shown.notes)])
    return item
