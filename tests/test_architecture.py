"""What docs/architecture.md says of who imports whom. Imports of types and within functions count too."""

from collections import defaultdict

import pytest

from tests.architecture import ARROWS, CHECKOUT, ROOT, imported

MUST_NOT_KNOW = {
    "model": {"fastapi", "starlette", "uvicorn", "httpx", "httpcore", "redis", "rq", "sqlalchemy", "label_studio_sdk"},
    "labelstudio": {"sqlalchemy", "redis", "rq", "torch"},
    "store": {"fastapi", "starlette", "httpx", "httpcore", "torch"},
    "sources": {"fastapi", "starlette", "redis", "rq", "sqlalchemy", "torch"},
    "worker": {"fastapi", "starlette", "uvicorn"},
    "backend": {"redis", "rq", "model.training"},
}
OURS = {*ARROWS, *CHECKOUT}


def is_within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports_of(package: str) -> list[tuple[str, str]]:
    """(file, imported name) of all files of a package."""
    files = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / package).rglob("*.py"))}
    assert files
    return [(name, found) for name, path in files.items() for found in imported(path)]


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


def test_no_two_folders_import_each_other() -> None:
    files = [path for package in ARROWS for path in (ROOT / package).rglob("*.py")]
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in files}
    edges: dict[str, set[str]] = defaultdict(set)
    for package in ARROWS:
        for file, name in imports_of(package):
            here = file.rpartition("/")[0].replace("/", ".")
            # The deepest folder that the name lies in: a.b.c is a module c of a.b, or a name in the folder a.b.c.
            there = max((folder for folder in folders if is_within(name, {folder})), key=len, default="")
            if there and there != here:
                edges[here].add(there)
    circles = {
        tuple(sorted((one, other)))
        for one, others in edges.items()
        for other in others
        if one in edges.get(other, ()) and not is_within(one, {other}) and not is_within(other, {one})
    }
    assert circles == set()


@pytest.mark.parametrize("folder", sorted(CHECKOUT))
def test_no_module_imports_a_test_module(folder: str) -> None:
    """What tests share lies in a support module beside them: a test module can then change or move alone."""
    parts = [(file, name.split(".")) for file, name in imports_of(folder) if is_within(name, {"tests"})]
    assert [(file, ".".join(part)) for file, part in parts if any(one.startswith("test_") for one in part[:-1])] == []


def test_what_tests_and_benches_share_imports_neither() -> None:
    assert [(file, name) for file, name in imports_of("testing") if is_within(name, {"tests", "bench"})] == []
