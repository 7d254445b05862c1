import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio.config import LabelConfig
from labelstudio.tasks import ItemReference, item_key, reference_of
from tests import captured

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
