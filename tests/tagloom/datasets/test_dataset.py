"""The reader: what it accepts, and that each fault is named with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tagloom.datasets.dataset import load

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
        ((ROW, ROW), HEADER, (), r"items.csv, line 3, column id: id a stands twice"),
        ((",a.png,t,l,m,",), HEADER, (), r"items.csv, line 2, column id: the id is empty"),
        (("a,b.png,t,l,m,",), HEADER, (), r"items.csv, line 2, column image: picture b.png is not there"),
        (("a,,t,l,m,",), HEADER, (), r"items.csv, line 2, column image: picture \(empty\)"),
        (("a,a.png,t",), HEADER, (), r"items.csv, line 2: not as many cells"),
        (("a,a.png,t,l,m,,x",), HEADER + ",view", (), r"line 2, column view: view 'x' is not a whole number"),
        ((ROW,), HEADER, ("id,label,x,y,width",), r"boxes.csv, line 1: column height is missing"),
        ((ROW,), HEADER, (BOXES, "z,主体,1,1,1,1"), r"boxes.csv, line 2, column id: id z is not in items.csv"),
        ((ROW,), HEADER, (BOXES, "a,主体,1,one,1,1"), r"boxes.csv, line 2, column y: y 'one' is not a number"),
        ((ROW,), HEADER, (BOXES, "a,主体,1,nan,1,1"), r"boxes.csv, line 2, column y: y 'nan' is not a number"),
        ((ROW,), HEADER, (BOXES, "a,主体,60,1,50,1"), r"line 2, column x to height: box 60 1 50 1 leaves"),
        ((ROW,), HEADER, (BOXES, "a,,1,1,1,1"), r"boxes.csv, line 2, column label: the label is empty"),
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
    with pytest.raises(ValueError, match=r"items.csv, line 2, column image: there are boxes for a but no picture"):
        load(folder, need_pictures=False)


def test_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"items.csv is not there"):
        load(tmp_path)


def test_broken_picture_is_named_when_opened(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ROW)
    (folder / "a.png").write_bytes(b"not a picture")
    (sample,) = load(folder)
    with pytest.raises(ValueError, match=r"a.png: sample a: the picture cannot be read"):
        sample.open()


def test_one_missing_picture_is_left_out_and_told_and_all_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "c.png").mkdir()
    rows = ("a,a.png,t,l,m,主体", "b,b.png,t,l,m,LOGO", "c,c.png,t,l,m,LOGO", "d,,t,l,m,LOGO")
    boxes = (BOXES, "b,LOGO,1,1,9,9")
    data = load(_folder(tmp_path, *rows, boxes=boxes))
    assert [sample.id for sample in data] == ["a"]
    (note,) = data.notes
    assert note.startswith("3 of 4 items are left out, their pictures cannot be had: ")
    assert "line 3, column image: picture b.png is not there" in note
    assert "line 4, column image: picture c.png is a folder" in note
    assert "line 5, column image: picture (empty) is not there" in note
    with pytest.raises(ValueError, match=r"none of 3 pictures can be had .*: correct the image cells or add the files"):
        load(_folder(tmp_path, *rows[1:]))


def test_of_very_many_missing_pictures_the_first_are_named(tmp_path: Path) -> None:
    rows = [f"i{i},{i}.png,t,l,m,主体" for i in range(90)]
    (note,) = load(_folder(tmp_path, ROW, *rows)).notes
    assert "90 of 91 items" in note
    assert note.count("is not there") == 20
    assert note.endswith("; and 70 more")


@pytest.mark.parametrize(
    "cell", ["sub\\a.png", ".\\sub\\a.png", "./sub/a.png", "ABSOLUTE", "sub/é.png", "sub/e\u0301.png"]
)
def test_paths_are_found_as_windows_and_other_disks_write_them(tmp_path: Path, cell: str) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "é.png"):
        Image.new("RGB", (20, 10)).save(tmp_path / "sub" / name)
    path = cell.replace("ABSOLUTE", str(tmp_path / "sub" / "a.png"))
    (sample,) = load(_folder(tmp_path, f"a,{path},t,l,m,主体"))
    assert sample.open().size == (20, 10)


def test_how_the_files_were_read_is_told_once(tmp_path: Path) -> None:
    rows = ('a,a.png,t,l,m,"主体，logo"', "b,a.png,t,l,m, LOGO ", "c,a.png,t,l,m,LOGO", 'd,a.png,t,l,m,"主体，LOGO"')
    data = load(_folder(tmp_path, *rows, boxes=(BOXES, "b,Logo,.1,.1,.5,.5", "c,主体,.1,.1,.5,.5")))
    assert data.labels() == ("LOGO", "主体")
    assert [note.replace(str(tmp_path), "") for note in data.notes] == [
        "/items.csv, line 2: '主体，logo' is read as 主体|logo, and so is 1 more",
        "label 'logo' is read as 'LOGO'",
        "boxes.csv has fractions of the picture: they are read as percent, 0.5 as 50",
        "1 of 4 items has boxes of labels that its labels cell lacks, such as c: correct one",
    ]


def test_gbk_with_semicolons_says_what_utf_8_with_commas_does(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (plain,) = load(_folder(tmp_path / "plain", "a,a.png,电水壶 家用大容量,家电,水壶,主体|价格"))
    _folder(tmp_path)
    text = f"{HEADER}\r\na,a.png,电水壶 家用大容量,家电,水壶,主体|价格\r\n".replace(",", ";")
    (tmp_path / "items.csv").write_bytes(text.encode("gbk"))
    data = load(tmp_path)
    (odd,) = data
    assert (odd.title, odd.labels, odd.product_id) == (plain.title, plain.labels, plain.product_id)
    assert len(data.notes) == 2


@pytest.mark.parametrize("split", ["unlabelled", "Unlabelled", " unlabeled "])
def test_unlabelled_is_known_in_both_spellings(tmp_path: Path, split: str) -> None:
    (sample,) = load(_folder(tmp_path, f"a,a.png,t,l,m,,{split}", header=HEADER + ",split"))
    assert not sample.labelled


def test_a_header_alone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"items\.csv has a header and nothing else: add a row"):
        load(_folder(tmp_path))
