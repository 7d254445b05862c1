"""Each format, read by the library that its users have; and what is left when the writing fails."""

import csv
import errno
import io
import json
import os
import sys
import weakref
from collections.abc import Collection, Iterator
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner, Result
from PIL import Image
from pycocotools.coco import COCO

import worker.workplace
from labelstudio.changes import change_of
from model import checkpoint
from model.items import Gold
from model.weak_supervision.label_model import WeakLabel
from store.store import Store
from store.tasks import Task, Tasks
from store.versions import State
from tagloom.cli import main
from tagloom.exporting import written
from tagloom.exporting.label_studio import LabelStudioWriter
from tagloom.exporting.records import PAGE, Record
from tagloom.exporting.tables import CsvWriter
from tagloom_base.running import settings_in
from tagloom_base.settings import Settings
from testing.shop import LABELS, SHOP
from tests.store import webhooks
from tests.tagloom.store_of import KEY, filled
from tests.worker import shop

DRAWN = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name in [name for name in os.environ if settings_in({name: ""})]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TAGLOOM_TRAINING_THREADS", "1")
    opened = filled(Settings())
    draw(opened, task=1)
    yield opened
    opened.close()


def draw(store: Store, task: int) -> None:
    """Draw a box of LOGO on a task, in a newer state of its annotation."""
    entry = webhooks.annotation(task, task, 3, ("LOGO",))
    entry["result"][0]["from_name"] = "elements"
    entry["result"].append(
        {
            "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "original_width": 200,
            "original_height": 100, "image_rotation": 0, "value": {**DRAWN, "rotation": 0, "rectanglelabels": ["LOGO"]},
        }
    )  # fmt: skip
    body = {"action": "ANNOTATION_UPDATED", "annotation": entry, "task": shop.payload(task), "project": {}}
    store.journal.record(change_of(KEY, body), timeout=10)


def run(out: Path, form: str, *more: str) -> Result:
    return CliRunner().invoke(main, ["export", "shop", "--format", form, "--out", str(out), *more])


def exported(out: Path, form: str, *more: str) -> Path:
    done = run(out, form, *more)
    assert done.exit_code == 0, done.output
    return out


def weak_labels(store: Store, task: int) -> dict[str, WeakLabel]:
    """What the sources of the served version say of a task."""
    (folder,) = {entry.folder for entry in store.versions.list(KEY) if entry.state is State.CURRENT}
    tagger = checkpoint.load(Settings().paths.checkpoints / folder)
    found = tagger.weak_labels([SHOP.item(task)[0]]).of(0, tagger.labels)
    assert found
    return found


def test_label_studios_file_has_data_annotations_predictions_and_weak_labels(store: Store, tmp_path: Path) -> None:
    tasks = json.loads(exported(tmp_path / "out.json", "labelstudio").read_text("utf-8"))
    assert [task["meta"]["tagloom"]["task"] for task in tasks] == [1, 2, 3, 4, 5, 6]
    first, last = tasks[0], tasks[-1]
    assert first["data"] == shop.payload(1)["data"]
    ((annotation,), (prediction,)) = first["annotations"], first["predictions"]
    assert [region["type"] for region in annotation["result"]] == ["choices", "rectanglelabels"]
    # People and ids are those of one server: another one would refuse them.
    assert not {"id", "completed_by", "updated_at"} & set(annotation)
    assert set(prediction) == {"model_version", "score", "result"}
    assert prediction["model_version"].startswith("v0.")
    assert (first["meta"]["tagloom"]["origin"], last["annotations"]) == ("gold", [])
    assert first["meta"]["tagloom"]["weak"] == {}
    assert last["meta"]["tagloom"]["weak"] == {label: asdict(one) for label, one in weak_labels(store, 6).items()}
    assert last["meta"]["tagloom"]["origin"] == prediction["model_version"]


def test_coco_is_read_by_pycocotools(store: Store, tmp_path: Path) -> None:
    out = exported(tmp_path / "out.json", "coco")
    with redirect_stdout(io.StringIO()):
        coco = COCO(str(out))
    assert sorted(coco.getImgIds()) == [1, 2, 3, 4, 5, 6]
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == list(LABELS)
    (image,) = coco.loadImgs([1])
    (drawn,) = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert coco.loadCats([drawn["category_id"]])[0]["name"] == "LOGO"
    width, height = image["width"], image["height"]
    assert drawn["bbox"] == pytest.approx([0.1 * width, 0.2 * height, 0.3 * width, 0.4 * height], abs=0.01)
    assert (drawn["score"], drawn["origin"]) == (1.0, "gold")
    predicted = coco.loadAnns(coco.getAnnIds(imgIds=[4, 5, 6]))
    assert predicted
    assert all(0 < one["score"] <= 1 and one["origin"].startswith("v0.") for one in predicted)
    told = coco.loadImgs([6])[0]["tagloom"]["weak"]
    assert {label: one["sources"] for label, one in told.items()} == {
        label: dict(one.sources) for label, one in weak_labels(store, 6).items()
    }


