import csv
import io
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_studio_sdk.label_interface.interface import LabelInterface

from labelstudio.config import LabelConfig
from labelstudio.tasks import ItemReference, item_key, reference_of
from tests import captured

ROOT = Path(__file__).parents[2]
CONFIG = LabelConfig.parse(captured.CONFIG)


def test_a_captured_task_has_its_picture_title_and_industry() -> None:
    reference = reference_of(CONFIG, captured.body("03")["tasks"][0])
    assert reference.image == "/data/upload/2/b0935bad-ad0.png"
    assert reference.title == "夏季新品 0"
    assert reference.industry == ("美妆",)
    assert reference.task_id == 1


def test_industry_path_in_one_key_or_in_several() -> None:
    one = reference_of(CONFIG, {"data": {"industry": "美妆 > 口红"}})
    two = reference_of(CONFIG, {"data": {"level1": "美妆", "level2": "口红"}})
    assert one.industry == two.industry == ("美妆", "口红")
    assert reference_of(CONFIG, {"data": {"industry": "3C/数码"}}).industry == ("3C/数码",)


def test_nested_keys_and_lists() -> None:
    config = LabelConfig.parse(
        '<View><Image name="i" value="$item.photos[1].url"/>'
        '<Choices name="c" toName="i"><Choice value="x"/></Choices></View>'
    )
    task = {"data": {"item": {"photos": [{"url": "/a"}, {"url": "/b"}]}}}
    assert reference_of(config, task).image == "/b"


def test_missing_or_odd_data_counts_as_absent() -> None:
    empty = ItemReference(None)
    odd: dict[str, Any] = {"image": 5, "title": None, "industry": {}}
    tasks: list[dict[str, Any]] = [{}, {"data": None}, {"data": []}, {"data": odd}, {"id": "x"}]
    for task in tasks:
        assert reference_of(CONFIG, task) == empty


@given(
    st.dictionaries(
        st.sampled_from(["image", "title", "industry", "level1"]), st.text() | st.integers() | st.lists(st.text())
    )
)
def test_any_task_has_a_reference_and_a_key(data: dict[str, Any]) -> None:
    reference = reference_of(CONFIG, {"id": 1, "data": data})
    assert len(item_key("default", reference)) == 64


def test_the_key_depends_on_what_is_seen_and_on_nothing_else() -> None:
    one = ItemReference("/a.png", "title", ("x",), {"more": "text"}, task_id=1)
    assert item_key("default", one) == item_key(
        "default", ItemReference("/a.png", "title", ("x",), {"more": "text"}, 2)
    )
    others = [
        ItemReference("/b.png", "title", ("x",), {"more": "text"}),
        ItemReference("/a.png", "other", ("x",), {"more": "text"}),
        ItemReference("/a.png", "title", ("y",), {"more": "text"}),
        ItemReference("/a.png", "title", ("x",), {}),
    ]
    keys = {item_key("default", reference) for reference in [one, *others]} | {item_key("second", one)}
    assert len(keys) == 6


@pytest.mark.parametrize(
    "query", ["X-Amz-Date={n}&X-Amz-Signature={n}&v=1", "v=1&Signature={n}&Expires={n}", "v=1&se={n}&sig={n}&sp=r"]
)
def test_a_new_signature_is_the_same_picture(query: str) -> None:
    for start in ("https://b.s3.amazonaws.com", "//b.s3.amazonaws.com"):
        urls = [f"{start}/a.png?{query.format(n=n)}" for n in (1, 2)]
        assert len({item_key("default", ItemReference(url)) for url in urls}) == 1
    assert len({item_key("default", ItemReference(f"https://b/a.png?se={n}")) for n in (1, 2)}) == 2


def test_an_index_that_no_list_has_is_no_error() -> None:
    numbered = LabelConfig.parse(
        '<View><Image name="i" value="$a[7]"/><Choices name="c" toName="i"><Choice value="x"/></Choices></View>'
    )
    odd = replace(numbered, image_value=f"$a[{'9' * 5000}]")
    assert reference_of(odd, {"data": {"a": ["/x.png"]}}).image is None


@pytest.mark.parametrize("value", ["\ud800", "http://a/?sig=1&x=\ud800", "http://[?sig=1", 10**4299, -(10**4299)])
def test_odd_values_have_a_key_like_any_other(value: object) -> None:
    reference = reference_of(CONFIG, {"id": 1, "data": {"image": value, "title": value, "industry": [value]}})
    assert len(item_key("default", reference)) == 64


def test_a_path_has_a_bounded_number_of_levels() -> None:
    long = reference_of(CONFIG, {"data": {"industry": ">".join(str(level) for level in range(10_000))}})
    assert long.industry == tuple(str(level) for level in range(16))


