"""A cell of labels is taken apart where that is clear, and one label has one name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagloom.datasets.labels import Spellings, labels_of
from tagloom.datasets.tables import Row


def rows(*cells: str) -> list[Row]:
    return [Row(Path("items.csv"), line, {"labels": cell}) for line, cell in enumerate(cells, 2)]


@pytest.mark.parametrize(
    "cell",
    [
        "主体|LOGO", "主体,LOGO", "主体，LOGO", "主体、LOGO", "主体;LOGO", "主体；LOGO", "主体｜LOGO", "主体\nLOGO",
        " 主体 | LOGO ", "主体||LOGO|", "主体,|LOGO", "主体，LOGO，主体", "\u200b主体|LOGO\ufeff",
    ],
)  # fmt: skip
def test_signs_between_labels_are_seen(cell: str) -> None:
    named, _, notes = labels_of(rows(cell, "主体", "LOGO"))
    assert named == [("主体", "LOGO"), ("主体",), ("LOGO",)]
    assert bool(notes) == any(sign in cell for sign in ",，、;；｜\n")
    assert all("items.csv, line 2: " in note and "is read as 主体|LOGO" in note for note in notes)


@pytest.mark.parametrize("spelling", [" LOGO ", "logo", "Logo", "ＬＯＧＯ", "ｌｏｇｏ", "\u3000LOGO", "LO\u200bGO"])
def test_one_label_has_the_commonest_of_its_spellings(spelling: str) -> None:
    named, spellings, notes = labels_of(rows("LOGO|主体", spelling, "LOGO"))
    assert named == [("LOGO", "主体"), ("LOGO",), ("LOGO",)]
    assert spellings.of(spelling) == "LOGO"
    assert all("is read as 'LOGO'" in note for note in notes)
    assert labels_of(rows("logo", "logo|LOGO", "x"))[0] == [("logo",), ("logo",), ("x",)]


def test_spaces_within_a_name_are_one_space() -> None:
    assert labels_of(rows("promo  copy", "promo\u3000copy", "promo copy"))[0] == [("promo copy",)] * 3


@pytest.mark.parametrize("cell", ["主体/LOGO", "主体 / LOGO", "主体／LOGO", "主体+LOGO", "主体&LOGO", "主体\\LOGO"])
def test_a_slash_stands_between_labels_that_are_labels_of_their_own(cell: str) -> None:
    assert labels_of(rows(cell, "主体", "LOGO"))[0][0] == ("主体", "LOGO")
    named, _, notes = labels_of(rows(cell, "价格"))
    assert named[0] == (cell,)
    assert notes == [f"label {cell!r} is read as one label: put | where several are meant"]
    for others in (("主体",), ("主体/价格",), ("价格|LOGO",)):
        with pytest.raises(ValueError, match=r"items\.csv, line 2, column labels: .*may be one label or several"):
            labels_of(rows(cell, *others))


def test_a_space_is_part_of_a_name_unless_both_parts_are_names() -> None:
    assert labels_of(rows("gift box", "gift", "价格"))[0] == [("gift box",), ("gift",), ("价格",)]
    with pytest.raises(ValueError, match=r"line 3, column labels: '主体 LOGO' may be one label or several"):
        labels_of(rows("主体|LOGO", "主体 LOGO"))


def test_an_empty_cell_has_no_label() -> None:
    assert labels_of(rows("", "|", " , "))[0] == [(), (), ()]


def test_the_nearest_name_is_found() -> None:
    spellings = Spellings(["LOGO", "price tag"])
    assert (spellings.of("LOGOS"), spellings.near("LOGOS"), spellings.near("Price-Tag")) == (None, "LOGO", "price tag")
    assert Spellings([]).near("x") == ""
