"""Tables are read as spreadsheets write them; what is not clear is refused with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagloom.datasets.tables import Columns, Table, read_table

COLUMNS = Columns(("id", "title", "labels"), ("product_id", "view"), "text:")


def read(folder: Path, text: str) -> Table:
    (folder / "t.csv").write_bytes(text.encode())
    return read_table(folder / "t.csv", COLUMNS)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("id,title,labels\na,x y,z\n", ""),
        ("id,title,labels\r\na,x y,z\r\n", ""),
        ("id,title,labels\ra,x y,z\r", ""),
        ("\ufeffid,title,labels\na,x y,z", ""),
        ("id;title;labels\na;x y;z\n", "semicolons"),
        ("id\ttitle\tlabels\na\tx y\tz\n", "tabs"),
        ("id|title|labels\na|x y|z\n", "vertical bars"),
        (" ID , Title,ＬＡＢＥＬＳ\n a ,  x y\u3000,\u200bz \n", ""),
        ('"id","title","labels"\n"a", "x y","z"\n', ""),
        ("\n\nid,title,labels\n\n,,\na,x y,z\n\n", ""),
        ("id,title,labels,,\na,x y,z,,\n", ""),
        ("id,title,labels\na,x y,z,,,\n", ""),
    ],
)
def test_forms_of_the_same_table_say_the_same(tmp_path: Path, text: str, note: str) -> None:
    table = read(tmp_path, text)
    (row,) = table.rows
    assert (row["id"], row["title"], row["labels"], row["view"]) == ("a", "x y", "z", "")
    assert [note in told for told in table.notes] == [True] * bool(note)


def test_a_header_decides_the_separator_not_the_cells(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "id,title,labels\na,one;two;three;four,x|y\n").rows
    assert (row["title"], row["labels"]) == ("one;two;three;four", "x|y")


def test_rows_are_counted_by_where_they_begin(tmp_path: Path) -> None:
    rows = read(tmp_path, 'id,title,labels\na,"two\nlines",x\n\nb,one,y\n').rows
    assert [(row.line, row["title"]) for row in rows] == [(2, "two\nlines"), (5, "one")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"t\.csv is empty: put a table with the columns id, title, labels there"),
        ("\ufeff \n\n", r"t\.csv is empty"),
        ("id,title\n", r"t\.csv, line 1: column labels is missing: add it to the header$"),
        ("id,title,label\n", "line 1: column labels is missing: add it to the header, or rename column label"),
        ("\n\nid,titel,labels\n", "line 3: column title is missing: .*rename column titel"),
        ("id,title,labels,Labels\na,b,c,d\n", "line 1: column labels stands twice: rename or remove one"),
        ("id,title,labels,text:a,text:a\n", "line 1: column text:a stands twice"),
        ("id,title,labels\na,b\n", r"line 2: not as many cells as the header has \(2, not 3\)"),
        ("id,title,labels\na,b,x,y\n", r"line 2: not as many cells as the header has \(4, not 3\): put quotes"),
        ('id,title,labels\na,b,x\nb,"open,y\nc,d,z\n', "line 3: a cell cannot be read .*put quotes around the whole"),
        ('id,title,labels\na,"b" c,x\n', "line 2: a cell cannot be read"),
        ("id,title,labels\na,b," + "x" * 200_000 + "\n", "line 2: a cell cannot be read"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(tmp_path, text)


def test_an_optional_column_that_seems_misspelt_is_told(tmp_path: Path) -> None:
    table = read(tmp_path, "id,title,labels,productid,remark,remark\na,b,c,d,e,f\n")
    assert [note.partition(": ")[2] for note in table.notes] == [
        "column productid is not read: name it product_id if that is what it is"
    ]


def test_a_fault_of_a_cell_names_file_line_and_column(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "id,title,labels\na,b,c\n").rows
    assert str(row.fault("title", "too short: write more")) == (
        f"{tmp_path / 't.csv'}, line 2, column title: too short: write more"
    )
