"""Label Studio itself as a child process, with its database and pictures in the home folder."""

from collections.abc import Callable
from pathlib import Path

import httpx

from tagloom_base import clock
from tagloom_base.errors import UserError
from tools.services.child import Child
from tools.up.account import Account

# Migrations of the first start take 25 s on two idle cores, 90 s on busy ones.
START_SECONDS = 240.0
TELL_SECONDS = 15.0


def label_studio(home: Path, port: int, account: Account) -> Child:
    """Return the process ``label-studio start``. UserError when its virtual environment does not exist."""
    program = Path.cwd() / ".venv-label-studio" / "bin" / "label-studio"
    if not program.exists():
        raise UserError(f"Label Studio's environment is missing ({program}): run `make label-studio`")
    command = [str(program), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    log = home / "logs" / "label-studio.log"
    environment = {
        # Not as arguments: every user of the machine can read those.
        "LABEL_STUDIO_USERNAME": account.email,
        "LABEL_STUDIO_PASSWORD": account.password,
        "LABEL_STUDIO_USER_TOKEN": account.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_BASE_DATA_DIR": str(home / "label-studio"),
        "HOST": f"http://127.0.0.1:{port}",
        # Label Studio refuses a backend on a private address unless both are off.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        # A local tool must not send reports to anybody.
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    return Child("Label Studio", command, log=log, environment=environment)


class Waiting:
    """Whether Label Studio answers at ``url``, as a call; says every TELL_SECONDS how long it has not."""

    def __init__(self, url: str, say: Callable[[str], None]) -> None:
        self._url, self._say = url, say
        self._began = self._told = clock.monotonic()

    def __call__(self) -> bool:
        if answers(self._url):
            return True
        at = clock.monotonic()
        if at - self._told >= TELL_SECONDS:
            self._told = at
            self._say(f"  Label Studio prepares its database: {at - self._began:.0f} s ...")
        return False


def answers(url: str) -> bool:
    """Return whether Label Studio answers requests."""
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
