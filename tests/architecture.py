"""Who may import whom, and what a file imports."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
GROUND = "tagloom_base"
ARROWS: dict[str, set[str]] = {
    GROUND: set(),
    "model": {GROUND},
    "labelstudio": {GROUND, "model.items", "model.features.item", "store.changes", "store.values"},
    "store": {GROUND},
    "sources": {GROUND},
    "worker": {GROUND, "store", "labelstudio", "model", "sources"},
    "backend": {GROUND, "store", "labelstudio", "model", "worker"},
    "tagloom": {GROUND, "store", "labelstudio", "model", "sources", "worker", "backend"},
}
CHECKOUT = {"tools", "testing", "bench", "tests"}


@cache
def imported(file: Path) -> tuple[str, ...]:
    """Dotted names of all that a file imports: ``from a import b`` is a.b, where b may be a module or not."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{file}: imports are written in full"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)
