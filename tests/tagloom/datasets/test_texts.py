"""Text files are read in the encoding that they have, or refused with file, line and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagloom.datasets.texts import text_of

TABLE = "id,image,title,level1,level2,labels\na,a.png,电水壶 家用大容量,家电,水壶,主体|价格\n"


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("gbk", r"GB18030"),
        ("gb2312", r"GB18030"),
        ("gb18030", r"GB18030"),
    ],
)
def test_what_spreadsheets_write_is_read_and_told(tmp_path: Path, codec: str, told: str) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(TABLE.encode(codec))
    text = text_of(path)
    assert text.content == TABLE
    assert [told in note and "items.csv is no UTF-8" in note for note in text.notes(path)] == [True] * bool(told)


@pytest.mark.parametrize(
    ("words", "codec"),
    [
        ("電水壺 家用大容量,家電,水壺,主體|價格", "big5"),
        ("Чайник электрический,Техника,Чайники,Цена", "cp1251"),
        ("Cafetière électrique,Ménager,Théière,Prix d'été", "cp1252"),
        ("電気ケトル 大容量,家電,ケトル,価格|ロゴ", "shift_jis"),
        ("電気ケトル 大容量,家電,ケトル,価格|ロゴ", "euc_jp"),
        ("전기 주전자 대용량,가전,주전자,가격", "euc_kr"),
    ],
)
def test_other_encodings_are_refused_and_never_read_as_chinese(tmp_path: Path, words: str, codec: str) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(f"id,image,title,level1,level2,labels\na,a.png,{words}\n".encode(codec))
    with pytest.raises(ValueError, match=r"items\.csv, line 2: this is no UTF-8 text: save it again as UTF-8"):
        text_of(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (TABLE.encode() + "b,坏".encode("gbk"), "line 3: this is no UTF-8 text"),
        (b"\xff\xfei\0d\0,", "line 1: this is no UTF-16 text"),
        (b"id,image\na\0,b\n", "line 2: there is a NUL character"),
        (b"PK\x03\x04" + bytes(30), "is a workbook or an archive: save its table as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a workbook or an archive"),
    ],
)
def test_what_cannot_be_read_surely_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=told):
        text_of(path)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.csv is not there"):
        text_of(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="is a folder: name a file"):
        text_of(tmp_path)
    with pytest.raises(ValueError, match=r"cannot be read \(File name too long\)"):
        text_of(tmp_path / ("x" * 300))


def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(TABLE, "utf-8")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # who may read everything
        os.seteuid(65534)
    try:
        with pytest.raises(ValueError, match=r"items\.csv cannot be read \(Permission denied\)"):
            text_of(path)
    finally:
        os.seteuid(user)
