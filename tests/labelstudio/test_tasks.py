from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio.config import LabelConfig
from labelstudio.tasks import ItemReference, item_key, reference_of
from tests import captured

CONFIG = LabelConfig.parse(captured.CONFIG)


def test_captured_task() -> None:
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
    urls = [f"https://b.s3.amazonaws.com/a.png?{query.format(n=n)}" for n in (1, 2)]
    assert len({item_key("default", ItemReference(url)) for url in urls}) == 1
    assert len({item_key("default", ItemReference(f"https://b/a.png?se={n}")) for n in (1, 2)}) == 2
