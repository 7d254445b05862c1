"""Attach to features what sources of others said of their items: it was computed before, and is kept in the store."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.item import ItemFeatures
from model.features.said import SILENCE, Said
from model.items import Box
from store.source_opinions import SourceOpinions

LOG = logging.getLogger(__name__)

Entry = TypeVar("Entry")


def said_of(
    opinions: SourceOpinions, project_key: str, item_keys: Collection[str], names: Collection[str] | None = None
) -> dict[str, Said]:
    """Return what sources said, by item key, without items of which none said anything.

    ``names`` None means all sources that there are now. While the database is away, all are silent: no answer depends
    on them.
    """
    if names is not None and not names:
        return {}
    try:
        kept = opinions.said(project_key, item_keys)
    except SQLAlchemyError as error:
        LOG.warning("%s: the sources of others are silent, the database is away: %s", project_key, error)
        return {}
    return {key: said for key, by_source in kept.items() if (said := _said(by_source, names)) != SILENCE}


def with_said(
    opinions: SourceOpinions,
    names: Collection[str],
    project: ProjectKey,
    config: LabelConfig,
    tasks: Sequence[Mapping[str, Any]],
    found: Sequence[ItemFeatures | Entry],
) -> list[ItemFeatures | Entry]:
    """Return the entries of tasks; those that are features with what these sources said of their items."""
    if not names:
        return list(found)
    keys = [item_key(project.connection, reference_of(config, task, project)) for task in tasks]
    said = said_of(opinions, str(project), keys, names)
    return [
        replace(entry, said=said[key]) if isinstance(entry, ItemFeatures) and key in said else entry
        for key, entry in zip(keys, found, strict=True)
    ]


def _said(by_source: Mapping[str, Mapping[str, Any]], names: Collection[str] | None) -> Said:
    heard = {name: said for name, said in sorted(by_source.items()) if names is None or name in names}
    boxes = dict.fromkeys(Box(*box[1:]) for said in heard.values() for box in said.get("boxes", ()))
    return Said({name: said["labels"] for name, said in heard.items() if said.get("labels")}, tuple(boxes))
