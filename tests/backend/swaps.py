"""Making a version CURRENT, and waiting until it serves."""

import time

from tests import captured
from tests.backend.parts import Backend, cold, publish

KEY = captured.PROJECT


def wait_for(version: str, backend: Backend) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        served = backend.service.engine.result().shelf.peek(KEY)
        if served is not None and served.version == version:
            return
        time.sleep(0.005)
    raise AssertionError(f"{version} never served")


def next_version(backend: Backend, seed: int) -> str:
    current = backend.store.versions.current(KEY)
    assert current is not None
    number = backend.store.versions.reserve(KEY)
    tagger = cold(current.labels, seed)
    return publish(backend.settings, backend.store, KEY, tagger, number, current.generation).version
