"""Whether a Label Studio has a project: one of the same number may have been made at another time."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.project import ProjectKey

LOG = logging.getLogger(__name__)


def project_there(client: LabelStudioClient, project: ProjectKey) -> Mapping[str, Any] | None:
    """Label Studio's project object; None when it has no such project (any more).

    Raises LabelStudioError when it does not say.
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
