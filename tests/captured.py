"""Requests as Label Studio 1.23.2 sent them."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "fixtures" / "label_studio"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def request(name: str) -> dict[str, Any]:
    """A captured request: method, path, headers, body, and what it was answered. ``name`` may be its number."""
    path = next(path for path in sorted(FOLDER.glob("*.json")) if path.stem.startswith(name))
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def body(name: str) -> dict[str, Any]:
    """The body of a captured request, a fresh copy."""
    found: dict[str, Any] = request(name)["body"]
    return found


CONFIG: str = body("02")["schema"]
"""Choices `elements` (multiple) and RectangleLabels `boxes`, both with the five usual labels."""
LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
PROJECT = "default/2.1795288797"
