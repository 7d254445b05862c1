"""Run the backend under uvicorn, without its access log (URLs contain secrets) and without its server header."""

import sys

import uvicorn

from backend.app import create_app
from backend.running import require_startable, warn_of_missing
from tagloom_base import logs, memory
from tagloom_base.running import note_backend
from tagloom_base.settings import Settings

KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 20
# Seconds after which Python switches between threads, a tenth of its default. During one answer it switches to a
# computing thread and back some hundred times.
SWITCH_SECONDS = 0.0005


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises UserError for settings that cannot work."""
    logs.guard(settings.secrets)
    memory.give_back()
    sys.setswitchinterval(SWITCH_SECONDS)
    logs.configure(settings.work.log_json)
    require_startable(settings)

    def loaded(_: object) -> None:
        warn_of_missing(settings)

    note_backend(settings.paths.home.resolve())
    uvicorn.run(
        create_app(settings, settle=memory.settle, when_loaded=loaded),
        host=settings.access.host,
        port=settings.access.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Not uvloop, which accepts one connection in each turn: of many that come at once, the last ones wait for long.
        loop="asyncio",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
