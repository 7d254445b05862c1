"""A round of asking: each item once, gold first, whatever a source does; what is left is asked later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import worker.workplace
from labelstudio.decoding import ImageUnavailableError
from store.projects import Project
from store.sources import Spent
from store.store import Store
from tagloom_base.settings import Settings
from testing.shop import LABELS
from testing.vision import Raw, VisionServer
from tests.worker import shop
from tests.worker.asking.office import annotate, fill, key_of, model, said, write
from worker.asking.opening import make_ready
from worker.asking.rounds import ask
from worker.said import said_of
from worker.watch import Interrupted, NeverEnds
from worker.workplace import Workplace, open_workplace

KEY = str(shop.KEY)
VISION = "vision m"


@pytest.fixture
def open_at(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens the workplace with further settings."""
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    opened = []

    def make(**values: Any) -> Workplace:
        context = open_workplace(settings.changed(**values))
        opened.append(context)
        return context.__enter__()

    yield make
    for context in opened:
        context.__exit__(None, None, None)


def vision(server: VisionServer, **more: Any) -> dict[str, Any]:
    return {"vision_url": server.url, "vision_model": "m", "vision_requests_per_minute": 60_000.0, **more}


def run(workplace: Workplace, watch: Any = None) -> str:
    project = workplace.store.projects.get(KEY)
    assert project
    workplace.store.source_opinions.make_due(KEY)
    return ask(workplace, project, watch or NeverEnds(), lambda _: None)


def troubles(store: Store) -> dict[str, dict[str, int]]:
    return {one.name: dict(one.times) for one in store.sources.all() if one.times}


def test_each_item_is_asked_about_once_and_gold_first(store: Store, settings: Settings, open_at: Any) -> None:
    fill(store, settings, range(1, 11))
    annotate(store, [7, 9])
    with VisionServer(model()) as server:
        workplace = open_at(**vision(server))
        assert run(workplace) == "10 answers of 1 sources, 0 to be asked again"
        assert [one.title for one in server.asked][:3] == ["商品 7", "商品 9", "商品 1"]
        assert all(one.picture[:2] == b"\xff\xd8" for one in server.asked)
        assert run(workplace).startswith("0 answers")
        assert len(server.asked) == 10
        fill(store, settings, range(1, 13))
        assert run(workplace).startswith("2 answers")
    kept = said(workplace)
    assert len(kept) == 12
    assert set(kept[key_of(1)][VISION]["labels"]) == set(LABELS)
    assert not store.source_opinions.due()


def test_another_version_or_other_labels_are_asked_again(store: Store, settings: Settings, open_at: Any) -> None:
    fill(store, settings, range(1, 4))
    with VisionServer(model()) as server:
        run(open_at(**vision(server)))
        run(open_at(**vision(server, vision_side=512)))
        assert len(server.asked) == 6
        config = shop.CONFIG.replace(
            '<Choice value="LOGO"', '<Choice value="Neu" hint="something new"/><Choice value="LOGO"'
        )
        store.projects.ensure(KEY, config, "shop")
        run(open_at(**vision(server, vision_side=512)))
    assert len(server.asked) == 9
    assert "- Neu: something new" in server.asked[-1].body["messages"][0]["content"][1]["text"]


def test_a_source_that_has_gone_is_silent_and_is_not_asked_again_when_it_returns(
    store: Store, settings: Settings, open_at: Any
) -> None:
    fill(store, settings, range(1, 4))
    with VisionServer(model()) as server:
        workplace = open_at(**vision(server))
        run(workplace)
        make_ready(settings)
        assert said(workplace) == {}
        assert run(workplace).startswith("0 answers")
        assert len(said(workplace)) == 3
    assert len(server.asked) == 3


