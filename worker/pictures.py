"""Tell of pictures that cannot be had: once in the log, and as sentences for /status, the doctor and commands."""

import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from labelstudio.config import LabelConfig
from labelstudio.tasks import ItemReference
from store.database import Database
from store.pictures import UnreadPictures
from store.projects import Project
from store.store import Store

LOG = logging.getLogger(__name__)

# Most reasons that are logged at once, or picture_lines of one project.
MOST = 10
# A line with one of these words asks the operator for a change.
_TO_CHANGE = ("TAGLOOM_", "LABEL_STUDIO_", "Cloud Storage")


def note_unread(store: Store, project_key: str, reasons: Mapping[int, str]) -> None:
    """Record why the pictures of tasks could not be read, by task id, and log each reason that is new to the project.

    A reason names a host or a folder, not a task, so a setting that is missing makes one line a host.
    """
    new = store.pictures.note(project_key, reasons)
    for reason in new[:MOST]:
        LOG.warning("%s: pictures cannot be read: %s", project_key, reason)
    if len(new) > MOST:
        LOG.warning("%s: pictures cannot be read for %d further reasons", project_key, len(new) - MOST)


def try_again_soon(database_url: str) -> None:
    """Make unread pictures due at once: a worker starts, perhaps with other settings than the last one.

    No connection stays open, since RQ's worker forks afterwards. Raises UserError for a database that cannot be opened.
    """
    database = Database(database_url)
    try:
        UnreadPictures(database).hasten()
    except SQLAlchemyError as error:
        LOG.warning("unread pictures are tried again later: %s", error)
    finally:
        database.close()


def picture_lines(store: Store, project: Project) -> list[str]:
    """Return one sentence for each reason why pictures of a project are missing or stand in an unexpected place."""
    reasons = store.pictures.reasons(project.key)
    lines = [f"{counted(count)} without picture: {reason}" for reason, count in list(reasons.items())[:MOST]]
    if left := sum(list(reasons.values())[MOST:]):
        lines.append(f"{counted(left)} without picture for other reasons: the log has them")
    if project.unread_gold:
        lines.append(
            f"the last training left out {counted(project.unread_gold)} with gold, or used their texts alone, because "
            "the pictures could not be read; it is repeated when they are"
        )
    return lines + [f"{counted(count)}: {note}" for note, count in sorted(project.address_notes.items())]


def asks_for_change(line: str) -> bool:
    """Return whether a line of `picture_lines` names a setting, or a storage, that the operator can put right."""
    return any(word in line for word in _TO_CHANGE)


def place_note(config: LabelConfig, reference: ItemReference) -> str:
    """Return a note about a picture whose address stands under another key than the config's; else an empty text."""
    if not reference.found_under:
        return ""
    return (
        f"the picture's address stands under {reference.found_under!r} and is read there, but Label Studio shows "
        f"{config.image_key!r}: put <Image> first in the labelling config before you import, or import a task file "
        "(docs/connect.md)"
    )


def counted(count: int) -> str:
    """Return a number of tasks in words."""
    return "1 task" if count == 1 else f"{count} tasks"
