"""Boxes are read in percent; what is clear is made so, the rest refused with line and column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tagloom.datasets.box_table import Boxes, GoldBox, read_boxes
from tagloom.datasets.labels import Spellings

HEADER = "id,label,x,y,width,height"


def read(folder: Path, *rows: str, header: str = HEADER) -> Boxes:
    (folder / "boxes.csv").write_text("\n".join((header, *rows)) + "\n", "utf-8")
    return read_boxes(folder / "boxes.csv", {"a", "b", "item-7"}, Spellings(["主体", "LOGO", "文案"]))


def test_percent_is_read_as_it_is_and_nothing_is_told(tmp_path: Path) -> None:
    boxes = read(tmp_path, "a,主体,-0.2,0,100.4,100", "a,LOGO,1,2,.5,40", "b,LOGO,99,99,1,1")
    assert boxes.of["a"] == [GoldBox("主体", -0.2, 0, 100.4, 100), GoldBox("LOGO", 1, 2, 0.5, 40)]
    assert boxes.notes == ()
    assert read_boxes(tmp_path / "none.csv", set(), Spellings([])) == Boxes({})
    assert read(tmp_path) == Boxes({})


@pytest.mark.parametrize(
    ("rows", "box", "note"),
    [
        (["a,LOGO,.1,.2,.3,.4"], GoldBox("LOGO", 10, 20, 30, 40), "fractions"),
        (["a,LOGO,0,0,1,1", "b,主体,.5,.5,.25,.25"], GoldBox("LOGO", 0, 0, 100, 100), "fractions"),
        (['a,LOGO,"10,5",20,30,40'], GoldBox("LOGO", 10.5, 20, 30, 40), r"comma in a number .*'10,5', 1 cells"),
        (["a,LOGO,10%,20 %,30％,40"], GoldBox("LOGO", 10, 20, 30, 40), r"percent signs .*'10%', 3 cells"),
        (["a,LOGO,0.1%,0.1%,0.4%,0.4%"], GoldBox("LOGO", 0.1, 0.1, 0.4, 0.4), "percent signs"),
        (["a,logo,10,20,30,40"], GoldBox("LOGO", 10, 20, 30, 40), ""),
        (["a, ＬＯＧＯ ,10,20,30,40"], GoldBox("LOGO", 10, 20, 30, 40), ""),
    ],
)
def test_what_is_clear_is_made_percent_and_told(tmp_path: Path, rows: list[str], box: GoldBox, note: str) -> None:
    boxes = read(tmp_path, *rows)
    (found,) = boxes.of["a"]
    numbers = (found.x, found.y, found.width, found.height)
    assert numbers == pytest.approx((box.x, box.y, box.width, box.height))
    assert found.label == box.label
    if note:
        (told,) = boxes.notes
        assert re.search(note, told)
    else:
        assert boxes.notes == ()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["a,LOGO,10,20,30,40", "a,主体,.1,.2,.3,.4"], "line 3, column x to height: this box is in fractions"),
        (["a,LOGO,nan,20,30,40"], "line 2, column x: x 'nan' is not a number"),
        (["a,LOGO,1,2,inf,40"], "line 2, column width: width 'inf' is not a number"),
        (["a,LOGO,1,2,3,"], "line 2, column height: height '' is not a number"),
        (['a,LOGO,"1,000,5",2,3,4'], "line 2, column x: x '1,000,5' is not a number"),
        (["a,LOGO,1e999,2,3,4"], "line 2, column x: x '1e999' is not a number"),
        (["a,LOGO,-9,2,30,4"], "line 2, column x to height: box -9 2 30 4 leaves the picture: give percent"),
        (["a,LOGO,60,2,50,4"], "box 60 2 50 4 leaves the picture: give percent"),
        (["a,LOGO,120,80,400,300"], r"leaves the picture \(are these pixels\?\): give percent"),
        (["a,LOGO,10,20,0,40"], "column width and height: box 10 20 0 40 has no area"),
        (["a,LOGO,10,20,-5,40"], "has no area"),
        (["a,LOGOO,10,20,5,40"], r"line 2, column label: no item .*'LOGOO' \(the nearest is 'LOGO'\): write it as"),
        (["a,主体|LOGO,10,20,5,40"], "line 2, column label: no item"),
        (["a,,10,20,5,40"], "line 2, column label: the label is empty"),
        (["item7,LOGO,1,2,3,4"], r"line 2, column id: id item7 is not in items.csv \(the nearest is item-7\)"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, rows: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=rf"boxes\.csv, .*{told}"):
        read(tmp_path, *rows)


def test_a_decimal_comma_needs_no_quotes_where_semicolons_stand_between_cells(tmp_path: Path) -> None:
    boxes = read(tmp_path, "a;LOGO;10,5;20;30;40", header=HEADER.replace(",", ";"))
    assert boxes.of["a"] == [GoldBox("LOGO", 10.5, 20, 30, 40)]
    assert len(boxes.notes) == 2


def test_regions_beside_a_box_are_read_and_checked(tmp_path: Path) -> None:
    header = HEADER + ",extra"
    (box,) = read(tmp_path, "a,LOGO,1,2,3,40,block(x)=1 2 3 4; gift_text=5 6 7 8 (small); worn", header=header).of["a"]
    assert box.regions() == [("block", (1, 2, 3, 4)), ("gift_text", (5, 6, 7, 8))]
    for broken in ("ignore=1.2.3 4 5 6", "text=1 2 3", "group=nan 1 2 3"):
        with pytest.raises(ValueError, match=r"line 2, column extra: region .* has no four numbers"):
            read(tmp_path, f"a,LOGO,1,2,3,40,{broken}", header=header)
    with pytest.raises(ValueError, match=r"line 2, column extra: boxes are fractions, but regions here are percent"):
        read(tmp_path, "a,LOGO,.1,.2,.3,.4,text=1 2 3 4", header=header)


def test_an_empty_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").touch()
    with pytest.raises(ValueError, match=r"boxes\.csv is empty"):
        read_boxes(tmp_path / "boxes.csv", {"a"}, Spellings(["LOGO"]))
