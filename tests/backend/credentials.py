"""Secrets and headers of a backend that is not open."""

import base64

from pydantic import SecretStr

OLD, NEW = "old-secret-0123456789", "new-secret-0123456789"


def secrets(*texts: str) -> tuple[SecretStr, ...]:
    return tuple(SecretStr(text) for text in texts)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
