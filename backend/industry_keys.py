"""Which industry keys hold for a project that several connections of one Label Studio may ask for.

/setup does not say which connection it comes from. Each change makes all items look different, and a training due: two
connections that ask in turn for different keys must not do that with each of their requests.
"""

import threading
import time

import structlog

from labelstudio.kept import Kept

LOG = structlog.stdlib.get_logger(__name__)

MOST = 10_000  # projects that are remembered
CHARACTERS = 1_000_000  # of their keys
ALIVE_S = 600.0  # after the last request for them, keys count as asked for no more

Keys = tuple[str, ...]


class AskedKeys:
    """When each project was asked which keys for. Keys that others have replaced do not come back while those live."""

    def __init__(self) -> None:
        self._asked: Kept[str, dict[Keys, float]] = Kept(MOST, CHARACTERS)
        self._told: Kept[str, bool] = Kept(MOST, MOST)
        self._lock = threading.Lock()

    def chosen(self, project: str, held: Keys, asked: Keys) -> Keys:
        """The keys that hold from now on, where ``held`` do now and ``asked`` are asked for."""
        now = time.monotonic()
        with self._lock:
            alive = {keys: at for keys, at in (self._asked.get(project) or {}).items() if now - at < ALIVE_S}
            is_rival = asked != held and asked in alive and held in alive
            alive[asked] = now
            self._asked.put(project, alive, sum(len(key) + 1 for keys in alive for key in keys) + 1)
        if not is_rival:
            return asked
        if not self._told.get(project):
            self._told.put(project, True, 1)
            LOG.warning(
                "two connections of the project ask for different industry keys: give both the same extra params",
                project=project,
                kept=held,
                passed_over=asked,
            )
        return held
