from collections.abc import Iterator
from pathlib import Path

import pytest

from store.store import Store
from tests.databases import DATABASES, new_database


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_database(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database that no migration has seen."""
    with new_database(request.param, request, tmp_path, "template0") as made:
        yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()