def test_bad_sources_harm_neither_good_ones_nor_each_other(
    store: Store, settings: Settings, open_at: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store, settings, range(1, 5))
    folder = tmp_path / "own"
    write(folder, "a_broken.py", "raise ValueError('not yet')")
    write(
        folder,
        "b_raises.py",
        "from sources import source\n@source('raises')\ndef f(item): 1 / (item.title != '商品 2')",
    )
    write(folder, "c_odd.py", "from sources import source\n@source('odd')\ndef f(item): return {'cat': 1, 'LOGO': 7}")
    write(
        folder,
        "d_good.py",
        "from sources import source\n@source('good')\ndef f(item): return {'LOGO': item.title.endswith('1')}",
    )
    with VisionServer(lambda _: "no idea") as server:
        workplace = open_at(sources=folder, **vision(server))
        assert run(workplace).startswith("11 answers of 4 sources, 0 to be")
        assert len(server.asked) == 4
    kept = said(workplace)
    assert {key: set(by_source) for key, by_source in kept.items()} == {
        key_of(number): {"good"} for number in range(1, 5)
    }
    assert kept[key_of(1)]["good"] == {"labels": {"LOGO": 1.0}}
    assert troubles(store) == {
        "a_broken.py": {"cannot be loaded": 1},
        "raises": {"raises": 1},
        "odd": {"answers for other labels": 4, "answers nonsense": 4},
        VISION: {"answers nonsense": 4},
    }
    told = [record.getMessage() for record in caplog.records if "said once" in record.getMessage()]
    assert len(told) == 5
    assert "source a_broken.py cannot be loaded: ValueError: not yet (said once; /status counts it)" in told
    # Mended, it is a source like the others, and its trouble is over.
    write(folder, "a_broken.py", "from sources import source\n@source('mended')\ndef f(item): return {'LOGO': 0.5}")
    assert run(workplace).startswith("4 answers of 5 sources")
    assert "a_broken.py" not in troubles(store)


def test_a_source_that_fails_five_times_in_a_row_rests_and_what_failed_is_asked_again(
    store: Store, settings: Settings, open_at: Any, tmp_path: Path
) -> None:
    fill(store, settings, range(1, 21))
    folder, switch = tmp_path / "own", tmp_path / "off"
    switch.touch()
    write(
        folder,
        "a.py",
        f"""
        from pathlib import Path
        from sources import source

        @source("moody", version="1")
        def moody(item):
            assert not Path({str(switch)!r}).exists()
            return {{"LOGO": 1.0}}
        """,
    )
    workplace = open_at(sources=folder)
    assert run(workplace) == "0 answers of 1 sources, 20 to be asked again"
    assert troubles(store) == {"moody": {"raises": 5, "rests": 1}}
    assert not store.source_opinions.due()
    switch.unlink()
    assert run(workplace) == "20 answers of 1 sources, 0 to be asked again"
    assert troubles(store) == {"moody": {"raises": 5}}


