"""`tagloom evaluate` on a small folder: features once, results kept, a second run computes nothing."""

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from model.boxes.described import RECENT
from model.boxes.effort import Seconds
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Item
from tagloom import evaluate
from tagloom.cli import main
from tagloom.evaluate import PICTURES, REPORT, RESULTS, TABLE, Plan, seconds_of
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from testing.dataset import folder_of
from testing.features import features


class Extractor:
    """Features that hold the text alone: an encoder would take its seconds to load."""

    space = "0123456789abcdef"

    def __init__(self) -> None:
        self.extracted = 0
        self.without_picture = 0
        self.industries: set[tuple[str, ...]] = set()

    def describe(self) -> dict[str, str]:
        return {"text": "none"}

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        self.extracted += len(items)
        self.without_picture += sum(item.image is None for item in items)
        self.industries |= {item.industry for item in items}
        return [features(title=item.title, industry=item.industry, size=(8, 8), seed=None) for item in items]


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> Extractor:
    extractor = Extractor()
    monkeypatch.setattr(FeatureExtractor, "from_names", lambda *names, **device: extractor)
    return extractor


def plan(folder: Path, *methods: str) -> Plan:
    return Plan(folder_of(folder, 40), folder / "out", (0.0, 0.2), 2, methods)


def test_a_second_run_computes_nothing_anew(tmp_path: Path, extractor: Extractor) -> None:
    asked = plan(tmp_path, "cold start")
    told: list[str] = []
    _, first = evaluate.evaluate(asked, Settings(home=tmp_path), told.append)
    assert extractor.extracted == 40
    assert len((tmp_path / "out" / RESULTS).read_text().splitlines()) == 4
    assert sum("macro-F1" in line for line in told) == 4
    assert "| cold start |" in first
    assert "| method | gold | macro precision | macro recall | macro-F1 | weighted-F1 | mAP |" in first
    assert "| method | gold | 主体 | LOGO |" in first
    assert (tmp_path / "out" / TABLE).read_text("utf-8") == first + "\n"
    assert evaluate.evaluate(asked, Settings(home=tmp_path), told.append)[1] == first
    assert extractor.extracted == 40
    assert len((tmp_path / "out" / RESULTS).read_text().splitlines()) == 4


def test_an_item_that_was_edited_is_encoded_and_measured_anew(tmp_path: Path, extractor: Extractor) -> None:
    asked = plan(tmp_path, "cold start")
    evaluate.evaluate(asked, Settings(home=tmp_path), lambda _: None)
    table = asked.data / "items.csv"
    table.write_text(table.read_text("utf-8").replace("标题7,", "另一个标题,"), "utf-8")
    evaluate.evaluate(asked, Settings(home=tmp_path), lambda _: None)
    assert extractor.extracted == 41
    assert len((tmp_path / "out" / RESULTS).read_text().splitlines()) == 8


def test_items_without_a_picture_are_measured_by_their_texts(tmp_path: Path, extractor: Extractor) -> None:
    asked = plan(tmp_path, "cold start")
    table, told = asked.data / "items.csv", list[str]()
    table.write_text(table.read_text("utf-8").replace(",0.png,", ",,").replace(",7.png,", ",,"), "utf-8")
    evaluate.evaluate(asked, Settings(home=tmp_path), told.append)
    assert told[0].startswith("2 of 40 items have no picture")
    assert extractor.without_picture == 2


def test_an_exports_families_and_industry_follow_the_settings(tmp_path: Path, extractor: Extractor) -> None:
    source, told = tmp_path / "export.json", list[str]()
    result = [{"from_name": "tag", "to_name": "image", "type": "choices", "value": {"choices": ["主体"]}}]
    tasks = [
        {"id": number, "data": {"title": "标题", "sku": number, "shop": "一店"}, "annotations": [{"result": result}]}
        for number in range(4)
    ]
    source.write_text(json.dumps(tasks), "utf-8")
    config = tmp_path / "config.xml"
    config.write_text(
        '<View><Image name="image" value="$image"/><Choices name="tag" toName="image" choice="multiple">'
        '<Choice value="主体"/></Choices></View>', "utf-8",
    )  # fmt: skip
    asked = Plan(source, tmp_path / "out", (0.0,), 1, ("cold start",), config=config)
    with pytest.raises(UserError, match="two product families"):
        evaluate.evaluate(asked, Settings(home=tmp_path), told.append)
    evaluate.evaluate(asked, Settings(home=tmp_path, family_key="sku", industry_keys=("shop",)), told.append)
    assert extractor.industries == {("一店",)}  # nothing was encoded for the gold that could not be measured on


