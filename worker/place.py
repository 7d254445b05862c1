"""The place of a process: its database and its folder TAGLOOM_HOME. A job belongs to the place that queued it.

A worker with another TAGLOOM_HOME or database than the backend's would find nothing to do for a project, and report
success. Paths cannot tell two places apart: a folder may be mounted at several paths, and two machines may have
different folders at the same path. So database and folder each have a random name.
"""

import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from store.database import Database
from tagloom_base.errors import UserError
from tagloom_base.groups import PathSettings
from tagloom_base.values import without_password

LOG = logging.getLogger(__name__)

FILE = "identity"


@dataclass(frozen=True)
class Place:
    """Random names of a database and a folder; ``home`` is empty if it could not be stored. ``shown`` is for people."""

    store: str
    home: str
    shown: str

    @classmethod
    def of(cls, paths: PathSettings) -> "Place":
        """Return the place of these settings; UserError or SQLAlchemyError when its database cannot be opened."""
        return _place(paths.database, paths.home.resolve())

    @classmethod
    def read(cls, noted: object) -> "Place | None":
        """Return the place from its entry in Redis; None for an entry of an earlier release."""
        if not isinstance(noted, Mapping) or not all(isinstance(noted.get(name), str) for name in asdict(_NOWHERE)):
            return None
        return cls(noted["store"], noted["home"], noted["shown"])

    def note(self) -> dict[str, str]:
        """Return the entry for Redis."""
        return asdict(self)

    def require(self, asker: "Place | None", what: str) -> None:
        """Raise UserError when ``asker``, the place that asked for ``what``, is another one. An unknown one passes."""
        if asker is None or (asker.store == self.store and (asker.home == self.home or not (asker.home and self.home))):
            return
        raise UserError(
            f"{what} is of {asker.shown}, but this process works on {self.shown}: give it the backend's TAGLOOM_HOME "
            "and TAGLOOM_DATABASE_URL, or each its own TAGLOOM_QUEUE"
        )


_NOWHERE = Place("", "", "")


@lru_cache(maxsize=8)
def _place(url: str, home: Path) -> Place:
    database = Database(url)
    try:
        store = database.identity()
    finally:
        database.close()
    return Place(store, _name_of(home), f"{home} with {without_password(url)} on {os.uname().nodename}")


def _name_of(home: Path) -> str:
    """Return the folder's random name, and make one if it has none; processes that do so at once get the same name."""
    file = home / FILE
    try:
        if not file.exists():
            beside = home / f".{FILE}-{uuid.uuid4().hex}"
            try:
                home.mkdir(parents=True, exist_ok=True)
                beside.write_text(uuid.uuid4().hex)
                os.link(beside, file)
            except FileExistsError:
                pass
            finally:
                beside.unlink(missing_ok=True)
        return file.read_text().strip()
    except OSError as error:
        LOG.warning("%s can't keep a name (%s): workers with another folder are not recognised", home, error)
        return ""
