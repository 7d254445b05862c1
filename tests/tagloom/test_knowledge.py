"""`tagloom knowledge`: what is shown, written and read, and that a wrong file changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model.knowledge.facts import Fact, Relation
from store.leases import lease_name
from store.store import Store
from tagloom.cli import main
from tagloom_base.settings import Settings
from tests.worker import shop
from worker.knowledge import known

KEY = str(shop.KEY)
ALIAS = Fact(Relation.ALIAS, "nova", "诺瓦")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path))
    monkeypatch.delenv("TAGLOOM_DATABASE_URL", raising=False)
    opened = Store.open(Settings().paths.database)
    opened.projects.ensure(KEY, shop.CONFIG, "shop")
    lease = opened.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    names = [["brand names", "nova", f"名{number}", [number], 0] for number in range(20)]
    learned = [["brand names", "nova", "诺瓦", [1, 2], 0], *names]
    opened.knowledge.learn(KEY, learned, [["one look with two names", [3, 4]]], lease)
    yield opened
    opened.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["knowledge", *arguments])


def test_what_is_known_is_shown_with_who_says_so(store: Store) -> None:
    shown = run("show", "shop")
    assert shown.exit_code == 0, shown.output
    assert "brand names (21)" in shown.stdout
    assert "and 9 more" in shown.stdout
    assert "contradiction: one look with two names (tasks 3, 4)" in shown.stdout
    document = json.loads(run("show", "shop", "--json").stdout)
    assert {
        "relation": "brand names",
        "subject": "nova",
        "object": "诺瓦",
        "people": None,
        "tasks": [1, 2],
        "of": 0,
    } in (document["facts"])


def test_an_edit_is_written_read_and_taken_back(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    assert run("export", "shop", "--out", str(file)).exit_code == 0
    text = file.read_text("utf-8")
    file.write_text(text.replace("诺瓦: gold tasks 1, 2", "诺瓦: no\n    诺娃: yes"), "utf-8")
    taken = run("import", "shop", str(file))
    assert taken.exit_code == 0, taken.output
    assert "people say 2 lines: 2 new or changed, 0 taken back" in taken.stdout
    assert "people say no, gold says yes" in taken.stdout
    assert known(store.knowledge, KEY).holds(ALIAS) is False
    # The file of now holds people's lines: imported as it is, it changes nothing.
    run("export", "shop", "--out", str(file))
    assert "诺瓦: no, gold tasks 1, 2" in file.read_text("utf-8")
    assert "0 new or changed, 0 taken back" in run("import", "shop", str(file)).stdout
    file.write_text("", "utf-8")
    assert "0 new or changed, 2 taken back" in run("import", "shop", str(file)).stdout
    assert known(store.knowledge, KEY).holds(ALIAS) is True


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"brand names:\n  nova:\n    a: yes\n    b: perhaps\n", ", line 4: 'perhaps' behind 'b': write yes or no"),
        (b"brand names:\n  nova:\n    \xff: yes\n", ", line 3: this is no UTF-8 text"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_and_nothing_is_imported(
    store: Store, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(content)
    refused = run("import", "shop", str(file))
    assert refused.exit_code == 1
    assert f"{file}{words}" in refused.output
    assert known(store.knowledge, KEY).said == {}


def test_files_that_cannot_be_read_or_written_are_named(store: Store, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", "utf-8")
    assert "cannot be read" in run("import", "shop", str(tmp_path / "missing.yaml")).output
    assert "cannot be written" in run("export", "shop", "--out", str(blocked / "shop.yaml")).output


def test_an_import_makes_a_training_due_only_if_trainings_use_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text("brand names:\n  nova:\n    诺娃: yes\n", "utf-8")
    run("import", "shop", str(file))
    project = store.projects.get(KEY)
    assert project
    assert not project.has_new_gold
    monkeypatch.setenv("TAGLOOM_SHOP_KNOWLEDGE", "boxes")
    file.write_text("brand names:\n  nova:\n    诺娃: no\n", "utf-8")
    run("import", "shop", str(file))
    project = store.projects.get(KEY)
    assert project
    assert project.has_new_gold


def test_a_project_about_which_nothing_is_known_says_so(store: Store) -> None:
    store.projects.ensure("default/9.1795288797", shop.CONFIG, "empty")
    assert "nothing is known of default/9.1795288797 yet" in run("show", "empty").stdout
