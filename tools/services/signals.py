"""Let SIGTERM and SIGHUP (a closed terminal) end a run as Ctrl-C does, with all that it started."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit(128 + signal) in the block. Without effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _exit) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGHUP in the block, so that a second Ctrl-C does not interrupt the end of the run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, *_ENDING)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> None:
    # Written past Python's buffers, which the signal may have interrupted.
    os.write(2, f"\nended by {signal.Signals(number).name}: stopping ...\n".encode())
    raise SystemExit(128 + number)
