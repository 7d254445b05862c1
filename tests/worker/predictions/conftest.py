from collections.abc import Iterator
from pathlib import Path

import pytest

import worker.workplace
from testing.label_studio.writable import WritableLabelStudio
from tests.worker import label_studio
from tests.worker.label_studio import Encoders


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableLabelStudio]:
    """A simulated Label Studio that can be written to; workplaces have its encoders."""
    monkeypatch.setattr(worker.workplace, "open_extractor", Encoders)
    with label_studio.opened(tmp_path) as opened:
        yield opened
