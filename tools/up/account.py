"""The Label Studio account that ``tagloom up`` creates once and stores in its home folder."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from tagloom_base.errors import UserError


@dataclass(frozen=True)
class Account:
    """User, password and API token of the local Label Studio."""

    email: str
    password: str
    token: str

    @classmethod
    def of(cls, home: Path) -> "Account":
        """Return the account stored in ``home``, created at the first call. UserError when its file is broken."""
        path = home / "label-studio-account.json"
        if not path.exists():
            account = cls("annotator@tagloom.example", secrets.token_urlsafe(9), secrets.token_hex(20))
            path.parent.mkdir(parents=True, exist_ok=True)
            # Only the owner may read the file, because it holds a password.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(json.dumps(asdict(account)))
            return account
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as broken:
            raise UserError(f"{path} is broken ({broken}): restore it, or remove {home} to start anew") from broken
