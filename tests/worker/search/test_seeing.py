"""A joint encoder: pictures are encoded once, words find what is seen, and another encoder or none breaks nothing."""

import base64
import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import worker.workplace
from labelstudio.changes import tasks_of
from labelstudio.config import LabelConfig
from labelstudio.tasks import item_key, reference_of
from model.encoders.joint import JointEncoder
from model.features.cache import FeatureCache
from store.store import Store
from tagloom_base.settings import Settings
from testing.shop import SHOP
from tests.model.encoders.joint_folders import joint_folder
from tests.store import webhooks
from tests.worker import shop
from tests.worker.search.conftest import KEY, filled, searched
from worker.search import seeing
from worker.search.finding import Finder, Only, Wanted
from worker.search.index import Rows
from worker.search.looking import index_of
from worker.search.seeing import joint_index, see
from worker.watch import Interrupted, NeverEnds
from worker.workplace import Workplace, open_workplace

COLOURS = ["red", "lime", "blue", "white", "black", "yellow", "cyan", "magenta", "grey", "orange"]
TASKS = len(COLOURS)


def add(store: Store, settings: Settings, number: int, colour: str, second: int = 0) -> None:
    """A task whose picture has one colour, and its features."""
    made = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(made, "PNG")
    task = shop.payload(number)
    task["updated_at"] = webhooks.stamp(second)
    task["data"]["image"] = f"data:image/png;base64,{base64.b64encode(made.getvalue()).decode()}"
    store.tasks.upsert(KEY, tasks_of([task]))
    key = item_key(shop.KEY.connection, reference_of(LabelConfig.parse(shop.CONFIG), task, shop.KEY))
    FeatureCache(settings.paths.features, shop.SPACE).put(key, SHOP.item(number)[0])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    place: Path = tmp_path_factory.mktemp("joint")
    return joint_folder("clip", place / "clip"), joint_folder("siglip", place / "siglip")


@pytest.fixture
def workplace(
    settings: Settings, store: Store, folders: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workplace]:
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    shop.open_shop(store, settings, tasks=0)
    for number, colour in enumerate(COLOURS, 1):
        add(store, settings, number, colour)
    with open_workplace(settings.changed(joint_encoder=folders[0])) as opened:
        filled(opened)
        yield opened


def seen(workplace: Workplace) -> int:
    project = workplace.store.projects.get(KEY)
    assert project
    return see(workplace, project, NeverEnds())


def rows(workplace: Workplace) -> Rows:
    assert workplace.joint is not None
    return Rows.of(joint_index(index_of(workplace, KEY), workplace.joint))


def finder_of(workplace: Workplace, joint: JointEncoder | None) -> Finder:
    return Finder(workplace.store, workplace.settings.paths.search, shop.SPACE, joint)


def scores(finder: Finder, workplace: Workplace, wanted: Wanted) -> dict[int, float]:
    found = finder.search([searched(workplace)], replace(wanted, fold="nothing", count=50)).found
    return {one.task: one.score for one in found}


def test_words_find_the_pictures_that_show_them(workplace: Workplace) -> None:
    assert seen(workplace) == TASKS
    assert seen(workplace) == 0, "each picture is encoded once"
    joint = workplace.joint
    assert joint is not None
    held = rows(workplace)
    said_J = joint.texts(["蓝裙"])[0]
    cosine = dict(zip(held.task_N.tolist(), (held.vectors_ND.float() @ said_J).tolist(), strict=True))
    with_joint = scores(finder_of(workplace, joint), workplace, Wanted(text="蓝裙"))
    without = scores(finder_of(workplace, None), workplace, Wanted(text="蓝裙"))
    best, mean = max(cosine.values()), sum(cosine.values()) / len(cosine)
    for task in cosine:
        looks = max(0.0, (cosine[task] - mean) / (best - mean))
        assert with_joint[task] == pytest.approx(0.6 * without.get(task, 0.0) + 0.4 * looks, abs=0.01)
    assert max(with_joint, key=with_joint.__getitem__) == max(cosine, key=cosine.__getitem__)


def test_filters_hold_and_a_weight_of_one_leaves_words_out(workplace: Workplace) -> None:
    seen(workplace)
    finder = finder_of(workplace, workplace.joint)
    assert scores(finder, workplace, Wanted(text="蓝裙", only=Only(industry="no such"))) == {}
    alone, both = Wanted(task=(KEY, 4)), Wanted(task=(KEY, 4), text="蓝裙", weight=1.0)
    assert scores(finder, workplace, both) == pytest.approx(scores(finder, workplace, alone), abs=1e-3)


def test_changed_and_removed_tasks_are_followed(workplace: Workplace) -> None:
    seen(workplace)
    before = {task: rows(workplace).vectors_ND[row] for row, task in enumerate(rows(workplace).task_N.tolist())}
    add(workplace.store, workplace.settings, 2, "navy", second=9)
    workplace.store.tasks.delete(KEY, [1])
    filled(workplace)
    assert seen(workplace) == 1
    after = {task: rows(workplace).vectors_ND[row] for row, task in enumerate(rows(workplace).task_N.tolist())}
    assert {task for task in after if task >= 0} == {*range(2, TASKS + 1)}
    assert not after[2].equal(before[2])
    assert after[3].equal(before[3])


def test_a_picture_that_is_away_is_tried_again(workplace: Workplace, caplog: pytest.LogCaptureFixture) -> None:
    seen(workplace)
    shop.add_tasks(workplace.store, workplace.settings, [50])
    with caplog.at_level(logging.INFO):
        assert seen(workplace) == 0
    assert "no picture can be fetched now" in caplog.text
    filled(workplace)
    assert 50 in scores(finder_of(workplace, workplace.joint), workplace, Wanted(text="商品"))


def test_an_interrupted_job_keeps_what_it_encoded(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "PART", 4)
    project = workplace.store.projects.get(KEY)
    assert project

    class EndsSoon(NeverEnds):
        left = 2

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise Interrupted("stop")

    with pytest.raises(Interrupted):
        see(workplace, project, EndsSoon())
    assert len(rows(workplace).task_N) == 8
    assert seen(workplace) == 2


def test_another_encoder_or_none_leaves_the_rest_as_it_is(
    workplace: Workplace, folders: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    seen(workplace)
    plain = scores(finder_of(workplace, None), workplace, Wanted(text="蓝裙"))
    other = JointEncoder(folders[1])
    assert other.width != 16
    assert scores(finder_of(workplace, other), workplace, Wanted(text="蓝裙")) == plain, "nothing is encoded by it yet"
    with open_workplace(workplace.settings.changed(joint_encoder=folders[1])) as changed:
        with caplog.at_level(logging.WARNING):
            assert seen(changed) == TASKS
        assert "the joint encoder is another one now" in caplog.text
        assert scores(finder_of(changed, changed.joint), changed, Wanted(text="蓝裙")) != plain
    assert scores(finder_of(workplace, workplace.joint), workplace, Wanted(text="蓝裙")) == plain
    with open_workplace(workplace.settings.changed(joint_encoder="")) as dropped:
        assert seen(dropped) == 0
