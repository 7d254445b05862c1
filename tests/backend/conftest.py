"""Fixtures of the backend's tests."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagloom_base import logs
from tests.backend.parts import Backend, running
from tests.labelstudio.studio import Studio


@pytest.fixture(scope="session", autouse=True)
def logging_as_in_production() -> None:
    """Structured logs through the standard library, where pytest collects them."""
    logs.configure()
    logging.getLogger().handlers.clear()


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A Label Studio that serves pictures."""
    with Studio() as made:
        yield made


@pytest.fixture
def backend(tmp_path: Path, studio: Studio) -> Iterator[Backend]:
    """A backend that is connected to it."""
    with running(tmp_path / "home", label_studio_url=studio.url, label_studio_token=studio.token) as made:
        yield made
