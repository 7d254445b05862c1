"""What commands say to people and to programs, compared with files (`snapshot.py`), on a home with one project."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import worker.workplace
from tagloom.cli import main
from tagloom.command import Reporting
from tagloom_base.running import settings_in
from tagloom_base.settings import Settings
from tests.tagloom import snapshot
from tests.tagloom.documents import KEYS, commands
from tests.tagloom.store_of import KEY, filled
from tests.worker import shop

COMMANDS: dict[str, tuple[str, ...]] = {
    "status": (),
    "status-of-one": ("status", "shop"),
    "versions": (),
    "promote": ("promote", "v1", "--project", "shop"),
    "rollback": ("rollback", "--project", "2"),
    "forget": ("forget", KEY, "--dry-run"),
    "backup": ("backup", "{folder}/copy"),
    "encoders": ("encoders",),
    "train": ("train", "shop"),
    "reconcile": ("reconcile", "2"),
    "export": ("export", "shop", "--format", "csv", "--out", "{folder}/labels.csv"),
    "export-of-nothing": ("export", "empty", "--out", "{folder}/labels.json"),
    "unknown-project": ("status", "Coats"),
    "wrong-use": ("export", "shop", "--format", "xml"),
    "down": ("down",),
}
"""Snapshot → words; without words the snapshot's name is the command."""

CODES = {"export-of-nothing": 1, "rollback": 1, "unknown-project": 1, "wrong-use": 2}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if settings_in({name: ""})]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    monkeypatch.setattr("model.encoders.auto.is_here", lambda _part, name: name in ("efficientnet-lite0", "shipped"))
    folder = tmp_path / "home"
    variables = {"TAGLOOM_HOME": folder, "REDIS_URL": "redis://127.0.0.1:1/0", "TAGLOOM_PORT": 1}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("TAGLOOM_TRAINING_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    store = filled(Settings())
    store.projects.ensure("default/3.1795288798", shop.CONFIG, "empty")
    yield tmp_path
    store.close()


def run(folder: Path, name: str, *more: str) -> Result:
    words = COMMANDS[name] or (name,)
    return CliRunner().invoke(main, [word.replace("{folder}", str(folder)) for word in (*words, *more)])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_what_people_read(home: Path, name: str) -> None:
    done = run(home, name)
    assert done.exit_code == CODES.get(name, 0), done.output
    snapshot.check(f"{name}.txt", f"{done.stdout}--- stderr\n{done.stderr}", home)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_what_programs_read(home: Path, name: str) -> None:
    done = run(home, name, "--json")
    assert done.exit_code == CODES.get(name, 0), done.output
    document = json.loads(done.stdout)
    assert set(document) == KEYS.get((COMMANDS[name] or (name,))[0] if not done.exit_code else "", {"error"})
    # The id of the database is random, and each forget gives other sizes.
    told = done.stdout.replace(str(document.get("database")), "IDENTITY") if "database" in document else done.stdout
    snapshot.check(f"{name}.json", told, home)


SILENT = {"knowledge", "completion", "serve", "up"}
"""Commands without --json: one prints a script, the others run until they are stopped."""


def test_every_command_that_reports_has_json() -> None:
    found = dict(commands(main))
    assert {name for name, command in found.items() if not isinstance(command, Reporting)} == SILENT


def test_no_snapshot_is_left_over() -> None:
    assert {file.stem for file in snapshot.FOLDER.iterdir()} == set(COMMANDS)
