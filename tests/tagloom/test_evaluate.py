"""`tagloom evaluate` on a small folder: features once, results kept, a second run computes nothing."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from model.boxes.described import RECENT
from model.boxes.effort import Seconds
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Item
from tagloom import evaluate
from tagloom.cli import main
from tagloom.errors import UserError
from tagloom.evaluate import PICTURES, REPORT, RESULTS, TABLE, Plan, seconds_of
from tagloom.settings import Settings
from tests.model.shop import OBJECT_HW3
from tests.tagloom.demo.test_data import folder_of


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
        return [features_of(item) for item in items]


def features_of(item: Item) -> ItemFeatures:
    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.float16)

    return ItemFeatures(
        size=(8, 8), grid_RC=zeros(0, 4), grid_shape=(0, 0), image_C=zeros(4), tokens_TE=zeros(0, 4),
        token_block_T=torch.zeros(0, dtype=torch.int16), title_E=zeros(4), reading_E=zeros(4), blocks=(),
        thumbnail_HW3=OBJECT_HW3, title=item.title, industry=item.industry,
    )  # fmt: skip


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
    first = evaluate.evaluate(asked, Settings(home=tmp_path), told.append)
    assert extractor.extracted == 40
    assert len((tmp_path / "out" / RESULTS).read_text().splitlines()) == 4
    assert sum("macro-F1" in line for line in told) == 4
    assert "| cold start |" in first
    assert "| method | gold | macro precision | macro recall | macro-F1 | weighted-F1 | mAP |" in first
    assert "| method | gold | 主体 | LOGO |" in first
    assert (tmp_path / "out" / TABLE).read_text("utf-8") == first + "\n"
    assert evaluate.evaluate(asked, Settings(home=tmp_path), told.append) == first
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
    assert extractor.industries == {(), ("一店",)}


def test_an_unknown_method_is_told_with_those_there_are(tmp_path: Path, extractor: Extractor) -> None:
    with pytest.raises(UserError, match=r"unknown methods.*cold start"):
        evaluate.evaluate(plan(tmp_path, "magic"), Settings(home=tmp_path), print)


def test_shares_must_be_numbers() -> None:
    result = CliRunner().invoke(main, ["evaluate", "--gold", "all"])
    assert result.exit_code == 1
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
    told = evaluate.evaluate(asked, Settings(home=tmp_path), lambda _: None)
    assert told.count("| cold start | 0 gold products |") == 4
    assert "draw 10" in told
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
