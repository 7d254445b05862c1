"""Choose the industry keys of a project when several connections of one Label Studio request different ones.

/setup does not say which connection it comes from. A change of the keys changes the text of every item and makes a
training due. Two connections with different keys that call in turn must not cause that with each request.
"""

import threading

import structlog

from labelstudio.kept import Kept
from tagloom_base import clock

LOG = structlog.stdlib.get_logger(__name__)

MOST = 10_000  # projects that are remembered
CHARACTERS = 1_000_000  # most characters of their keys
# Seconds after their last request for which keys count as in use.
ALIVE_S = 600.0

Keys = tuple[str, ...]


class AskedKeys:
    """The industry keys that each project was requested with, and the times of the requests.

    New keys apply at once. Keys that they have replaced are not accepted again while the new ones are in use.
    """

    def __init__(self) -> None:
        self._requested: Kept[str, dict[Keys, float]] = Kept(MOST, CHARACTERS)
        self._warned: Kept[str, bool] = Kept(MOST, MOST)
        self._lock = threading.Lock()

    def chosen(self, project: str, held: Keys, asked: Keys) -> Keys:
        """Return the keys that apply from now on: ``held`` apply now, ``asked`` are requested."""
        now = clock.monotonic()
        with self._lock:
            alive = {keys: at for keys, at in (self._requested.get(project) or {}).items() if now - at < ALIVE_S}
            # Both sets of keys are in use, so this request comes from another connection than the one that set them.
            is_rival = asked != held and asked in alive and held in alive
            alive[asked] = now
            self._requested.put(project, alive, sum(len(key) + 1 for keys in alive for key in keys) + 1)
        if not is_rival:
            return asked
        if not self._warned.get(project):
            self._warned.put(project, True, 1)
            LOG.warning(
                "two connections of the project ask for different industry keys: give both the same extra params",
                project=project,
                kept=held,
                passed_over=asked,
            )
        return held
