"""Check whether a Label Studio still has a project; another project may have got the same number."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.project import ProjectKey

LOG = logging.getLogger(__name__)


def project_there(client: LabelStudioClient, project: ProjectKey) -> Mapping[str, Any] | None:
    """Return Label Studio's project object; None if Label Studio does not have the project, or no longer has it.

    Raises LabelStudioError when Label Studio does not answer the question.
    """
    try:
        there = client.project(project.id)
    except LabelStudioError as error:
        if error.is_missing:
            return None
        raise
    try:
        created = int(datetime.fromisoformat(str(there.get("created_at"))).timestamp())
    except (ValueError, OverflowError) as error:
        raise LabelStudioError(
            f"the project {project.id} at Label Studio has no readable created_at; use its release 1.23.2"
        ) from error
    if created != project.created:
        LOG.warning(
            "%s: at %s that number belongs to another project, made at another time: check LABEL_STUDIO_URL",
            project,
            client.connection.url,
        )
        return None
    return there
