"""The command line: help at once, one line for a user's mistake, and operators' commands on a real store."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from store.leases import lease_name
from store.store import Store
from store.versions import NewVersion
from tagloom.cli import Commands, main
from tagloom_base.running import Mark
from tagloom_base.settings import Settings
from tests.architecture import ROOT
from tests.databases import open_folder, shut
from tools.services.record import FILE, Entries

KEY = "default/2.1795288797"
OTHER, THIRD = "default/3.1795288798", "other/2.1795288799"
LABELS = ("主体", "LOGO")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path))
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("TAGLOOM_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    store = Store.open(Settings(home=home).paths.database)
    yield store
    store.close()


def new_version(number: int, phase: str = "refine") -> NewVersion:
    figures = {"macro_f1": 0.5 + number / 10, "difference": 0.1, "lower_bound": 0.02}
    return NewVersion(
        number, f"v{number}.abcd", f"v{number - 1}.abcd", f"folder{number}", phase, "space", LABELS,
        {"basis": "held-out", "items": 30 * number, **figures}, 10 * number, 10 * number, 5,
    )  # fmt: skip


@pytest.fixture
def three_versions(store: Store) -> Store:
    """A cold start and two promotions; the last one serves."""
    store.projects.ensure(KEY, "<View/>", "Samples")
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    current = store.versions.install(KEY, new_version(0, "cold start"), generation=0)
    for number in (1, 2):
        assert store.versions.reserve(KEY) == number
        store.versions.add(KEY, new_version(number), lease)
        current = store.versions.promote(KEY, number, lease, generation=current.generation, reason="better")
        time.sleep(0.01)
    store.leases.release(lease)
    return store


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_help_explains_each_command_at_once() -> None:
    begin = time.process_time()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tagloom.cli", "--help"], capture_output=True, text=True
    )
    assert time.process_time() - begin < 5
    for command in main.commands.values():
        assert command.help
    assert not {"torch", "sqlalchemy", "pydantic_settings", "httpx"} & {
        line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()
    }


def test_a_wrong_setting_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_PORT", "ninety")
    result = run("versions")
    assert result.exit_code == 1
    assert result.stderr.startswith("tagloom: TAGLOOM_PORT can't be used")
    assert len(result.stderr.splitlines()) == 1


def test_a_backend_whose_port_is_taken_says_so_before_it_loads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        monkeypatch.setenv("TAGLOOM_PORT", str(listener.getsockname()[1]))
        result = run("serve")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"tagloom: port {os.environ['TAGLOOM_PORT']} on 127.0.0.1 can't be used")
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_ends_without_a_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(url: str, makes: bool) -> Store:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "open", interrupted)
    result = run("versions")
    assert result.exit_code == 130
    assert result.stderr == "stopped\n"


def test_versions_are_listed_with_what_became_of_them(home: Path, three_versions: Store) -> None:
    result = run("versions")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == f"{KEY} Samples"
    assert [line.split()[:2] for line in lines[2:]] == [
        ["v2.abcd", "current"], ["v1.abcd", "superseded"], ["v0.abcd", "superseded"],
    ]  # fmt: skip
    assert "0.700 60 held-out +0.100 (at least +0.020) to v1.abcd" in lines[2]
    assert lines[2].endswith("better")
    assert "- 30 held-out, too few -" in lines[3], "a figure of 30 items would mislead"
    assert "0.6" not in lines[3]
    assert lines[4].split()[4:8] == ["0", "5", "-", "-"]
    assert result.stderr == f"in {home}\n"


def test_rollback_goes_to_what_served_before(three_versions: Store) -> None:
    assert run("rollback").stdout == "serving: v1.abcd\n"
    current = three_versions.versions.current(KEY)
    assert current
    assert current.version == "v1.abcd"


def test_programs_are_told_which_version_serves(three_versions: Store) -> None:
    assert json.loads(run("rollback", "--json").stdout) == {"project": KEY, "serving": "v1.abcd"}


def test_promote_takes_any_kept_version(three_versions: Store) -> None:
    assert run("promote", "v0.abcd", "--project", KEY).stdout == "serving: v0.abcd\n"


def test_a_database_that_cannot_be_written_or_is_locked_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        monkeypatch.setenv("TAGLOOM_HOME", str(folder))
        store = Store.open(Settings().paths.database)
        store.projects.ensure(KEY, "<View/>")
        store.versions.install(KEY, new_version(0), generation=0)
        # The folder stays open: SQLite can then read, and refuses the write alone.
        folder.chmod(0o777)
        with shut(folder / "tagloom.db"):
            refused = run("promote", "v0")
        store.close()
    assert refused.exit_code == 1
    assert "tagloom: the database can't be used now (attempt to write a readonly database): give" in refused.stderr
    assert "Traceback" not in refused.output


def test_an_unknown_version_is_refused(three_versions: Store) -> None:
    result = run("promote", "v9.ffff")
    assert result.exit_code == 1
    assert "has no version 'v9.ffff'" in result.stderr


def test_without_an_earlier_version_there_is_no_rollback(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    assert "no earlier version" in run("rollback").stderr


def test_the_beginning_of_a_version_is_enough(three_versions: Store) -> None:
    assert run("promote", "v1").stdout == "serving: v1.abcd\n"
    refused = run("promote", "v")
    assert refused.exit_code == 1
    assert "'v' may be each of v2.abcd, v1.abcd, v0.abcd: write more of it" in refused.stderr
    assert "has no version 'v7'" in run("promote", "v7").stderr


def test_no_project_and_several_are_told(store: Store) -> None:
    assert "no project is known yet" in run("versions").stderr
    for key, title in ((KEY, "Shoes"), (OTHER, "Shirts"), (THIRD, "")):
        store.projects.ensure(key, "<View/>", title)
    tables = run("versions").stdout.split("\n\n")
    assert [table.splitlines()[0] for table in tables] == [f"{KEY}  Shoes", f"{OTHER}  Shirts", THIRD]
    assert f"these projects: {KEY} Shoes, {OTHER} Shirts, {THIRD}" in run("rollback").stderr


@pytest.mark.parametrize("name", [OTHER, "Shirts", "shirts", "Shi", "3", "default/3", "default/3."])
def test_a_project_goes_by_key_title_or_id(store: Store, name: str) -> None:
    for key, title in ((KEY, "Shoes"), (OTHER, "Shirts"), ("default/33.1795288799", "")):
        store.projects.ensure(key, "<View/>", title)
    assert run("versions", "--project", name).stdout.splitlines()[0] == f"{OTHER}  Shirts"


def test_an_unclear_name_of_a_project_lists_the_candidates(store: Store) -> None:
    for key, title in ((KEY, "Shoes"), (OTHER, "Shirts"), (THIRD, "Hats")):
        store.projects.ensure(key, "<View/>", title)
    assert run("rollback", "--project", "Sh").stderr.endswith(f"these projects: {KEY} Shoes, {OTHER} Shirts\n")
    assert "there is no project 'Coats': choose one" in run("versions", "--project", "Coats").stderr


@pytest.mark.parametrize("words", [("versions",), ("promote", "v1"), ("rollback",), ("doubtful",), ("predict",)])
def test_where_nothing_is_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path / "home"))
    result = run(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"tagloom: there is no database {tmp_path}/home/tagloom.db yet: set TAGLOOM_HOME")
    assert list(tmp_path.iterdir()) == []


def test_down_with_nothing_running(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert run("down").stdout == f"nothing was running in {home} or {home}/.demo/state\n"


@pytest.mark.parametrize("place", ["", ".demo/state"])
def test_down_ends_what_up_or_a_demo_left(home: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(home)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as left:
        mark = Mark.of(left.pid)
        assert mark
        (home / place).mkdir(parents=True, exist_ok=True)
        (home / place / FILE).write_text(Entries(children={"worker": mark}).model_dump_json())
        assert run("down").stdout == f"ended in {(home / place).resolve()}: worker\n"
        assert not psutil.pid_exists(left.pid)


@pytest.mark.parametrize("batches", ["ten", "30,10", "0,5", ""])
def test_batches_must_be_growing_numbers(batches: str) -> None:
    result = run("demo", "--batches", batches)
    assert result.exit_code == 2
    assert "--batches" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_demo_without_data_names_the_file(tmp_path: Path) -> None:
    result = run("demo", "--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "items.csv" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_and_the_line_that_loads_it(shell: str) -> None:
    done = run("completion", shell)
    assert done.exit_code == 0, done.output
    assert "_TAGLOOM_COMPLETE" in done.stdout
    assert f"tagloom completion {shell} 2>/dev/null" in done.stderr


def test_bash_completes_commands(tmp_path: Path) -> None:
    program = tmp_path / "tagloom"
    program.write_text(f"#!{sys.executable}\nfrom tagloom.cli import main\nmain()\n")
    program.chmod(0o755)
    asked = f'COMP_WORDS=(tagloom exp); COMP_CWORD=1; _tagloom_completion {program}; echo "${{COMPREPLY[@]}}"'
    code = f"{run('completion', 'bash').stdout}\n{asked}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.split() == ["export"], done.stderr


def test_what_belongs_to_a_checkout_is_offered_there_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "demo" in CliRunner().invoke(main, ["--help"]).output
    monkeypatch.setattr(Commands, "root", tmp_path)
    assert "demo" not in CliRunner().invoke(main, ["--help"]).output
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    sentence = "`tagloom demo` belongs to a checkout of Tagloom: clone the repository and run `make demo`"
    assert result.output == f"tagloom: {sentence}\n"
