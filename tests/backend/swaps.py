"""Making a version CURRENT, and waiting until it serves."""

from testing.waiting import until
from tests import captured
from tests.backend.parts import Backend, cold, publish

KEY = captured.PROJECT


def wait_for(version: str, backend: Backend) -> None:
    """Wait until the backend answers with this version of the project."""

    def serves() -> bool:
        served = backend.service.engine.result().shelf.peek(KEY)
        return served is not None and served.version == version

    until(serves, seconds=20, every=0.005)


def next_version(backend: Backend, seed: int) -> str:
    """Make a tagger of this seed CURRENT; return its version."""
    current = backend.store.versions.current(KEY)
    assert current is not None
    number = backend.store.versions.reserve(KEY)
    tagger = cold(current.labels, seed)
    return publish(backend.settings, backend.store, KEY, tagger, number, current.generation).version
