"""An index of one project: what counts, what is written over, and which words find what."""

import sqlite3
from pathlib import Path

import pytest
import torch
from torch import Tensor

import worker.search.index
from worker.search.index import Entry, Index, Rows, asked_words, by_words, family_number, joined, levels, words_of

SPACE, PROJECTION = "space", "projection"


def entry(task: int, title: str = "", key: str = "", reading: str = "") -> Entry:
    return Entry(task, 0, key or f"key{task}", family_number(title), task, title, reading, ("日用", "杯"))


def vectors(*numbers: int) -> Tensor:
    return torch.stack([torch.full((512,), float(number)) for number in numbers]).half()


def fill(index: Index, *tasks: int, projection: str = PROJECTION) -> None:
    with index.writing() as writer:
        writer.begin(SPACE, projection)
        writer.add([entry(task) for task in tasks], vectors(*tasks))


def held(index: Index) -> dict[int, float]:
    """The first number of each task's vector."""
    rows = Rows.of(index)
    return {int(task): float(rows.vectors_ND[row, 0]) for row, task in enumerate(rows.task_N) if task >= 0}


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "default-2-1")


def test_items_are_added_changed_and_removed(index: Index) -> None:
    assert not index.is_there()
    assert index.state().rows == 0
    fill(index, 1, 2, 3)
    before = Rows.of(index)
    with index.writing() as writer:
        writer.begin(SPACE, PROJECTION)
        writer.remove([1])
        writer.add([entry(2, key="changed"), entry(4)], vectors(20, 4))
        assert writer.held() == {2: "changed", 3: "key3", 4: "key4"}
    assert held(index) == {2: 20.0, 3: 3.0, 4: 4.0}
    assert index.state().stamp > before.state.stamp
    assert before.task_N.tolist() == [1, 2, 3], "what was read before does not change"
    assert before.vectors_ND[:, 0].tolist() == [1.0, 2.0, 3.0]


def test_a_range_of_tasks_is_known_with_dates_until_tasks_are_read_in_another_way(index: Index) -> None:
    fill(index, 1, 2, 3)
    with index.writing() as writer:
        writer.read_as("one")
        writer.note({1: 10, 2: 20, 3: 30})
    assert index.known(1, 2) == {2: ("key2", 20)}
    with index.writing() as writer:
        writer.read_as("one")
        writer.remove([3])
    assert index.known(0, 9) == {1: ("key1", 10), 2: ("key2", 20)}
    with index.writing() as writer:
        writer.read_as("another")
    assert index.known(0, 9) == {1: ("key1", None), 2: ("key2", None)}
    assert index.count() == 2


def test_growing_writes_only_what_is_new(index: Index) -> None:
    fill(index, *range(1, 101))
    file = index.folder / index.state().file
    before = file.read_bytes()
    fill(index, 101)
    assert file.read_bytes() == before + vectors(101).numpy().tobytes()


def test_a_killed_writer_leaves_nothing_that_counts(index: Index) -> None:
    fill(index, 1)
    killed = index.writing()
    writer = killed.__enter__()
    writer.begin(SPACE, PROJECTION)
    writer.add([entry(2), entry(3)], vectors(2, 3))
    assert killed.__exit__(SystemExit, SystemExit(), None) is False
    assert (index.folder / index.state().file).stat().st_size == 3 * 1024, "the vectors were on the disk already"
    assert held(index) == {1: 1.0}
    fill(index, 4)
    assert held(index) == {1: 1.0, 4: 4.0}


def test_a_change_that_changes_nothing_is_not_one(index: Index) -> None:
    fill(index, 1)
    stamp = index.state().stamp
    with index.writing() as writer:
        writer.begin(SPACE, PROJECTION)
        writer.remove([7])
        writer.add([], vectors(1)[:0])
    assert index.state().stamp == stamp


def test_another_projection_begins_anew(index: Index) -> None:
    fill(index, 1, 2)
    old = index.state().file
    fill(index, 2, projection="other")
    assert held(index) == {2: 2.0}
    assert not (index.folder / old).exists()


@pytest.mark.parametrize("harm", ["deleted", "cut"])
def test_a_file_that_somebody_harmed_counts_as_none(index: Index, harm: str) -> None:
    fill(index, 1, 2)
    file = index.folder / index.state().file
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:1500])
    else:
        file.unlink()
    assert held(index) == {}
    fill(index, 2, 3)
    assert held(index) == {2: 2.0, 3: 3.0}


def test_most_rows_do_not_count_any_more(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.search.index, "FEW_DEAD", 2)
    fill(index, *range(1, 9))
    old = index.state().file
    with index.writing() as writer:
        writer.add([entry(8, title="保温杯", key="changed")], vectors(80))
        writer.remove([1, 2, 4, 5, 7])
    assert (index.state().rows, index.state().file != old) == (3, True)
    assert held(index) == {3: 3.0, 6: 6.0, 8: 80.0}
    with index.reading() as connection:
        assert [int(Rows.of(index).task_N[row]) for row in by_words(connection, "保温", 5)] == [8]


def test_a_second_writer_waits_and_a_reader_does_not(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(index, 1)
    monkeypatch.setattr(worker.search.index, "WAIT_S", 0.05)
    with index.writing() as writer:
        writer.add([entry(2)], vectors(2))
        assert held(index) == {1: 1.0}
        with pytest.raises(sqlite3.OperationalError, match="locked"), index.writing():
            pass
    assert held(index) == {1: 1.0, 2: 2.0}


def test_words_of_chinese_are_characters_and_pairs() -> None:
    assert words_of("保温杯 ABC-12") == ["保", "温", "杯", "保温", "温杯", "abc-12"]
    assert words_of("５００ml") == ["500ml"]
    assert asked_words("保温杯 杯 锅") == ["保温", "温杯", "锅"]
    assert words_of("!!! ”") == []


def test_the_best_words_come_first_and_quotes_are_no_syntax(index: Index) -> None:
    titles = ["不锈钢保温杯", "保温饭盒", "皮带", "真皮皮带 男", "耳机", '5" screen AND OR NOT*']
    with index.writing() as writer:
        writer.begin(SPACE, PROJECTION)
        entries = [entry(task, title, reading="包邮" if task == 4 else "") for task, title in enumerate(titles)]
        writer.add(entries, vectors(*range(6)))
    with index.reading() as connection:
        found = by_words(connection, "保温杯", 10)
        assert list(found) == [0, 1]
        assert found[0] == 1.0 > found[1] > 0
        assert list(by_words(connection, "包邮", 10)) == [4], "read text"
        assert list(by_words(connection, '5" AND NOT*', 10)) == [5]
        assert by_words(connection, "没有此词", 10) == by_words(connection, "?!", 10) == {}


def test_a_path_of_industries_is_kept_as_one_text() -> None:
    assert levels(joined(("家电", "水壶"))) == ("家电", "水壶")
    assert levels(joined(())) == ()