def test_missing_and_broken_pictures_are_left_out_and_told(tmp_path: Path, extractor: Extractor) -> None:
    asked, told = plan(tmp_path, "cold start"), list[str]()
    (tmp_path / "3.png").unlink()
    (tmp_path / "5.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "6.png").write_bytes(b"")
    evaluate.evaluate(asked, Settings(home=tmp_path), told.append)
    assert extractor.extracted == 37
    missing, broken = [line for line in told if "left out" in line]
    assert missing.startswith("1 of 40 items are left out")
    assert "line 5, column image: picture 3.png is not there" in missing
    assert broken.startswith("2 of 39 items are left out")
    assert "i5: " in broken
    assert "5.png: the file is no picture" in broken
    assert "6.png: the file is empty" in broken
    for name in range(40):
        (tmp_path / f"{name}.png").unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"none of 40 pictures can be had"):
        evaluate.evaluate(asked, Settings(home=tmp_path), told.append)


def test_where_no_picture_can_be_read_it_says_so(tmp_path: Path, extractor: Extractor) -> None:
    asked = plan(tmp_path, "cold start")
    for name in range(40):
        (tmp_path / f"{name}.png").write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"none of 40 pictures can be had .*0\.png: a web page came.*: write the files"):
        evaluate.evaluate(asked, Settings(home=tmp_path), lambda _: None)


def _one_product(rows: list[str]) -> list[str]:
    return [re.sub(",p[0-9]+,", ",p,", row) for row in rows]


def _no_label(rows: list[str]) -> list[str]:
    return [rows[0], *(row.rpartition(",")[0] + "," for row in rows[1:])]


@pytest.mark.parametrize(
    ("change", "shares", "method", "told"),
    [
        (_one_product, (0.0,), "cold start", "at least two product families"),
        (_no_label, (0.0,), "cold start", "no item has a label"),
        (list, (0.0, 1.5), "cold start", "gold fraction 1.5"),
        (list, (float("nan"),), "cold start", "gold fraction nan"),
        (list, (0.0,), "magic", r"unknown methods.*cold start"),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_is_encoded(
    tmp_path: Path, extractor: Extractor, change: Any, shares: tuple[float, ...], method: str, told: str
) -> None:
    folder = folder_of(tmp_path, 40)
    rows = (folder / "items.csv").read_text("utf-8").splitlines()
    (folder / "items.csv").write_text("\n".join(change(rows)), "utf-8")
    with pytest.raises(UserError, match=told):
        evaluate.evaluate(Plan(folder, folder / "out", shares, 1, (method,)), Settings(home=tmp_path), print)
    assert extractor.extracted == 0


def test_gold_that_cannot_be_read_is_told_before_anything_is_encoded(tmp_path: Path, extractor: Extractor) -> None:
    asked = plan(tmp_path, "cold start")
    for row, told in (("i0,LOGO,1,2,3,4,ignore=1.2.3 4 5 6", "column extra"), ("i0,LOGOO,1,2,3,4,", "column label")):
        (tmp_path / "boxes.csv").write_text(f"id,label,x,y,width,height,extra\n{row}\n", "utf-8")
        with pytest.raises(UserError, match=rf"boxes\.csv, line 2, {told}"):
            evaluate.evaluate(asked, Settings(home=tmp_path), print)
    assert extractor.extracted == 0


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_encoded(
    tmp_path: Path, extractor: Extractor
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match=r"can't write into .*out"):
        evaluate.evaluate(plan(tmp_path, "cold start"), Settings(home=tmp_path), print)
    assert extractor.extracted == 0


def test_how_the_data_were_read_is_told(tmp_path: Path, extractor: Extractor) -> None:
    asked, told = plan(tmp_path, "cold start"), list[str]()
    table = tmp_path / "items.csv"
    text = table.read_text("utf-8").replace("主体|LOGO", "主体、ＬＯＧＯ", 1).replace(",", ";")
    table.write_bytes(text.encode("gb18030"))
    evaluate.evaluate(asked, Settings(home=tmp_path), told.append)
    assert told[0] == "items.csv is no UTF-8: it is read as GB18030 (GBK)"
    assert told[1] == "items.csv has semicolons between its cells"
    assert told[2].endswith("'主体、ＬＯＧＯ' is read as 主体|ＬＯＧＯ")
    assert told[3] == "label 'ＬＯＧＯ' is read as 'LOGO'"
    assert extractor.extracted == 40


REGION = {"from_name": "el", "to_name": "image", "type": "choices", "value": {"choices": ["价格"]}}


@pytest.mark.parametrize("odd", [None, {**REGION, "from_name": None}, {**REGION, "value": None}], ids=repr)
def test_an_export_with_odd_regions_is_measured_by_the_command(
    tmp_path: Path, extractor: Extractor, monkeypatch: pytest.MonkeyPatch, odd: object
) -> None:
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path / "home"))
    folder_of(tmp_path, 4)
    other = {**REGION, "value": {"choices": ["LOGO"]}}
    results = [[odd, REGION], [other], [REGION], [other]]
    tasks = [
        {
            "id": n,
            "data": {"image": f"/data/local-files/?d=shop/{n}.png", "title": f"t{n}"},
            "annotations": [{"result": r}],
        }
        for n, r in enumerate(results)
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks), "utf-8")
    words = ["--data", str(tmp_path / "export.json"), "--out", str(tmp_path / "out"), "--gold", "0", "--seeds", "1"]
    ended = CliRunner().invoke(main, ["evaluate", *words, "--method", "cold start"])
    assert ended.exit_code == 0, ended.output
    assert "export.json: task 0 has annotations or regions without a from_name, type or value" in ended.output
    assert "cold start, 0 products" in ended.output
    again = CliRunner().invoke(main, ["evaluate", *words, "--method", "cold start", "--json"])
    told = json.loads(again.stdout)
    assert set(told) == {"report", "tables", "results"}
    assert {result["method"] for result in told["results"]} == {"cold start"}


