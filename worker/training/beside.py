"""Processes that a work horse starts for a training, and that end with it, however it ends."""

import os
import signal
import subprocess
import sys
import threading
import time

# Seconds between two looks at the other process.
LOOK_S = 0.1
# With these signals a service manager or a terminal asks all processes of a group to end.
ASKED = (signal.SIGTERM, signal.SIGINT)


def start(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start ``python -m module arguments``, which calls ``end_with`` first of all."""
    # It is in the work horse's process group, so that a kill of the group ends it too. Requests to end are for the work
    # horse alone, which decides when the training ends. It inherits this thread's blocked signals, so that it ignores
    # such requests from its first moment on.
    mine = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)
    try:
        return subprocess.Popen([sys.executable, "-m", module, *arguments])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mine)


def end_with(work_horse: int) -> None:
    """Let this process end as soon as its parent, the work horse, has ended."""

    def look() -> None:
        # The parent process changes when the work horse has ended.
        while os.getppid() == work_horse:
            time.sleep(LOOK_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
