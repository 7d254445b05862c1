"""Whatever Label Studio's own converter makes of annotations is read as its JSON export is."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk.converter.converter import Converter
from PIL import Image

from tagloom.datasets.box_table import GoldBox
from tagloom.datasets.dataset import Sample
from tagloom.evaluation.data import read

CONFIG = """<View>
  <Image name="image" value="$image"/><Text name="t" value="$title"/><Text name="d" value="$description"/>
  <Choices name="tag" toName="image" choice="multiple"><Choice value="主体"/><Choice value="LOGO"/></Choices>
  <RectangleLabels name="box" toName="image"><Label value="主体"/><Label value="LOGO"/></RectangleLabels>
</View>"""
RECTANGLE = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0, "rotation": 0}
TABLES = ["CSV", "TSV"]


def annotation(number: int, *labels: str, box: str = "") -> dict[str, Any]:
    said: list[dict[str, Any]] = [{"from_name": "tag", "type": "choices", "value": {"choices": list(labels)}}]
    if box:
        value = {**RECTANGLE, "rectanglelabels": [box]}
        said.append({"from_name": "box", "type": "rectanglelabels", "value": value, "original_width": 8,
                     "original_height": 8})  # fmt: skip
    return {
        "id": number, "completed_by": 1, "lead_time": 2.0, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": f"2026-01-01T00:00:0{number}Z", "result": [{"to_name": "image", **one} for one in said],
    }  # fmt: skip


def task(number: int, *annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": number, "data": data, "annotations": list(annotations)}


TASKS = [
    task(
        7, annotation(1, "主体", "LOGO", box="LOGO"), annotation(2, "主体"),
        image="/data/upload/1/0a1b2c3d-a.png", title='Nova, "新"\n[新品] {1}', description="第一\t第二", level1="家电",
    ),
    task(8, annotation(3, "LOGO"), image=None, title="只有标题", description="", level1="家电"),
]  # fmt: skip


def exported(folder: Path, form: str, tasks: list[dict[str, Any]] = TASKS) -> Path:
    """The file that the project's export has in this form, under the name that Label Studio gives it."""
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    source = folder / "export.json"
    source.write_text(json.dumps(tasks, ensure_ascii=False), "utf-8")
    if form == "JSON":
        return source
    converter: Any = Converter
    converter(CONFIG, str(folder)).convert(str(source), str(folder / form), form, is_dir=False)
    (made,) = (folder / form).iterdir()
    return made


