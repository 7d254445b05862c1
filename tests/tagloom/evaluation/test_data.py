"""Label Studio's exports are read as folders are."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tagloom.datasets.box_table import GoldBox
from tagloom.evaluation.data import gold_picture, read
from worker.corpus.families import family_of

RECTANGLE: dict[str, Any] = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0, "rotation": 0}
DATA = {"image": "/data/upload/1/0a1b2c3d-a%20b.jpg", "title": "Nova/诺瓦 电水壶", "level1": "家电", "level2": "水壶"}
Entries = list[dict[str, Any]]


def annotation(*labels: str, box: str = "", **more: Any) -> dict[str, Any]:
    result: Entries = [{"from_name": "tag", "to_name": "image", "type": "choices", "value": {"choices": list(labels)}}]
    if box:
        drawn = {**RECTANGLE, "rectanglelabels": [box]}
        result.append({"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": drawn})
    return {"id": 1, "result": result, "was_cancelled": False, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a b.jpg", "0a1b2c3d-b.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    return tmp_path


def written(folder: Path, entries: object) -> Path:
    path = folder / "export.json"
    path.write_text(json.dumps(entries, ensure_ascii=False), "utf-8")
    return path


def test_json_has_tags_boxes_texts_and_unlabelled_tasks(folder: Path) -> None:
    tasks = [
        {"id": 7, "data": DATA, "annotations": [annotation("主体", "价格", box="价格")]},
        {"id": 8, "data": {**DATA, "image": "/data/upload/1/0a1b2c3d-b.jpg"}, "annotations": []},
    ]
    first, second = read(written(folder, tasks))
    assert (first.image, first.title, first.level1, first.level2) == (folder / "a b.jpg", DATA["title"], "家电", "水壶")
    assert first.labels == ("主体", "价格")
    assert first.boxes == (GoldBox("价格", 10, 20, 30, 40),)
    assert (first.labelled, first.boxed, second.labelled, second.boxed) == (True, True, False, False)
    assert first.product_id == second.product_id


def test_annotators_are_merged_and_skips_say_nothing(folder: Path) -> None:
    annotations = [
        annotation("主体", "LOGO"),
        annotation("主体"),
        annotation("主体"),
        annotation("价格", was_cancelled=True),
    ]
    (sample,) = read(written(folder, [{"id": 7, "data": DATA, "annotations": annotations}]))
    assert sample.labels == ("主体",)
    assert not sample.boxed


def test_json_min_says_the_same(folder: Path) -> None:
    about = {"id": 7, "annotator": 1, "annotation_id": 3, "created_at": "", "updated_at": "", "lead_time": 2.0}
    drawn = [{**RECTANGLE, "rectanglelabels": ["价格"], "original_width": 8, "original_height": 8}]
    entries: Entries = [
        {**DATA, **about, "tag": {"choices": ["主体", "价格"]}, "box": drawn},
        {**DATA, **about, "id": 8, "tag": "LOGO"},
    ]
    first, second = read(written(folder, entries))
    assert (first.labels, second.labels) == (("主体", "价格"), ("LOGO",))
    assert first.boxes == (GoldBox("价格", 10, 20, 30, 40),)
    assert first.title == DATA["title"]


@pytest.mark.parametrize("nothing", [{}, {"image": ""}, {"image": None}])
def test_tasks_without_a_picture_are_read_by_their_texts(folder: Path, nothing: dict[str, Any]) -> None:
    bare = {"title": "只有标题", "level1": "家电", **nothing}
    tasks = [
        {"id": 7, "data": {"note": "x", **nothing}, "annotations": [annotation("主体", box="价格")]},
        {"id": 8, "data": bare, "annotations": [annotation("LOGO")]},
        {"id": 9, "data": DATA, "annotations": [annotation("价格")]},
    ]
    untitled, titled, seen = read(written(folder, tasks))
    assert (untitled.picture, titled.picture, seen.picture) == (None, None, folder / "a b.jpg")
    assert (untitled.title, titled.title, seen.title) == ("", "只有标题", DATA["title"])
    assert (untitled.product_id, untitled.boxed, titled.labels) == ("task 7", False, ("LOGO",))
    assert len({sample.id for sample in (untitled, titled, seen)}) == 3


def test_each_task_has_the_picture_that_its_address_ends_as(tmp_path: Path) -> None:
    for name in ("p1/1.png", "p2/1.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    addresses = {7: "s3://bucket/p1/1.png", 8: "/data/local-files/?d=p2/1.png"}
    tasks = [
        {"id": number, "data": {"image": address}, "annotations": [annotation("主体")]}
        for number, address in addresses.items()
    ]
    samples = read(written(tmp_path, tasks))
    assert [sample.image for sample in samples] == [tmp_path / "p1/1.png", tmp_path / "p2/1.png"]
    assert len({sample.product_id for sample in samples}) == 2


def test_families_and_industry_are_those_that_a_worker_makes_with_the_same_settings(folder: Path) -> None:
    data: Entries = [
        {**DATA, "sku": "A-1", "shop": "一店"},
        {**DATA, "sku": "a 1", "title": "另一个标题", "shop": "一店"},
        {**DATA, "sku": "A-2", "shop": "二店"},
    ]
    tasks = [{"id": 7 + i, "data": told, "annotations": [annotation("主体")]} for i, told in enumerate(data)]
    source = written(folder, tasks)
    one, two, three = read(source)
    assert one.product_id == three.product_id != two.product_id
    one, two, three = read(source, family_key="sku", industry_keys=("shop",))
    assert one.product_id == two.product_id != three.product_id
    for sample, told, number in zip((one, two, three), data, (7, 8, 9), strict=True):
        assert sample.product_id == family_of(told["title"], told, number, "sku")
        assert (sample.level1, sample.level2) == (told["shop"], "")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "no list of tasks"),
        ([], "no list of tasks"),
        ([{"data": DATA, "annotations": []}], "label some tasks"),
        ([{"data": {"title": "x"}, "annotations": [annotation("主体")]}], "names a picture"),
        ([{"data": {"image": "c.png"}, "annotations": [annotation("主体")]}], "c.png.*--pictures"),
    ],
)
def test_what_cannot_be_evaluated_is_told(folder: Path, entries: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(written(folder, entries))


def test_files_that_are_not_there_or_no_json_are_told(folder: Path) -> None:
    with pytest.raises(ValueError, match="not there"):
        read(folder / "none.json")
    (folder / "odd.json").write_text("id,image")
    with pytest.raises(ValueError, match="no JSON"):
        read(folder / "odd.json")


def test_regions_to_ignore_are_no_gold() -> None:
    boxes = [GoldBox("价格", 10, 10, 20, 20, "ignore=1 2 3 4"), GoldBox("LOGO", 0, 0, 9, 9, "doubtful: worn")]
    picture = gold_picture(boxes, ("LOGO", "价格"))
    assert [entry.label for entry in picture.boxes] == ["价格"]
    assert sorted(entry.label for entry in picture.ignored) == ["LOGO", "LOGO", "价格"]