def test_an_endpoint_that_is_away_is_asked_again_later(
    store: Store, settings: Settings, open_at: Any, moved: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.vision.FIRST_PAUSE_S", 0.01)
    fill(store, settings, range(1, 4))
    with VisionServer(lambda _: Raw(500)) as server:
        workplace = open_at(**vision(server))
        assert run(workplace) == "0 answers of 1 sources, 3 to be asked again"
        assert len(server.asked) == 3  # three tries for one item
        assert troubles(store) == {VISION: {"does not answer": 1}}
        assert not store.source_opinions.due()
        moved(61)
        assert store.source_opinions.due() == [KEY]
        server.reply = model()
        assert run(workplace) == "3 answers of 1 sources, 0 to be asked again"
        assert troubles(store) == {}


def test_out_of_budget_it_abstains_says_so_once_and_goes_on_when_there_is_more(
    store: Store, settings: Settings, open_at: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store, settings, range(1, 6))
    with VisionServer(model()) as server:
        workplace = open_at(**vision(server, vision_requests=2))
        assert run(workplace) == "2 answers of 1 sources, 3 to be asked again"
        assert run(workplace) == "0 answers of 1 sources, 3 to be asked again"
        assert len(server.asked) == 2
        assert caplog.text.count("is out of budget: 2 of 2 requests are used") == 1
        assert store.sources.spent(VISION) == Spent(2, 2200, 0.0)
        assert run(open_at(**vision(server, vision_requests=9))) == "3 answers of 1 sources, 0 to be asked again"
        assert troubles(store) == {}
    assert len(said(workplace)) == 5


def test_a_round_that_is_interrupted_keeps_what_was_answered(store: Store, settings: Settings, open_at: Any) -> None:
    fill(store, settings, range(1, 9))

    class EndsAfter:
        left = 12

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise Interrupted("gave way to gold")

    with VisionServer(model()) as server:
        workplace = open_at(**vision(server))
        with pytest.raises(Interrupted):
            run(workplace, EndsAfter())
        done = len(said(workplace))
        assert 0 < done < 8
        run(workplace)
    assert len(said(workplace)) == 8
    assert len({one.title for one in server.asked}) == len(server.asked) == 8


def test_boxes_are_kept_and_described(store: Store, settings: Settings, open_at: Any) -> None:
    fill(store, settings, [1])
    reply = '{"labels": {"LOGO": 1}, "unit": "fraction", "boxes": [{"label": "LOGO", "box": [0.1, 0.2, 0.3, 0.4]}]}'
    with VisionServer(lambda _: reply) as server:
        workplace = open_at(**vision(server))
        run(workplace)
    assert said(workplace)[key_of(1)][VISION]["boxes"] == [["LOGO", 0.1, 0.2, 0.3, 0.4]]
    assert list(settings.paths.descriptions.rglob("*.safetensors"))


def test_a_picture_that_cannot_be_had_is_asked_about_later(
    store: Store, settings: Settings, open_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, settings, range(1, 3))
    with VisionServer(model()) as server:
        workplace = open_at(**vision(server))
        fetcher = type(workplace.sites.fetcher("default"))

        def fail(*_: object) -> None:
            raise ImageUnavailableError("the host does not answer", permanent=False)

        with monkeypatch.context() as patched:
            patched.setattr(fetcher, "fetch", fail)
            assert run(workplace) == "0 answers of 1 sources, 2 to be asked again"
        assert run(workplace) == "2 answers of 1 sources, 0 to be asked again"
    assert troubles(store)[VISION] == {"lacks a picture": 2}


def test_without_sources_nothing_is_due(store: Store, settings: Settings, open_at: Any) -> None:
    project: Project = fill(store, settings, [1])
    assert run(open_at()) == "no sources"
    assert store.source_opinions.due() == []
    assert project.key == KEY


def test_a_start_says_what_leaves_the_house(store: Store, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    fill(store, settings, [1])
    make_ready(settings)
    assert "are sent to" not in caplog.text
    make_ready(settings.changed(vision_url="http://127.0.0.1:9/v1", vision_model="m"))
    assert "pictures, titles and industries of all projects are sent to http://127.0.0.1:9/v1" in caplog.text
    assert store.source_opinions.due() == [KEY]


def test_what_a_version_was_not_trained_with_is_not_attached(
    store: Store, settings: Settings, open_at: Any, tmp_path: Path
) -> None:
    fill(store, settings, range(1, 3))
    write(tmp_path / "own", "a.py", "from sources import source\n@source('own')\ndef f(item): return {'LOGO': 0.25}")
    with VisionServer(model()) as server:
        workplace = open_at(sources=tmp_path / "own", **vision(server))
        run(workplace)
    opinions, keys = store.source_opinions, [key_of(1), key_of(2)]
    assert set(said_of(opinions, KEY, keys)[key_of(1)].probabilities) == {"own", VISION}
    assert said_of(opinions, KEY, keys, ["own"])[key_of(1)].probabilities == {"own": {"LOGO": 0.25}}
    assert said_of(opinions, KEY, keys, []) == {}
