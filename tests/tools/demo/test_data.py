"""Gold and test stay apart; shuffled gold is wrong for everybody."""

import random
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from model.items import Box
from tagloom_base.errors import UserError
from testing.dataset import folder_of
from tools.demo.data import Subject, cast, shuffled, split


def subjects(products: int, views: int = 4) -> list[Subject]:
    return [
        Subject(Path(f"{i}.png"), (8, 8), str(i), ("", ""), frozenset({str(i)}), None, f"p{i // views}")
        for i in range(products * views)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_no_product_is_in_gold_and_test(seed: int) -> None:
    gold, test, spare = split(subjects(100), test=240, gold=150, seed=seed)
    assert len(gold) == 150
    assert 240 <= len(test) < 244
    assert len(spare) == 400 - 150 - len(test)
    assert not {one.product for one in (*gold, *spare)} & {one.product for one in test}


def test_scarce_data_are_shared_by_both() -> None:
    gold, test, _ = split(subjects(20), test=240, gold=150, seed=1)
    assert len(test) == 40
    assert len(gold) == 40


def test_the_seed_decides() -> None:
    first, again, other = (split(subjects(50), test=80, gold=50, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_shuffled_gold_leaves_nobody_his_own() -> None:
    gold = subjects(10)
    random.Random(0).shuffle(gold)
    wrong = shuffled(gold, seed=3)
    assert [one.picture for one in wrong] == [one.picture for one in gold]
    assert all(one.labels != own.labels for one, own in zip(wrong, gold, strict=True))
    assert sorted(map(str, (one.labels for one in wrong))) == sorted(map(str, (one.labels for one in gold)))


def test_a_folder_becomes_a_cast(tmp_path: Path) -> None:
    people = cast(folder_of(tmp_path, 60), test=20, gold=15, pool=5, seed=1)
    assert people.labels == ("主体", "LOGO")
    assert len(people.gold) == 15
    assert len(people.pool) == 5
    assert all(not one.labels for one in people.pool)
    assert people.test[0].industry == ("食品", "坚果")
    assert people.test[0].boxes is None
    assert people.test[0].size == (8, 8)


def test_doubtful_boxes_and_named_regions_are_ignored(tmp_path: Path) -> None:
    boxes = "i0,LOGO,10,20,30,40,text=1.0 2.0 3.0 4.0\ni0,主体,0,0,50,50,doubtful: cut off"
    people = cast(folder_of(tmp_path, 60, boxes), test=48, gold=15, pool=0, seed=1)
    (boxed,) = [one.boxes for one in (*people.test, *people.gold) if one.boxes]
    (gold,) = boxed.boxes
    assert gold.label == "LOGO"
    assert gold.box.iou(Box(0.1, 0.2, 0.4, 0.6)) == pytest.approx(1)
    assert {one.label for one in boxed.ignored} == {"主体", "LOGO"}
    assert len(boxed.ignored) == 2  # a second reading counts for the label that it is a reading of


def test_a_turned_photograph_has_the_size_that_is_shown(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 60)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for path in folder.glob("*.png"):
        Image.new("RGB", (8, 4)).save(path, exif=exif)
    assert cast(folder, test=20, gold=15, pool=5, seed=1).test[0].size == (4, 8)


def test_missing_and_broken_pictures_are_left_out_and_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 60)
    (folder / "3.png").unlink()
    (folder / "7.png").write_bytes(b"\x89PNG broken")
    whole = (folder / "9.png").read_bytes()
    (folder / "9.png").write_bytes(whole[:30] + b"spoilt" + whole[36:])  # its head alone can be read
    people = cast(folder, test=48, gold=15, pool=20, seed=1)
    pictures = {one.picture.name for one in (*people.gold, *people.test, *people.pool)}
    assert len(pictures) == 57
    assert not pictures & {"3.png", "7.png", "9.png"}
    missing, broken = people.notes
    assert "1 of 60 items are left out" in missing
    assert "picture 3.png is not there" in missing
    assert "2 of 59 items are left out" in broken
    assert "7.png: the picture cannot be read" in broken
    assert "9.png: " in broken


def test_with_too_few_pictures_left_it_says_which_are_missing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 24)
    for name in range(18):
        (folder / f"{name}.png").unlink()
    with pytest.raises(
        UserError, match=r"at least 2, 10 and 1 are needed.*; 18 of 24 items are left out.*0\.png is not"
    ):
        cast(folder, test=20, gold=15, pool=5, seed=1)


def test_too_little_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 2, 10 and 1 are needed"):
        cast(folder_of(tmp_path, 6), test=20, gold=15, pool=5, seed=1)


def test_broken_data_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"items\.csv"):
        cast(tmp_path, test=20, gold=15, pool=5, seed=1)
