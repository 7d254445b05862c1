from collections.abc import Iterator
from pathlib import Path

import pytest

import worker.workplace
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from model.features.cache import taken_apart
from model.features.folder import to_bytes
from tests.worker import label_studio
from tests.worker.label_studio import Encoders
from worker.training.corpus import assemble
from worker.training.watch import NeverEnds
from worker.workplace import Workplace, open_workplace

TASKS = 3


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Workplace, str]]:
    """A project whose tasks, all but the last, were read; nobody has labelled any."""
    monkeypatch.setattr(worker.workplace, "FeatureExtractor", Encoders)
    with label_studio.opened(tmp_path, TASKS) as studio:
        settings, key = label_studio.settings_of(tmp_path, studio), str(studio.key)
        with open_workplace(settings) as workplace:
            config = workplace.store.projects.ensure(key, studio.project.label_config).label_config
            tasks = [task.in_webhook() for task in studio.project.tasks.values()]
            workplace.store.tasks.upsert(key, tasks)
            workplace.encoder.features(ProjectKey.parse(key), LabelConfig.parse(config), tasks[:-1])
            yield workplace, key


def test_features_that_cannot_be_read_are_made_again_so_that_the_pool_stays_the_same(
    shop: tuple[Workplace, str],
) -> None:
    workplace, key = shop
    project = workplace.store.projects.get(key)
    assert project
    config = LabelConfig.parse(project.label_config)
    before = assemble(workplace, project, config, NeverEnds())
    assert len(before.task_ids) == TASKS - 1
    for file in list(workplace.settings.features_folder.rglob("*.safetensors")):
        cut = file.read_bytes()[: file.stat().st_size // 2]
        file.unlink()  # what `before` holds is mapped from it
        file.write_bytes(cut)
    after = assemble(workplace, project, config, NeverEnds())
    assert after.task_ids == before.task_ids
    for one, other in zip(before.features, after.features, strict=True):
        assert to_bytes(*taken_apart(one)) == to_bytes(*taken_apart(other))
