"""What docs/architecture.md says of who imports whom. Imports of types and within functions count too."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OF_THE_WORKER = {"worker.queue", "worker.timer", "worker.training.cold_start"}
LEAVES = {f"tagloom.{name}" for name in ("errors", "logs", "memory", "redaction", "settings", "values")}
CHECKED = "model.weak_supervision.lexicon.Lexicon"  # a setting names a file of its form
ARROWS: dict[str, set[str]] = {
    "model": set(),
    "samples": set(),
    "labelstudio": {"model.items", "model.features.item"} | LEAVES,
    "store": LEAVES,
    "worker": {"store", "labelstudio", "model"} | LEAVES,
    "backend": {"store", "labelstudio", "model"} | OF_THE_WORKER | LEAVES,
}
TOOLS = {"model/encoders/drawings.py", "model/encoders/pretrain_image.py", "model/encoders/pretrain_text.py"}
MUST_NOT_KNOW = {
    "model": {"fastapi", "starlette", "uvicorn", "httpx", "httpcore", "redis", "rq", "sqlalchemy", "label_studio_sdk"},
    "labelstudio": {"sqlalchemy", "redis", "rq", "torch"},
    "store": {"fastapi", "starlette", "httpx", "httpcore", "torch"},
    "worker": {"fastapi", "starlette", "uvicorn"},
    "backend": {"redis", "rq", "model.training"},
}
OURS = {*ARROWS, "tagloom", "bench", "tests"}


def imported(file: Path) -> Iterator[str]:
    """Dotted names of all that a file imports: ``from a import b`` is a.b, where b may be a module or not."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{file}: imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports_of(package: str) -> list[tuple[str, str]]:
    """(file, imported name) of a package, without what its own tools import."""
    files = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / package).rglob("*.py"))}
    assert files
    return [(name, found) for name, path in files.items() if name not in TOOLS for found in imported(path)]


@pytest.mark.parametrize("package", sorted(ARROWS))
def test_packages_import_along_the_arrows(package: str) -> None:
    others = OURS - {package}
    against = [
        (file, name)
        for file, name in imports_of(package)
        if is_within(name, others) and not is_within(name, ARROWS[package])
    ]
    assert against == []


@pytest.mark.parametrize("package", sorted(MUST_NOT_KNOW))
def test_packages_do_not_know_what_they_must_not(package: str) -> None:
    assert [(file, name) for file, name in imports_of(package) if is_within(name, MUST_NOT_KNOW[package])] == []


def test_leaves_import_only_leaves_and_tools_are_imported_by_tools_alone() -> None:
    leaves = [ROOT / f"{name.replace('.', '/')}.py" for name in LEAVES]
    ours = [
        (leaf.name, name)
        for leaf in leaves
        for name in imported(leaf)
        if is_within(name, OURS) and not is_within(name, LEAVES)
    ]
    assert [entry for entry in ours if entry != ("settings.py", CHECKED)] == []
    tools = {name.removesuffix(".py").replace("/", ".") for name in TOOLS}
    users = [(file, name) for package in [*ARROWS, "tagloom"] for file, name in imports_of(package)]
    assert [(file, name) for file, name in users if is_within(name, tools)] == []
