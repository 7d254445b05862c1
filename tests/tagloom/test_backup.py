"""A backup that is made while others write, restored into another folder, answers the same; so does an upgraded one."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labelstudio.changes import change_of
from store.database import Database
from tagloom.backup import Part, back_up
from tagloom.cli import main
from tagloom_base.errors import UserError
from tagloom_base.groups import PathSettings
from tagloom_base.settings import Settings
from testing.waiting import until
from tests import captured
from tests.architecture import ROOT
from tests.backend.parts import Backend, running
from tests.backend.questions import question, ready
from tests.backend.swaps import next_version, wait_for
from tests.labelstudio.studio import Studio
from tests.store import webhooks
from tests.store.upgrades import turn_old
from worker.place import Place

KEY = captured.PROJECT


@pytest.fixture
def studio() -> Iterator[Studio]:
    with Studio() as made:
        yield made


@contextmanager
def opened(home: Path, studio: Studio) -> Iterator[Backend]:
    with running(home, label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        backend.service.engine.result(20)
        yield backend


def answers(backend: Backend) -> Any:
    """What tasks are answered, and by which version; all versions with their reasons; what the gold is."""
    answer = backend.client.post("/predict", json=question(4))
    assert answer.status_code == 200
    return answer.json(), backend.store.versions.list(KEY)


class Writer:
    """Submits one annotation after the other while its block runs."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written = 0

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def is_past(self, count: int) -> bool:
        return self.written > count

    def _run(self) -> None:
        while not self._stop.is_set():
            number = self.written + 1
            change = change_of(KEY, webhooks.saved(webhooks.annotation(number, number, 1), 1))
            self._backend.store.journal.record(change, timeout=20)
            self.written = number


def gold(backend: Backend) -> int:
    return sum(len(one) for one in backend.store.annotations.of_project(KEY).values())


@pytest.fixture
def saved(tmp_path: Path, studio: Studio) -> Any:
    """A backup that was made while annotations arrived, and what its backend answered."""
    folder = tmp_path / "backup"
    with opened(tmp_path / "home", studio) as backend:
        ready(backend)
        Place.of(backend.settings.paths)
        for seed in (1, 2):
            wait_for(next_version(backend, seed), backend)
        with Writer(backend) as writer:
            for _ in range(3):
                before = writer.written
                until(partial(writer.is_past, before + 2), seconds=20)
                before = writer.written
                assert [part.name for part in back_up(backend.settings.paths, folder)] == ["database", "checkpoints"]
        return folder, answers(backend), before, writer.written


def restore(folder: Path, home: Path) -> None:
    """As docs/backup.md says."""
    shutil.copytree(folder, home)


def test_a_restored_backup_answers_the_same(saved: Any, tmp_path: Path, studio: Studio) -> None:
    folder, before, at_least, at_most = saved
    assert {path.name for path in folder.iterdir()} == {"tagloom.db", "checkpoints", "identity"}, "nothing half written"
    assert folder.stat().st_mode & 0o077 == 0, "it holds annotations"
    restore(folder, tmp_path / "restored")
    with opened(tmp_path / "restored", studio) as backend:
        assert answers(backend) == before
        assert at_least <= gold(backend) <= at_most
        assert backend.store.projects.waiting_for_reconcile(0.0) == [KEY], "what came after the backup is fetched"
        original = Settings(home=tmp_path / "home").paths
        assert Place.of(backend.settings.paths).store == Place.of(original).store


@pytest.mark.parametrize("revision", ["0005", "0008"])
def test_a_restored_backup_of_an_earlier_release_is_upgraded(
    revision: str, saved: Any, tmp_path: Path, studio: Studio
) -> None:
    folder, before, at_least, _ = saved
    restore(folder, tmp_path / "restored")
    turn_old(f"sqlite:///{tmp_path / 'restored' / 'tagloom.db'}", revision)
    with opened(tmp_path / "restored", studio) as backend:
        (answered, versions), (expected, known) = answers(backend), before
        assert answered == expected
        assert [(one.version, one.state) for one in versions] == [(one.version, one.state) for one in known]
        assert gold(backend) >= at_least


