"""`tagloom similar` and `tagloom recommend`, on a home of their own."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import worker.workplace
from tagloom.cli import main
from tagloom_base.running import settings_in
from tagloom_base.settings import Settings
from testing.shop import SHOP
from tests.tagloom.store_of import filled
from tests.worker import shop


class Reads(shop.StubExtractor):
    """Sees in any picture what is in that of task 2."""

    def extract(self, wanted: object) -> list[object]:
        return [SHOP.item(2)[0]]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if settings_in({name: ""})]:
            patch.delenv(name)
        patch.setattr(worker.workplace, "open_extractor", Reads)
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("TAGLOOM_HOME", str(folder))
        patch.setenv("TAGLOOM_TRAINING_THREADS", "1")
        filled(Settings()).close()
        yield folder


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, list(words), input=stdin)


def found(*words: str, stdin: str = "") -> list[int]:
    done = run(*words, "--json", stdin=stdin)
    assert done.exit_code == 0, done.stderr
    return [one["task"] for one in json.loads(done.stdout)["results"]]


def test_items_are_found_by_task_picture_and_words(tmp_path: Path) -> None:
    assert set(found("similar", "shop", "--task", "2", "--fold", "nothing")) == {1, 3, 4, 5, 6}
    Image.new("RGB", (30, 30)).save(tmp_path / "a.png")
    assert found("similar", "--picture", str(tmp_path / "a.png"))[0] == 2
    shown = run("similar", "shop", "--text", "商品", "--count", "2")
    assert shown.exit_code == 0
    assert shown.output.splitlines()[0].startswith("in ") or "score" in shown.output
    assert "there are more" in shown.output


def test_something_else_is_recommended() -> None:
    tasks = found("recommend", "shop", "--seen", "1,2", "--bought", "1", "--count", "3")
    assert len(tasks) == 3
    assert not {1, 2} & set(tasks)
    assert found("recommend", "shop", "--seen", "-", stdin="1\n2\n")[:1] != []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("similar", "shop"), 2, "say what to look for"),
        (("similar", "--task", "1"), 2, "name the project that the task is of"),
        (("similar", "shop", "--task", "1", "--picture", "a.png"), 2, "--task or --picture"),
        (("similar", "shop", "--task", "77"), 1, "no task 77 that was read"),
        (("similar", "shop", "--picture", "/none.png"), 1, "/none.png"),
        (("similar", "shop", "--text", "a", "--count", "2000"), 1, "results end at place 1,000"),
        (("similar", "nobody", "--text", "a"), 1, "there is no project 'nobody'"),
        (("recommend", "shop", "--seen", "1,x"), 2, "'x', which is no id"),
        (("recommend", "shop", "--seen", "77"), 1, "none of the looked-at tasks"),
        (("recommend", "shop", "--seen", ""), 1, "say which tasks were looked at"),
    ],
)
def test_bad_use_is_told(words: tuple[str, ...], code: int, said: str) -> None:
    done = run(*words)
    assert done.exit_code == code
    assert said in done.stderr
