"""Serve an ASGI app by uvicorn in a thread."""

import threading
import time

import uvicorn
from starlette.applications import Starlette

from tools.services.ports import free_port


class ThreadedServer:
    """Serves one app on a free port of 127.0.0.1 until ``stop``."""

    def __init__(self, app: Starlette) -> None:
        self._port = free_port()
        self._server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=self._port, log_level="warning", lifespan="off")
        )
        self._thread = threading.Thread(target=self._server.run, name="simulated-label-studio", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, and return once requests are answered. RuntimeError when another process has taken the port."""
        self._thread.start()
        # uvicorn ends its thread when it cannot listen, and reports that in its log alone.
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"nothing can be served on {self.url}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End the thread. Open requests are dropped."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()