@pytest.mark.parametrize("odd", ["a" + " " * 19_998 + "b", " /" * 10_000, "> " * 10_000, "/ " * 10_000, " \t" * 10_000])
def test_reading_a_path_takes_no_longer_than_its_length_allows(odd: str) -> None:
    task = {"data": dict.fromkeys((*CONFIG.industry_keys, "title", "image"), odd)}
    reference_of(CONFIG, task)
    began = time.process_time()
    reference_of(CONFIG, task)
    assert time.process_time() - began < 0.5, "it was 45 s"


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=shop/夏 装.jpg",
        "/data/upload/7/1a2b-std.png",
        "/studio/data/upload/7/1a2b-std.png",
        "s3://shop-pictures/2026/std.webp",
        "gs://shop-pictures/std",
        "file:///srv/shop/std.jpg",
        "https://img.shop.example/i1/std.jpg_640x640q80.jpg?v=2",
        "//img.shop.example/std.avif",
        "data:image/png;base64,iVBORw0KGgo=",
    ],
)
def test_a_pictures_address_is_found_wherever_it_stands_and_is_no_text(address: str) -> None:
    for data in ({"title": address}, {"title": f" {address}\n", "image": ""}, {"$undefined$": address, "image": None}):
        reference = reference_of(CONFIG, {"id": 1, "data": data})
        assert (reference.image, reference.title) == (address, "")
        assert reference.found_under in ("title", "$undefined$")
    nested = reference_of(CONFIG, {"data": {"title": "夏装", "level1": address, "more": {"all": [address]}}})
    assert (nested.image, nested.title, nested.industry, nested.found_under) == (address, "夏装", (), "level1")
    deep = reference_of(CONFIG, {"data": {"title": "夏装", "more": [{"all": [3, address]}]}})
    assert (deep.image, deep.title, deep.found_under) == (address, "夏装", "more")


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example/item/12",
        "https://img.shop.example/a.jpg 看图",
        "看图 https://img.shop.example/a.jpg",
        "/",
        "买一送一 /data/upload/",
        "a.jpg",
        "3/4",
    ],
)
def test_a_text_that_is_no_address_stays_a_text(text: str) -> None:
    reference = reference_of(CONFIG, {"data": {"title": text}})
    assert (reference.image, reference.title, reference.found_under) == (None, text, "")


def test_where_the_picture_is_no_address_is_looked_for_and_none_of_another_picture_is_taken() -> None:
    both = {"image": "/data/upload/1/a.png", "title": "/data/upload/1/b.png"}
    assert reference_of(CONFIG, {"data": both}) == ItemReference(
        "/data/upload/1/a.png", "/data/upload/1/b.png", found_under=""
    )
    two = LabelConfig.parse(
        '<View><Image name="i" value="$front"/><Image name="j" value="$back.url"/>'
        '<Choices name="c" toName="i"><Choice value="x"/></Choices></View>'
    )
    assert reference_of(two, {"data": {"back": {"url": "/data/upload/1/b.png"}}}).image is None
    plain = LabelConfig.parse(
        '<View><Text name="t" value="$title"/><Choices name="c" toName="t"><Choice value="x"/></Choices></View>'
    )
    assert reference_of(plain, {"data": {"title": "/data/upload/1/b.png"}}).title == "/data/upload/1/b.png"


def block(page: str, language: str) -> str:
    """The first block of a page in this language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.partition(f"```{language}\n")[2].partition("```")[0]


def test_the_task_files_that_the_page_shows_can_be_imported_under_the_readmes_config() -> None:
    xml = block("README.md", "xml")
    config, interface = LabelConfig.parse(xml), LabelInterface(xml)
    # As Label Studio reads the two forms.
    from_json = [task["data"] for task in json.loads(block("docs/connect.md", "json"))]
    from_csv = list(csv.DictReader(io.StringIO(block("docs/connect.md", "csv"))))
    assert from_json == from_csv
    assert len(from_json) == 2
    for data in from_json:
        assert interface.validate_task({"data": data})  # type: ignore[arg-type]
        reference = reference_of(config, {"id": 1, "data": data})
        assert (reference.image, reference.title, reference.industry) == (
            data["image"],
            data["title"],
            (data["level2"],),
        )
        assert reference.found_under == ""
    first = next(iter(re.findall(r'value="\$(\w+)"', xml)))
    assert first == config.image_key, "Label Studio puts the address under the first key, where it knows no other"


def test_looking_for_an_address_takes_little_time_however_much_data_there_is() -> None:
    deep: Any = "x"
    for _ in range(90):
        deep = [deep, {"a": deep}] if isinstance(deep, str) else [deep]
    wide = [[f"https://shop.example/{'.jpg ' * 3_000}"] * 500] * 500
    task = {
        "id": 1,
        "data": {"title": "夏装", "more": wide, "deep": deep, **{str(n): "/a" * 7_000 for n in range(600)}},
    }
    began = time.process_time()
    assert reference_of(CONFIG, task).image is None
    assert time.process_time() - began < 1.0
