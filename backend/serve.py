"""Runs the backend under uvicorn, with what belongs to its safety: no access log of uvicorn's, no server header."""

import uvicorn

from backend.app import create_app
from tagloom import logs, memory
from tagloom.settings import Settings

KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 20


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. UserError when the settings cannot work."""
    logs.guard(settings.secrets)
    memory.give_back()
    logs.configure(settings.log_json)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
