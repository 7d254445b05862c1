"""Whatever Label Studio's own converter makes of annotations is read as its JSON export is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk.converter.converter import Converter
from PIL import Image

from samples.dataset import GoldBox, Sample
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
        ("", "no column annotation_id"),
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


def test_files_of_another_encoding_or_mixed_forms_are_told(tmp_path: Path) -> None:
    source = tmp_path / "export.csv"
    source.write_text("id,annotation_id,标题\n", "gb18030")
    with pytest.raises(ValueError, match="no UTF-8 text"):
        read(source)
    mixed = tmp_path / "mixed.json"
    mixed.write_text(json.dumps([TASKS[0], {"id": 8}]), "utf-8")
    with pytest.raises(ValueError, match="some tasks have `data` and some not"):
        read(mixed)


def test_a_config_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    source, config = exported(tmp_path, "JSON"), tmp_path / "config.xml"
    with pytest.raises(ValueError, match="name a file with the labelling config"):
        read(source, None, config)
    config.write_text("<View>", "utf-8")
    with pytest.raises(ValueError, match=r"config\.xml: .*not well-formed"):
        read(source, None, config)
    with pytest.raises(ValueError, match="leave --config out"):
        read(tmp_path, None, config)
