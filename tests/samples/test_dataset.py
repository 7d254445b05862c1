"""The reader: what it accepts, and that each fault is named with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from samples.dataset import load

HEADER = "id,image,title,level1,level2,labels"
BOXES = "id,label,x,y,width,height"


def _folder(path: Path, *rows: str, header: str = HEADER, boxes: tuple[str, ...] = ()) -> Path:
    Image.new("RGB", (20, 10)).save(path / "a.png")
    (path / "items.csv").write_text("\n".join((header, *rows)) + "\n", "utf-8")
    if boxes:
        (path / "boxes.csv").write_text("\n".join(boxes) + "\n", "utf-8")
    return path


def test_needed_columns_suffice(tmp_path: Path) -> None:
    (sample,) = load(_folder(tmp_path, "a,a.png,Vel 手表 A1,腕表,男表,主体|LOGO"))
    assert sample.labels == ("主体", "LOGO")
    assert (sample.product_id, sample.view, sample.labelled, sample.boxed) == ("vel手表a1", 1, True, False)
    assert sample.open().size == (20, 10)


def test_unlabelled_rows_are_marked(tmp_path: Path) -> None:
    rows = ("a,a.png,t,l,m,,p1,2,unlabelled,s", "b,a.png,t,l,m,,p1,3,labelled,")
    data = load(_folder(tmp_path, *rows, header=HEADER + ",product_id,view,split,subtitle"))
    assert [(s.labelled, s.product_id, s.view, s.subtitle) for s in data] == [
        (False, "p1", 2, "s"),
        (True, "p1", 3, ""),
    ]
    assert len(data.labelled()) == 1


def test_boxes_and_extra_are_read(tmp_path: Path) -> None:
    boxes = (BOXES + ",extra", "a,赠品,1,2,30,40,gift_text=1 2 3 4")
    (sample,) = load(_folder(tmp_path, "a,a.png,t,l,m,赠品", boxes=boxes))
    assert sample.boxed
    assert (sample.boxes[0].width, sample.boxes[0].extra) == (30.0, "gift_text=1 2 3 4")


ROW = "a,a.png,t,l,m,主体"


@pytest.mark.parametrize(
    ("rows", "header", "boxes", "said"),
    [
        ((ROW,), "id,image,title,level1,level2", (), r"items.csv, line 1: column labels is missing: add"),
        ((ROW, ROW), HEADER, (), r"items.csv, line 3: id a stands twice"),
        ((",a.png,t,l,m,",), HEADER, (), r"items.csv, line 2: the id is empty"),
        (("a,b.png,t,l,m,",), HEADER, (), r"items.csv, line 2: picture b.png is not there"),
        (("a,,t,l,m,",), HEADER, (), r"items.csv, line 2: picture \(empty\)"),
        (("a,a.png,t",), HEADER, (), r"items.csv, line 2: not as many cells"),
        (("a,a.png,t,l,m,,x",), HEADER + ",view", (), r"items.csv, line 2: view 'x' is not a whole number"),
        ((ROW,), HEADER, ("id,label,x,y,width",), r"boxes.csv, line 1: column height is missing"),
        ((ROW,), HEADER, (BOXES, "z,主体,1,1,1,1"), r"boxes.csv, line 2: id z is not in items.csv"),
        ((ROW,), HEADER, (BOXES, "a,主体,1,one,1,1"), r"boxes.csv, line 2: y 'one' is not a number"),
        ((ROW,), HEADER, (BOXES, "a,主体,1,nan,1,1"), r"boxes.csv, line 2: y 'nan' is not a number"),
        ((ROW,), HEADER, (BOXES, "a,主体,60,1,50,1"), r"boxes.csv, line 2: box 60 1 50 1 leaves the picture"),
        ((ROW,), HEADER, (BOXES, "a,,1,1,1,1"), r"boxes.csv, line 2: the label is empty"),
    ],
)  # fmt: skip
def test_faults_are_named(
    tmp_path: Path, rows: tuple[str, ...], header: str, boxes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        load(_folder(tmp_path, *rows, header=header, boxes=boxes))


def test_columns_of_further_texts_are_read(tmp_path: Path) -> None:
    header = HEADER + ",subtitle,text:description,text:评价"
    (sample,) = load(_folder(tmp_path, "a,a.png,t,l,m,主体,aside,新品,", header=header))
    assert sample.texts == {"description": "新品"}


def test_items_without_a_picture_are_read_where_none_is_needed(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "a,,Vel 手表,腕表,男表,主体")
    (sample,) = load(folder, need_pictures=False)
    assert (sample.picture, sample.labels) == (None, ("主体",))
    with pytest.raises(ValueError, match="sample a has no picture: name one"):
        sample.open()
    (folder / "boxes.csv").write_text(f"{BOXES}\na,主体,1,1,9,9\n", "utf-8")
    with pytest.raises(ValueError, match=r"items.csv, line 2: there are boxes for a but no picture"):
        load(folder, need_pictures=False)


def test_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"items.csv: there is no such file"):
        load(tmp_path)


def test_broken_picture_is_named_when_opened(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ROW)
    (folder / "a.png").write_bytes(b"not a picture")
    (sample,) = load(folder)
    with pytest.raises(ValueError, match=r"a.png: sample a: the picture cannot be read"):
        sample.open()