def textless(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    return tuple(replace(sample, texts={}) for sample in samples)


@pytest.mark.parametrize("form", ["JSON_MIN", *TABLES])
def test_every_form_says_what_json_says(tmp_path: Path, form: str) -> None:
    full = read(exported(tmp_path, "JSON")).samples
    assert read(exported(tmp_path, form), tmp_path).samples == textless(full)
    first, second = full
    assert (first.labels, first.boxes) == (("主体",), (GoldBox("LOGO", 10, 20, 30, 40),))
    assert (first.title, first.texts) == ('Nova, "新"\n[新品] {1}', {"description": "第一\t第二"})
    assert (second.picture, second.labels, second.texts) == (None, ("LOGO",), {})


@pytest.mark.parametrize("form", ["JSON", "JSON_MIN", *TABLES])
def test_with_the_config_single_labels_are_known_and_texts_are_told(tmp_path: Path, form: str) -> None:
    config = tmp_path / "config.xml"
    config.write_text(CONFIG, "utf-8")
    single = [task(7, annotation(1, "LOGO"), image="a.png", title="x", description="y", secret="z")]
    (sample,) = read(exported(tmp_path, form, single), tmp_path, config)
    assert (sample.labels, sample.title, sample.texts) == (("LOGO",), "x", {"description": "y"})


@pytest.mark.parametrize("form", ["JSON_MIN", *TABLES])
def test_single_labels_alone_need_the_config_or_json(tmp_path: Path, form: str) -> None:
    single = [task(7, annotation(1, "LOGO"), image="a.png", title="x", description="y")]
    with pytest.raises(ValueError, match="as JSON, or name the labelling config by --config"):
        read(exported(tmp_path, form, single), tmp_path)


@pytest.mark.parametrize("form", TABLES)
def test_a_field_that_is_named_as_a_control_keeps_its_name(tmp_path: Path, form: str) -> None:
    config = tmp_path / "config.xml"
    config.write_text(CONFIG.replace("$title", "$tag"), "utf-8")
    (sample,) = read(
        exported(tmp_path, form, [task(7, annotation(1, "LOGO"), image="a.png", tag="x")]), tmp_path, config
    )
    assert (sample.title, sample.labels) == ("x", ("LOGO",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,image\n1,a.png\n", "no column annotation_id: export the project as"),
        ("", "export.csv is empty: export the project as"),
        ("id;annotation_id;tag;tag\n1;2;x;y\n", "line 1: column tag stands twice"),
        (
            'id,annotation_id,tag\n1,2,x\n2,3,"open\n4,5,z\n',
            "after line 2: unexpected end of data: export the project as JSON",
        ),
        ("id,annotation_id,tag\n", "label some tasks"),
        ("id,annotation_id,tag\n1,2\n", "line 2: not as many cells"),
        ("id,annotation_id,tag\n1,2,3,4\n", "line 2: not as many cells"),
        (f"id,annotation_id,tag\n1,2,{'x' * 200_000}\n", "export the project as JSON"),
    ],
)
def test_faults_of_a_table_are_told(tmp_path: Path, text: str, message: str) -> None:
    source = tmp_path / "export.csv"
    source.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        read(source)


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("codec", ["gbk", "utf-16", "utf-8-sig"])
def test_a_table_that_a_spreadsheet_saved_again_says_the_same(tmp_path: Path, form: str, codec: str) -> None:
    made = exported(tmp_path, form)
    whole = read(made, tmp_path)
    with made.open(encoding="utf-8", newline="") as text:
        rows = list(csv.reader(text, delimiter="," if form == "CSV" else "\t"))
    for separator in ",;\t":
        again = tmp_path / form / "again.csv"
        with again.open("w", encoding=codec, newline="") as text:
            csv.writer(text, delimiter=separator, lineterminator="\r\n").writerows(rows)
        data = read(again, tmp_path)
        assert data.samples == whole.samples
        assert any("is read as" in note for note in data.notes) == (codec in ("gbk", "utf-16"))


def test_other_encodings_and_mixed_forms_are_told(tmp_path: Path) -> None:
    source = tmp_path / "export.csv"
    source.write_text("id,annotation_id,Цена чайник\n", "cp1251")
    with pytest.raises(ValueError, match="no UTF-8 text: save it again"):
        read(source)
    mixed = tmp_path / "mixed.json"
    mixed.write_text(json.dumps([TASKS[0], {"id": 8}]), "utf-8")
    with pytest.raises(ValueError, match="some tasks have `data` and some not"):
        read(mixed)


def test_a_config_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    source, config = exported(tmp_path, "JSON"), tmp_path / "config.xml"
    with pytest.raises(ValueError, match=r"--config .*config\.xml is not there"):
        read(source, None, config)
    config.write_text("<View>", "utf-8")
    with pytest.raises(ValueError, match=r"config\.xml: .*not well-formed"):
        read(source, None, config)
    with pytest.raises(ValueError, match="leave --config out"):
        read(tmp_path, None, config)


def altered(folder: Path, change: Any) -> Path:
    """A JSON export of three tasks whose first one was changed by a hand."""
    tasks = [
        task(number, annotation(number, "LOGO", box="LOGO"), image="a.png", title=f"t{number}") for number in (1, 2, 3)
    ]
    exported(folder, "JSON", tasks)
    tasks[0] = change(tasks[0])
    source = folder / "export.json"
    source.write_text(json.dumps(tasks), "utf-8")
    return source


def with_result(result: Any) -> Any:
    return lambda task: {**task, "annotations": [{**task["annotations"][0], "result": result}]}


ODD: list[Any] = [
    None, 7, "x", [], {},
    {"type": "choices", "value": {"choices": ["LOGO"]}},
    {"from_name": "tag", "value": {"choices": ["LOGO"]}},
    {"from_name": "tag", "type": "choices"},
    {"from_name": "tag", "type": "choices", "value": None},
    {"from_name": "tag", "type": ["choices"], "value": {"choices": ["LOGO"]}},
    {"from_name": ["tag"], "type": "choices", "value": {"choices": ["LOGO"]}},
]  # fmt: skip


@pytest.mark.parametrize("config", [True, False])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_regions_that_cannot_be_read_are_passed_over_and_told(tmp_path: Path, odd: Any, config: bool) -> None:
    good = annotation(1, "LOGO", box="LOGO")["result"]
    source, xml = altered(tmp_path, with_result([odd, *good])), tmp_path / "config.xml"
    xml.write_text(CONFIG, "utf-8")
    data = read(source, None, xml if config else None)
    assert [sample.labels for sample in data] == [("LOGO",)] * 3
    (note,) = data.notes
    assert note.startswith("export.json: task 1 has annotations or regions without a from_name, type or value")


@pytest.mark.parametrize(
    "value",
    [{"choices": None}, {"choices": "LOGO"}, {"choices": [None, 3, ["LOGO"]]}, {"choices": {}}, {}, {"choices": [" "]}],
    ids=repr,
)
def test_odd_values_of_a_choice_end_nothing(tmp_path: Path, value: Any) -> None:
    region = {"from_name": "tag", "type": "choices", "value": value}
    assert len(read(altered(tmp_path, with_result([region])))) == 3


@pytest.mark.parametrize("edge", [None, "7", float("nan"), float("inf"), -1e300, True, []])
def test_odd_numbers_of_a_rectangle_end_nothing(tmp_path: Path, edge: Any) -> None:
    region = {
        "from_name": "box",
        "type": "rectanglelabels",
        "value": {**RECTANGLE, "x": edge, "rectanglelabels": ["LOGO"]},
    }
    assert len(read(altered(tmp_path, with_result([region])))) == 3


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        (None, False),
        ([], False),
        ([None], True),
        ("x", True),
        ({"id": 1}, True),
        ([7, "x"], True),
        ([{"id": 1}], False),
    ],
)
def test_annotations_that_are_none_leave_a_task_unlabelled(tmp_path: Path, annotations: Any, told: bool) -> None:
    data = read(altered(tmp_path, lambda task: {**task, "annotations": annotations}))
    assert [sample.labelled for sample in data] == [False, True, True]
    assert bool(data.notes) == told


