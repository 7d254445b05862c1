"""Label Studio itself as a child process, with its database and pictures in the home folder."""

from pathlib import Path

import httpx

from tagloom_base.errors import UserError
from tools.services.child import Child
from tools.up.account import Account

# Migrations of the first start take 25 s on two idle cores.
START_SECONDS = 240.0


def label_studio(home: Path, port: int, account: Account) -> Child:
    """The process ``label-studio start``. Raises UserError when its environment has not been made."""
    program = Path.cwd() / ".venv-label-studio" / "bin" / "label-studio"
    if not program.exists():
        raise UserError(f"Label Studio's environment is missing ({program}): run `make label-studio`")
    command = [str(program), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    log = home / "logs" / "label-studio.log"
    return Child("Label Studio", command, log=log, environment=_environment(home, port, account))


def _environment(home: Path, port: int, account: Account) -> dict[str, str]:
    return {
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
        # A local tool reports to nobody.
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }


def answers(url: str) -> bool:
    """Whether Label Studio serves requests."""
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