def test_gold_tags_without_boxes_get_the_predicted_boxes_that_they_allow(store: Store, tmp_path: Path) -> None:
    with redirect_stdout(io.StringIO()):
        coco = COCO(str(exported(tmp_path / "out.json", "coco")))
    (image,) = coco.loadImgs([2])
    assert image["tagloom"]["origin"] == "gold"
    boxes = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    names = {coco.loadCats([one["category_id"]])[0]["name"] for one in boxes}
    assert names <= set(image["tagloom"]["tags"])
    assert all(one["origin"].startswith("v0.") for one in boxes)


def test_yolo_is_read_by_label_studios_own_reader(store: Store, tmp_path: Path) -> None:
    from label_studio_sdk.converter.imports.yolo import convert_yolo_to_ls

    folder = exported(tmp_path / "yolo", "yolo")
    Image.new("RGB", (200, 100)).save(folder / "images" / "1.jpg")
    convert_yolo_to_ls(str(folder), str(tmp_path / "tasks.json"), image_ext=".jpg", out_type="annotations")
    (task,) = json.loads((tmp_path / "tasks.json").read_text("utf-8"))
    (region,) = task["annotations"][0]["result"]
    value = region["value"]
    assert value["rectanglelabels"] == ["LOGO"]
    assert {side: value[side] for side in DRAWN} == pytest.approx(DRAWN, abs=0.01)
    data = yaml.safe_load((folder / "data.yaml").read_text("utf-8"))
    assert data["names"] == dict(enumerate(LABELS))
    lines = [json.loads(line) for line in (folder / "tasks.jsonl").read_text("utf-8").splitlines()]
    assert [line["task"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert len(list((folder / "labels").iterdir())) == 6
    assert lines[0]["boxes"] == [{"label": "LOGO", "confidence": 1.0, "origin": "gold"}]


def cells(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_csv_has_a_row_for_each_tag_box_and_weak_label(store: Store, tmp_path: Path) -> None:
    rows = cells(exported(tmp_path / "out.csv", "csv"))
    own = [row for row in rows if row["task"] == "1"]
    gold = [row for row in own if row["origin"] == "gold"]
    assert [(row["kind"], row["label"]) for row in gold if row["given"] == "1"] == [("tag", "LOGO"), ("box", "LOGO")]
    assert {side: float(gold[-1][side]) for side in DRAWN} == pytest.approx(DRAWN, abs=0.001)
    predicted = [row for row in own if row["origin"] == "prediction" and row["kind"] == "tag"]
    assert [row["label"] for row in predicted] == list(LABELS)
    assert all(0 <= float(row["probability"]) <= 1 and row["version"].startswith("v0.") for row in predicted)
    weak = [row for row in rows if row["origin"] == "weak"]
    assert {row["task"] for row in weak} == {"3", "4", "5", "6"}
    expected = weak_labels(store, 3)
    assert {row["label"]: json.loads(row["sources"]) for row in weak if row["task"] == "3"} == {
        label: dict(one.sources) for label, one in expected.items()
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_title_that_a_spreadsheet_would_run_is_a_text_in_csv(start: str, tmp_path: Path) -> None:
    gold = Gold(frozenset({"LOGO"}))
    record = Record(Task(1, {}, 0), "a.png", f"{start}HYPERLINK(1)", (9, 9), (), gold, "", None, None, {})
    with ExitStack() as files:
        CsvWriter(tmp_path / "out.csv", ("LOGO",), files).write(record)
    (row,) = cells(tmp_path / "out.csv")
    assert (row["title"], row["image"]) == (f"'{start}HYPERLINK(1)", "a.png")


def test_parquet_holds_the_same_as_csv(store: Store, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(exported(tmp_path / "out.parquet", "parquet"))
    rows = cells(exported(tmp_path / "out.csv", "csv"))
    assert table.num_rows == len(rows)
    for typed, plain in zip(table.to_pylist(), rows, strict=True):
        shown = {name: "" if value is None else str(int(value) if value is True or value is False else value)
                 for name, value in typed.items()}  # fmt: skip
        assert shown == plain


@pytest.mark.parametrize(("only", "tasks"), [("gold", [1, 2]), ("unlabelled", [3, 4, 5, 6])])
def test_some_tasks_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: str, tasks: list[int]
) -> None:
    asked: list[int] = []
    some = Tasks.some

    def noting(self: Tasks, project_key: str, ids: Collection[int]) -> dict[int, Task]:
        asked.extend(ids)
        return some(self, project_key, ids)

    monkeypatch.setattr(Tasks, "some", noting)
    found = json.loads(exported(tmp_path / "out.json", "labelstudio", "--only", only).read_text("utf-8"))
    assert asked == tasks, "the others are not read"
    assert [task["meta"]["tagloom"]["task"] for task in found] == tasks


def test_what_nobody_matches_is_an_empty_file(store: Store, tmp_path: Path) -> None:
    store.annotations.delete(KEY, [1, 2])
    assert json.loads(exported(tmp_path / "out.json", "labelstudio", "--only", "gold").read_text("utf-8")) == []
    with redirect_stdout(io.StringIO()):
        assert COCO(str(exported(tmp_path / "coco.json", "coco", "--only", "gold"))).getImgIds() == []


@pytest.mark.parametrize("form", ["labelstudio", "coco", "yolo", "csv", "parquet"])
def test_a_failed_export_leaves_what_was_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "kept").write_text("of before")
    out = folder / ("labels" if form == "yolo" else "kept")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(written.Counts, "add", full)
    done = run(out, form)
    assert done.exit_code == 1
    assert f"tagloom: {out} can't be written (No space left on device): make room" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert (folder / "kept").read_text() == "of before"


def test_an_export_replaces_the_one_before(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("of before")
    assert len(cells(exported(out, "csv"))) > 6
    assert {path.name for path in tmp_path.iterdir()} == {"home", "out.csv"}


@pytest.mark.parametrize(
    ("form", "name", "sentence"),
    [("csv", "home", "is a folder: name a file by --out"), ("yolo", "home", "is there already: name a folder that")],
)
def test_a_place_that_is_taken_is_told(store: Store, tmp_path: Path, form: str, name: str, sentence: str) -> None:
    done = run(tmp_path / name, form)
    assert done.exit_code == 1
    assert sentence in done.stderr


def test_a_project_without_tasks_or_version_is_told(store: Store, tmp_path: Path) -> None:
    store.projects.ensure("default/9.1795288799", shop.CONFIG, "new")
    done = CliRunner().invoke(main, ["export", "new", "--out", str(tmp_path / "out")])
    assert (done.exit_code, "has no tasks: import some" in done.stderr) == (1, True)
    assert "there is no project 'none'" in CliRunner().invoke(main, ["export", "none", "--out", "x"]).stderr


def test_without_pyarrow_the_extra_is_named(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = run(tmp_path / "out.parquet", "parquet")
    assert done.exit_code == 1
    assert "run `pip install pyarrow`, or choose --format csv or items" in done.stderr


@pytest.mark.slow
def test_a_page_of_tasks_is_in_memory_at_a_time(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add_tasks(store, Settings(), range(7, 3 * PAGE))
    met: list[weakref.ref[Task]] = []
    alive = []
    own = LabelStudioWriter.write

    def counting(writer: LabelStudioWriter, record: Record) -> None:
        met.append(weakref.ref(record.task))
        alive.append(sum(one() is not None for one in met))
        own(writer, record)

    monkeypatch.setattr(LabelStudioWriter, "write", counting)
    assert len(json.loads(exported(tmp_path / "out.json", "labelstudio").read_text("utf-8"))) == 3 * PAGE - 1
    assert len(met) == 3 * PAGE - 1
    assert max(alive) <= PAGE + 1


def test_items_hold_a_row_for_each_task_with_its_vector(store: Store, tmp_path: Path) -> None:
    lines = exported(tmp_path / "out.jsonl", "items").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["task"] for row in rows] == [1, 2, 3, 4, 5, 6]
    first, last = rows[0], rows[-1]
    assert (first["origin"], first["confidence"]) == ("gold", 1.0)
    (drawn,) = first["boxes"]
    assert {side: drawn[side] for side in DRAWN} == pytest.approx(DRAWN, abs=0.01)
    assert (drawn["label"], drawn["confidence"]) == ("LOGO", 1.0)
    assert last["origin"].startswith("v0.")
    assert 0 < last["confidence"] < 1
    assert all(0 < tag["confidence"] <= 1 for row in rows for tag in row["tags"])
    table = pyarrow.parquet.read_table(exported(tmp_path / "out.parquet", "items-parquet")).to_pylist()
    for row, held in zip(rows, table, strict=True):
        assert {**held, "vector": None} == {**row, "vector": None}
        assert len(row["vector"]) == 512
        assert row["vector"] == pytest.approx([float(number) for number in held["vector"]], abs=1e-3)
        assert sum(number**2 for number in row["vector"]) == pytest.approx(1.0, abs=0.1)