def test_relations_between_regions_are_nothing_odd(tmp_path: Path) -> None:
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    good = annotation(1, "LOGO", box="LOGO")["result"]
    assert read(altered(tmp_path, with_result([relation, *good]))).notes == ()


def test_a_task_that_stands_twice_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"export\.json, entry 2: task 2 stands twice"):
        read(altered(tmp_path, lambda task: {**task, "id": 2}))


def test_one_missing_picture_is_left_out_and_all_missing_is_an_error(tmp_path: Path) -> None:
    source = altered(tmp_path, lambda task: {**task, "data": {**task["data"], "image": "s3://b/gone.png"}})
    data = read(source)
    assert [sample.title for sample in data] == ["t2", "t3"]
    assert data.notes == (
        "1 of 3 items are left out, their pictures cannot be had: task 1: "
        f"picture s3://b/gone.png is in no folder below {tmp_path}",
    )
    (tmp_path / "a.png").unlink()
    with pytest.raises(
        ValueError, match=r"none of 3 pictures can be had \(task 1: .*: name the folder .* by --pictures"
    ):
        read(source)
    with pytest.raises(ValueError, match=r"--pictures .*none is no folder"):
        read(source, tmp_path / "none")


def test_answers_that_the_config_does_not_know_are_told_and_refused_where_those_are_all(tmp_path: Path) -> None:
    source, config = altered(tmp_path, with_result(annotation(1, "LOGOS")["result"])), tmp_path / "config.xml"
    config.write_text(CONFIG, "utf-8")
    (note,) = read(source, None, config).notes
    assert note == (
        f"{config} has no label 'LOGOS' in control 'tag' (the nearest is 'LOGO'): 1 answers are not understood; "
        "labels beside them that were not given are unknown"
    )
    config.write_text(CONFIG.replace('"tag"', '"other"').replace('"box"', '"another"'), "utf-8")
    with pytest.raises(ValueError, match=r"config\.xml knows none of the 5 answers, such as 'LOGOS' of control 'tag'"):
        read(source, None, config)


def test_rectangles_as_fractions_are_refused(tmp_path: Path) -> None:
    source = altered(tmp_path, lambda task: task)
    text = source.read_text("utf-8")
    for percent, fraction in (("10.0", "0.1"), ("20.0", "0.2"), ("30.0", "0.3"), ("40.0", "0.4")):
        text = text.replace(percent, fraction)
    source.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"export\.json: all rectangles end at 1 % .* as if they were fractions"):
        read(source)


@pytest.mark.parametrize(
    ("text", "told"), [("", "is empty"), ("[" * 100_000, "is no JSON"), ("[1]", "entry 1 is none")]
)
def test_faults_of_a_json_file_are_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "export.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=rf"export\.json.* {told}"):
        read(tmp_path / "export.json")


@pytest.mark.parametrize("spelling", [" LOGO ", "logo", "ＬＯＧＯ"])
def test_spellings_of_a_label_are_one_label(tmp_path: Path, spelling: str) -> None:
    data = read(altered(tmp_path, with_result(annotation(1, spelling, "主体, 大", box=spelling)["result"])))
    assert data.labels() == ("LOGO", "主体, 大")
    assert {box.label for sample in data for box in sample.boxes} == {"LOGO"}
    assert data.notes == (f"label {spelling!r} is read as 'LOGO'",)


def test_a_label_that_mostly_has_spaces_around_it_is_named_without(tmp_path: Path) -> None:
    source = altered(tmp_path, lambda task: task)
    source.write_text(source.read_text("utf-8").replace('"LOGO"', '" LOGO "', 5), "utf-8")
    assert read(source).labels() == ("LOGO",)