def test_shares_must_be_numbers() -> None:
    result = CliRunner().invoke(main, ["evaluate", "--gold", "all"])
    assert result.exit_code == 2
    assert "--gold 'all'" in result.stderr


def test_boxes_bring_their_tables_and_a_page_of_pictures(
    tmp_path: Path, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RECENT, "_kept", OrderedDict())  # other tests may have described the same
    folder = folder_of(tmp_path, 40)
    ids = [row.split(",")[0] for row in (folder / "items.csv").read_text("utf-8").splitlines()[1:]]
    rows = [f"{name},主体,10,10,50,50" for name in ids]
    (folder / "boxes.csv").write_text("\n".join(["id,label,x,y,width,height", *rows]) + "\n", "utf-8")
    asked = Plan(folder, tmp_path / "out", (0.0,), 1, ("cold start",), effort=True, prices=Seconds(draw=10))
    _, told = evaluate.evaluate(asked, Settings(home=tmp_path), lambda _: None)
    assert told.count("| cold start | 0 gold products |") == 6
    for draw in ("25.5", "7", "10"):
        assert f"| cold start | 0 gold products | {draw} s |" in told
    page = (tmp_path / "out" / PICTURES).read_text("utf-8")
    assert page.count("<figure>") == 24
    assert len(page) < 1_000_000
    assert list((tmp_path / "out" / "descriptions").rglob("*.safetensors"))
    assert "Effort of correcting" in (tmp_path / "out" / REPORT).read_text("utf-8")


def test_effort_seconds_are_set_by_name() -> None:
    assert seconds_of("") == Seconds()
    assert seconds_of("draw=20, edge=5") == Seconds(draw=20, edge=5)
    for wrong in ("draw", "draw=quick", "dance=3", "draw=-1", "draw=nan"):
        with pytest.raises(UserError, match="--effort-seconds"):
            seconds_of(wrong)


def test_sources_of_others_are_asked_once_and_stand_among_the_sources(tmp_path: Path, extractor: Extractor) -> None:
    asked = tmp_path / "asked"
    own = tmp_path / "own"
    own.mkdir()
    (own / "rule.py").write_text(
        "from sources import source\n"
        "@source('house rule')\n"
        "def rule(item):\n"
        f"    with open({str(asked)!r}, 'a') as file: file.write(item.title + chr(10))\n"
        "    assert item.picture_bytes\n"
        "    return {item.labels[0].name: True}\n"
    )
    told: list[str] = []
    settings, planned = Settings(sources=own), plan(tmp_path, "no network")
    evaluate.evaluate(planned, settings, told.append)
    results = [json.loads(line) for line in (tmp_path / "out" / RESULTS).read_text("utf-8").splitlines()]
    heard = [result["sources"].get("house rule", {}) for result in results]
    assert heard
    assert all(set(one) and min(said for said, _ in one.values()) > 0 for one in heard)
    assert "source house rule: has said something of 40 of 40 items" in told
    assert len(asked.read_text().splitlines()) == 40
    evaluate.evaluate(replace(planned, methods=("cold start",)), settings, told.append)
    assert len(asked.read_text().splitlines()) == 40
