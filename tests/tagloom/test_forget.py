"""`tagloom forget`: what it says, when it asks, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import worker.workplace
from store.store import Store
from tagloom.cli import main
from tagloom_base.settings import Settings
from testing.label_studio.simulator import SimulatedLabelStudio
from tests.worker import shop
from worker.forgotten import Mark

KEY = str(shop.KEY)


@pytest.fixture
def studio() -> Iterator[SimulatedLabelStudio]:
    with SimulatedLabelStudio(shop.CONFIG, "http://127.0.0.1:1") as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path, studio: SimulatedLabelStudio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A project that Label Studio does not have, and one that it has."""
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path))
    monkeypatch.delenv("TAGLOOM_DATABASE_URL", raising=False)
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.token)
    opened = Store.open(Settings().paths.database)
    shop.open_shop(opened, Settings(), tasks=3)
    shop.annotate(opened, [1])
    shop.cold_start(Settings(), opened)
    opened.projects.ensure(f"default/{studio.project.key}", shop.CONFIG, "kept")
    yield opened
    opened.close()


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["forget", *arguments], input=answer)


def keys(store: Store) -> list[str]:
    return [project.title for project in store.projects.all()]


def test_what_goes_and_what_stays_is_said_before_it_is_asked(store: Store, studio: SimulatedLabelStudio) -> None:
    result = run(KEY, answer="n\n")
    assert result.exit_code == 1
    told, asked, _ = result.output.partition("Forget it? [y/N]")
    assert asked
    goes, _, stays = told.partition("stays:")
    assert f"{KEY}  shop" in goes
    assert "3 tasks" in goes
    assert "1 annotations" in goes
    assert "checkpoints: " in goes
    assert "features that no other project uses: 3 files" in goes
    assert f"default/{studio.project.key}" in stays
    assert keys(store) == ["shop", "kept"]


def test_without_an_answer_nothing_happens(store: Store) -> None:
    assert run(KEY).exit_code == 1
    assert keys(store) == ["shop", "kept"]


def test_a_dry_run_neither_asks_nor_does_anything(store: Store, studio: SimulatedLabelStudio) -> None:
    result = run(KEY, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "goes:" in result.output
    assert "Forget it?" not in result.output
    assert result.output.endswith("nothing is done yet\n")
    refused = run(f"default/{studio.project.key}", "--dry-run")
    assert refused.exit_code == 0
    assert "it would be refused: Label Studio still has" in refused.output
    assert keys(store) == ["shop", "kept"]


@pytest.mark.parametrize(("arguments", "answer"), [(["--yes"], ""), ([], "y\n")])
def test_it_is_forgotten(store: Store, arguments: list[str], answer: str) -> None:
    result = run(KEY, *arguments, answer=answer)
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"{KEY} is forgotten\n")
    assert keys(store) == ["kept"]
    assert f"there is no project {KEY!r}: choose one of these: " in run(KEY, "--yes").output


def test_half_a_name_is_not_enough(store: Store) -> None:
    result = run(KEY[:-2], "--yes")
    assert result.exit_code == 1
    assert f"write it in full: {KEY}" in result.output
    assert len(keys(store)) == 2
    assert run("SHOP", "--yes").exit_code == 0


def test_a_project_that_label_studio_has_is_refused(store: Store, studio: SimulatedLabelStudio) -> None:
    key = f"default/{studio.project.key}"
    result = run(key, "--yes")
    assert result.exit_code == 1
    assert "would come back" in result.output
    assert "kept" in keys(store)
    assert run(key, "--yes", "--even-if-it-exists").exit_code == 0
    assert keys(store) == ["shop"]


def test_a_label_studio_that_does_not_answer_is_no_proof(store: Store, studio: SimulatedLabelStudio) -> None:
    studio.is_away = True
    result = run(KEY, "--yes")
    assert result.exit_code == 1
    assert "it is not known whether Label Studio still has the project" in result.output
    assert keys(store) == ["shop", "kept"]


def test_without_a_label_studio_nothing_is_known(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_URL")
    assert "set LABEL_STUDIO_URL" in run(KEY, "--yes").output
    assert run(KEY, "--yes", "--even-if-it-exists").exit_code == 0


def test_an_interrupted_forget_is_completed_first(store: Store, tmp_path: Path) -> None:
    project = store.projects.get(KEY)
    assert project
    Mark(KEY, project.created_at, store.now()).write(tmp_path)
    result = run(KEY, "--yes")
    assert result.exit_code == 0, result.output
    assert result.output == f"{KEY}: an interrupted forget is completed\n"
    assert keys(store) == ["kept"]
