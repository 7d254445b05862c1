"""Sources run in processes of their own: whatever one does, it harms nobody else."""

import os
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import psutil
import pytest

import sources.places
from sources.answers import Kind, Said, SourceTrouble
from sources.interface import Item, Label, ReadBlock
from sources.places import Place, places
from sources.process import ChildSource, Limits, SourceProcess, loaded
from testing.waiting import until

LIMITS = Limits(seconds=10.0, memory=1_000_000_000)
ITEM = Item(
    "ACME 杯子",
    ("家居",),
    {"note": "限时"},
    (ReadBlock("¥99", 0.1, 0.1, 0.3, 0.2, 0.9),),
    (400, 300),
    (Label("LOGO", "a brand"), Label("价格")),
)

Write = Callable[..., list[ChildSource]]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Writes a file of sources and loads it; the processes end with the test."""
    opened: list[SourceProcess] = []

    def made(code: str, limits: Limits = LIMITS, name: str = "own.py") -> list[ChildSource]:
        (tmp_path / name).write_text(textwrap.dedent(code), encoding="utf-8")
        (place,) = (place for place in places(tmp_path) if place.shown == name)
        process = SourceProcess(place, limits)
        opened.append(process)
        return loaded(process, place, frozenset({"boxes"}))

    yield made
    for process in opened:
        process.close()


def trouble(source: ChildSource, item: Item = ITEM) -> SourceTrouble:
    with pytest.raises(SourceTrouble) as raised:
        source.ask(item)
    return raised.value


def test_a_function_a_class_and_an_object_are_sources(write: Write) -> None:
    found = write(
        """
        from sources import Item, Opinion, ProposedBox, Source, source

        @source("brand", version="3")
        def brand(item: Item) -> Opinion:
            block = item.blocks[0]
            box = ProposedBox("价格", block.left, block.top, block.right, block.bottom)
            return Opinion({"LOGO": "ACME" in item.title, "价格": 0.75}, [box])

        class Silent:
            name, version = "silent", "1"
            def __call__(self, item: Item) -> None:
                return None

        class Scaled:
            version = "1"
            def __init__(self, name: str, share: float) -> None:
                self.name, self.share = name, share
            def __call__(self, item: Item) -> dict[str, float | None]:
                return {label.name: self.share if label.description else None for label in item.labels}

        half = Scaled("half", 0.5)
        """
    )
    assert {(one.name, one.version) for one in found} == {("brand", "3"), ("silent", "1"), ("half", "1")}
    by_name = {one.name: one.ask(ITEM) for one in found}
    assert by_name["brand"] == Said({"LOGO": 1.0, "价格": 0.75}, [["价格", 0.1, 0.1, 0.3, 0.2]])
    assert by_name["silent"].as_json() == {}
    assert by_name["half"].labels == {"LOGO": 0.5}


def test_a_source_sees_the_whole_item_and_the_picture_when_it_asks(write: Write, tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(b"\xff\xd8picture")
    fetched: list[int] = []

    def fetch() -> Path:
        fetched.append(1)
        return tmp_path / "p.jpg"

    looks, reads = write(
        """
        from sources import source

        @source("looks")
        def looks(item):
            assert item.picture_bytes.startswith(b"\\xff\\xd8"), item.picture
            assert item.picture.name == "p.jpg"
            return {"LOGO": 1}

        @source("reads")
        def reads(item):
            seen = (item.title, item.industry, item.texts, item.blocks[0].text, item.size, item.labels[0].description)
            assert seen == ("ACME 杯子", ("家居",), {"note": "限时"}, "¥99", (400, 300), "a brand"), seen
            return {"LOGO": 0}
        """
    )
    assert reads.ask(replace(ITEM, fetch=fetch)).labels == {"LOGO": 0.0}
    assert not fetched
    assert looks.ask(replace(ITEM, fetch=fetch)).labels == {"LOGO": 1.0}
    assert fetched == [1]
    assert trouble(looks).kind is Kind.RAISES  # without a picture


def test_a_change_of_the_file_is_a_version_unless_one_is_named(write: Write) -> None:
    code = (
        "from sources import source\n@source('a')\ndef a(item): return {}\n@source('b', version='1')\ndef b(item): pass"
    )
    first = {one.name: one.version for one in write(code)}
    second = {one.name: one.version for one in write(code + "\n# changed")}
    assert first["a"] != second["a"]
    assert first["b"] == second["b"] == "1"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nothing_like_this", "ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("def broken(:", "SyntaxError"),
        ("import os\nos._exit(3)", "code 3"),
        ("import sys\nsys.exit('no')", "SystemExit: no"),
        ("x = 1", "no source in it"),
        ("from sources import source\n@source('a: b')\ndef a(item): pass", "letters, digits"),
        ("from sources import source\n@source('boxes')\ndef a(item): pass", "'boxes' is taken"),
        ("from sources import source\na = source('x')(print)\nb = source('x')(repr)", "'x' is taken"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(write: Write, code: str, words: str) -> None:
    with pytest.raises(SourceTrouble) as raised:
        write(code)
    assert raised.value.kind in (Kind.LOAD, Kind.ENDS)
    assert words in raised.value.text


def test_each_misbehaviour_is_a_trouble_of_its_kind_and_the_next_item_is_answered(write: Write) -> None:
    """One source does on request whatever a source may do; after each it answers an ordinary item."""
    (bad,) = write(
        """
        import os, sys, time
        from sources import source

        @source("bad")
        def bad(item):
            print("chatter on standard output")
            print("chatter", file=sys.__stdout__, flush=True)
            match item.title:
                case "raises": raise RuntimeError("own words")
                case "exits": sys.exit(1)
                case "hangs": time.sleep(3600)
                case "spins":
                    while True: pass
                case "dies": os._exit(9)
                case "eats": return {"LOGO": len(bytearray(4_000_000_000)) * 0.0}
                case "text": return "LOGO"
                case "number": return 0.5
                case "odd": return {"LOGO": "very", "价格": float("nan"), "other": 1.0}
                case "many": return {str(n) * 1000: 0.5 for n in range(2000)}
            return {"LOGO": True}
        """,
        replace(LIMITS, seconds=1.5),
    )
    kinds = {
        "raises": Kind.RAISES,
        "exits": Kind.RAISES,
        "hangs": Kind.SLOW,
        "spins": Kind.SLOW,
        "dies": Kind.ENDS,
        "eats": Kind.RAISES,
        "text": Kind.RAISES,
        "number": Kind.RAISES,
        "many": Kind.NONSENSE,
    }
    for title, kind in kinds.items():
        found = trouble(bad, replace(ITEM, title=title))
        assert (title, found.kind) == (title, kind), found.text
        assert found.later is None
        assert bad.ask(ITEM).labels == {"LOGO": 1.0}, title
    assert "own words" in trouble(bad, replace(ITEM, title="raises")).text
    assert "MemoryError" in trouble(bad, replace(ITEM, title="eats")).text
    odd = bad.ask(replace(ITEM, title="odd"))
    assert odd.labels == {}
    assert set(odd.dropped) == {Kind.NONSENSE, Kind.OTHER_LABELS}
    assert "other" in odd.dropped[Kind.OTHER_LABELS]


def test_the_process_and_what_it_started_end_with_its_parents_wait(write: Write) -> None:
    (spawns,) = write(
        """
        import subprocess, time
        from pathlib import Path
        from sources import source

        @source("spawns")
        def spawns(item):
            child = subprocess.Popen(["sleep", "3600"])
            Path(item.title).write_text(str(child.pid))
            time.sleep(3600)
        """
    )
    noted = Path(os.environ.get("TMPDIR", "/tmp")) / f"tagloom-spawned-{os.getpid()}"
    noted.unlink(missing_ok=True)

    def check() -> None:
        if noted.exists() and noted.read_text():
            raise InterruptedError

    spawns.process._check = check
    with pytest.raises(InterruptedError):
        spawns.ask(replace(ITEM, title=str(noted)))
    number = int(noted.read_text())
    noted.unlink()

    def is_gone() -> bool:
        try:
            return bool(psutil.Process(number).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    until(is_gone, 5)


def test_a_source_has_no_variable_that_is_hidden(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "of the operator")
    monkeypatch.setenv("OWN_KEY", "of the source")
    (sees,) = write(
        """
        import os
        from sources import source

        @source("sees")
        def sees(item):
            return {"LOGO": "LABEL_STUDIO_API_KEY" in os.environ, "价格": "OWN_KEY" in os.environ}
        """,
        replace(LIMITS, hidden=frozenset({"LABEL_STUDIO_API_KEY"})),
    )
    assert sees.ask(ITEM).labels == {"LOGO": 0.0, "价格": 1.0}


def test_entry_points_are_places_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A distribution as pip leaves it: a module, and metadata with an entry point."""
    (tmp_path / "shop_rules.py").write_text(
        "from sources import source\n@source('shop rule')\ndef rule(item): return {'LOGO': 0.25}\n"
    )
    about = tmp_path / "shop_rules-2.5.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-rules\nVersion: 2.5\n")
    (about / "entry_points.txt").write_text("[tagloom.sources]\nshop = shop_rules:rule\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (place,) = places(None)
    assert place == Place("shop (shop_rules:rule)", entry="shop_rules:rule", digest="2.5")
    process = SourceProcess(place, LIMITS)
    try:
        (found,) = loaded(process, place, frozenset())
        assert (found.name, found.version) == ("shop rule", "2.5")
        assert found.ask(ITEM).labels == {"LOGO": 0.25}
    finally:
        process.close()


def test_nothing_is_imported_to_list_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text("raise SystemExit")
    (tmp_path / "_helper.py").write_text("raise SystemExit")
    entry = EntryPoint("x", "nowhere:thing", sources.places.GROUP)
    monkeypatch.setattr(sources.places, "entry_points", lambda group: [entry])
    assert [place.shown for place in places(tmp_path)] == ["x (nowhere:thing)", "a.py"]


def test_a_slow_start_does_not_count_as_the_items_time(write: Write) -> None:
    began = time.monotonic()
    (slow,) = write(
        "import time\ntime.sleep(1.0)\nfrom sources import source\n@source('s')\ndef s(item): return {'LOGO': 1}",
        replace(LIMITS, seconds=0.5),
    )
    assert slow.ask(ITEM).labels == {"LOGO": 1.0}
    assert time.monotonic() - began > 1.0
