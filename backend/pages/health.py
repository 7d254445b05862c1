"""Whether the parts answer on which Tagloom stands: Label Studio, the queue, the database, the disk, the encoders."""

import shutil
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from backend.pages.frame import Visit
from backend.pages.now import Now
from tagloom_base.errors import UserError

# Megabytes of free disk below which people are warned; with fewer than 500 `tagloom doctor` finds fault.
LITTLE_MB = 2_000


@dataclass(frozen=True)
class Part:
    """A part: the name of its text, whether it is well, and what is known or what to do."""

    name: str
    is_well: bool
    words: str


def health_of(visit: Visit, now: Now) -> list[Part]:
    """Return all parts, as the person may see them."""
    text, service, account = visit.text, visit.pages.service, visit.account
    url = visit.pages.accounts.connections[visit.person.connection].url
    parts = [Part("studio", not account.problem, account.problem or text("answers_at", place=url))]
    if now.workers is None:
        parts.append(Part("queue", False, text("queue_away")))
    else:
        words = text("workers", count=now.workers) if now.workers else text("no_worker")
        parts.append(Part("queue", now.workers > 0, words))
    trouble = _database_trouble(visit)
    parts.append(Part("database", not trouble, trouble or text("takes_writes")))
    free = shutil.disk_usage(service.settings.paths.home).free // 2**20
    words = text("free_disk", gigabytes=f"{free / 1024:.1f}")
    parts.append(Part("disk", free >= LITTLE_MB, words if free >= LITTLE_MB else f"{words} {text('free_disk_advice')}"))
    if not service.engine.done():
        parts.append(Part("encoders", True, text("encoders_load")))
    elif error := service.engine.exception():
        parts.append(Part("encoders", False, str(error)))
    else:
        parts.append(Part("encoders", True, text("encoders_loaded")))
    return parts


def _database_trouble(visit: Visit) -> str:
    """Return what keeps the database from taking writes; empty if nothing does."""
    try:
        visit.pages.service.store.require_writable()
    except UserError as error:
        return str(error)
    except OperationalError:
        return visit.text("database_locked")
    return ""