def test_the_next_backup_copies_what_is_new_and_drops_what_is_gone(saved: Any, tmp_path: Path) -> None:
    folder, *_ = saved
    paths = Settings(home=tmp_path / "home").paths
    checkpoints = sorted(path.parent for path in paths.checkpoints.rglob("manifest.json"))
    shutil.rmtree(checkpoints[0])
    (checkpoints[1].parent / f".{checkpoints[1].name}.part").mkdir()
    (checkpoints[1].parent / f".{checkpoints[1].name}.part" / "model.safetensors").touch()
    times = {path: path.stat().st_mtime_ns for path in (folder / "checkpoints").rglob("*.safetensors")}
    said = list(back_up(paths, folder))
    assert said[1].text.startswith("0 files new, ")
    kept = {path.parent.name for path in (folder / "checkpoints").rglob("manifest.json")}
    assert kept == {path.name for path in checkpoints[1:]}
    assert all(path.stat().st_mtime_ns == times[path] for path in (folder / "checkpoints").rglob("*.safetensors"))


def test_a_damaged_database_does_not_replace_a_good_copy(saved: Any, tmp_path: Path) -> None:
    folder, *_ = saved
    good = (folder / "tagloom.db").read_bytes()
    database = tmp_path / "home" / "tagloom.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(database.read_bytes())
    content[8192 : len(content) // 2] = bytes(len(content) // 2 - 8192)
    database.write_bytes(content)
    with pytest.raises(UserError, match="not complete"):
        list(back_up(Settings(home=tmp_path / "home").paths, folder))
    assert (folder / "tagloom.db").read_bytes() == good


def test_what_cannot_be_backed_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAGLOOM_DATABASE_URL", raising=False)
    result = CliRunner().invoke(main, ["backup", str(tmp_path / "copy")])
    assert result.exit_code == 1
    assert "is no home of Tagloom" in result.output
    assert (
        "choose a folder on another disk" in CliRunner().invoke(main, ["backup", str(tmp_path / "home" / "b")]).output
    )
    assert not (tmp_path / "copy").exists()


def test_a_database_may_be_named_from_the_folder_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=tmp_path / "home", database_url="sqlite:///own.db")
    Database(settings.paths.database).close()
    list(back_up(settings.paths, tmp_path / "copy"))
    assert (tmp_path / "copy" / "tagloom.db").stat().st_size > 0


@pytest.mark.parametrize("is_empty", [False, True])
def test_a_folder_that_is_missing_takes_nothing_from_the_backup(tmp_path: Path, is_empty: bool) -> None:
    """Such as a link to another disk that is gone for the moment, or that disk's empty mount point."""
    paths, copy = Settings(home=tmp_path / "home").paths, tmp_path / "copy"
    Database(paths.database).close()
    version = Path("default/2.1/v1.abcd/tagger.safetensors")
    (paths.checkpoints / version).parent.mkdir(parents=True)
    (paths.checkpoints / version).write_bytes(b"weights")
    list(back_up(paths, copy))
    paths.checkpoints.rename(tmp_path / "elsewhere")
    if is_empty:
        paths.checkpoints.mkdir()
    assert Part("checkpoints", "none there, so the copies of before stay") in list(back_up(paths, copy))
    assert (copy / "checkpoints" / version).read_bytes() == b"weights"


def test_the_page_says_of_each_folder_of_a_home_what_it_holds() -> None:
    page = (ROOT / "docs" / "backup.md").read_text("utf-8")
    paths = PathSettings(home=Path("home"))
    found = [getattr(paths, name) for name, kind in vars(PathSettings).items() if isinstance(kind, property)]
    folders = [path.name for path in found if isinstance(path, Path)]
    assert len(folders) >= 8
    for folder in folders:
        assert f"\n| `{folder}/` |" in page, folder
