"""What the encoding leaves behind for trainings and answers."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest

import model.boxes.model
import worker.workplace
from labelstudio.config import LabelConfig
from model import checkpoint
from model.boxes import described
from model.boxes.described import RECENT, Descriptions
from tests.backend.parts import SPACE
from tests.worker import label_studio
from tests.worker.label_studio import Encoders
from worker import queue
from worker.encoding import encode
from worker.training.cold_start import ensure_cold_start
from worker.training.watch import Watch
from worker.workplace import Workplace, open_workplace

TASKS = 3


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Workplace, str, LabelConfig]]:
    """A project with tasks that nobody has read yet."""
    monkeypatch.setattr(worker.workplace, "FeatureExtractor", Encoders)
    monkeypatch.setattr(RECENT, "_kept", OrderedDict())  # other tests may have described the same
    with label_studio.opened(tmp_path, TASKS) as studio:
        settings, key = label_studio.settings_of(tmp_path, studio), str(studio.key)
        with open_workplace(settings) as workplace:
            workplace.store.projects.ensure(key, studio.project.label_config)
            workplace.store.tasks.upsert(key, [task.in_webhook() for task in studio.project.tasks.values()])
            yield workplace, key, LabelConfig.parse(studio.project.label_config)


def test_what_was_read_is_described_for_the_version_that_serves(
    shop: tuple[Workplace, str, LabelConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace, key, config = shop
    project = workplace.store.projects.get(key)
    lease = workplace.store.leases.acquire("test", "test", 60)
    assert project is not None
    assert lease is not None
    with Watch(workplace.store, lease, queue.redis_of("redis://127.0.0.1:1/0"), lambda: None) as watch:
        assert encode(workplace, project, watch, lambda _: None).startswith(f"{TASKS} tasks encoded")

    settings = workplace.settings
    served = ensure_cold_start(settings, workplace.store, key, SPACE, config.labels, names=config.names)
    tagger = checkpoint.load(settings.checkpoints_folder / served.folder)
    files = list(workplace.settings.features_folder.rglob("*.safetensors"))
    items = [item for file in files if (item := workplace.cache.get(file.stem))]
    elsewhere = Descriptions()
    monkeypatch.setattr(model.boxes.model, "RECENT", elsewhere)
    monkeypatch.setattr(described, "candidates", _never)
    with elsewhere.kept_in(settings.descriptions_folder):
        assert any(prediction.boxes for prediction in tagger.predict(items))
    assert len(items) == TASKS


def _never(_: object) -> None:
    raise AssertionError("a picture is described again")
