from typing import Any

import pytest

from labelstudio.config import LabelConfig
from labelstudio.tasks import reference_of
from labelstudio.templates import filled, keys_in

TAGS = '<Choices name="tags" toName="img"><Choice value="x"/></Choices>'


def nested(levels: int) -> object:
    """Lists within lists."""
    value: object = "a"
    for _ in range(levels):
        value = [value]
    return value


def picture(value: str, **data: Any) -> str | None:
    """The address that a task's picture has under a config with this value."""
    config = LabelConfig.parse(f'<View><Image name="img" value="{value}"/>{TAGS}</View>')
    return reference_of(config, {"id": 1, "data": data}).image


@pytest.mark.parametrize(
    ("value", "data", "address"),
    [
        ("/data/local-files/?d=shop/$image", {"image": "白瓷 1.jpg"}, "/data/local-files/?d=shop/白瓷 1.jpg"),
        ("$image", {"image": " a.jpg "}, "a.jpg"),
        ("$主图", {"主图": "/a.jpg"}, "/a.jpg"),
        ("$main-image", {"main-image": "/a.jpg"}, "/a.jpg"),
        ("$image?w=100", {"image": "/a.jpg"}, "/a.jpg?w=100"),
        ("$image!large.jpg", {"image": "/a"}, "/a!large.jpg"),
        ("$image-large.jpg", {"image": "/a"}, "/a-large.jpg"),
        ("/$shop/$item/1.jpg", {"shop": "s", "item": 7}, "/s/7/1.jpg"),
        ("https://$host/$path", {"host": "img.example.com", "path": "a.jpg"}, "https://img.example.com/a.jpg"),
        ("/x/$image.url", {"image": {"url": "a.jpg"}}, "/x/a.jpg"),
        ("$image.url", {"image": {"url": "/a.jpg"}}, "/a.jpg"),
        ("$images[0]", {"images": ["/a.jpg", "/b.jpg"]}, "/a.jpg"),
        ("/x/$images[1].url", {"images": [{}, {"url": "b.jpg"}]}, "/x/b.jpg"),
        ("$images", {"images": ["/a.jpg", "/b.jpg"]}, "/a.jpg"),
        ("/x/$list", {"list": ["a", 1]}, "/x/a,1"),
        ("/x/$n/$yes", {"n": 2.0, "yes": True}, "/x/2/true"),
        # A dot belongs to the key in the editor, which then shows no picture.
        ("/x/$image.jpg", {"image": "a"}, None),
        ("/x/$image", {}, None),
        ("/x/$image", {"image": None}, None),
        ("/x/$image", {"image": {"url": "a"}}, None),
        ("/x/$list", {"list": [{"url": "a"}]}, None),
    ],
)
def test_an_address_is_filled_in_as_in_the_editor(value: str, data: dict[str, Any], address: str | None) -> None:
    assert picture(value, **data) == address


@pytest.mark.parametrize("value", [{"url": "/a.jpg"}, [{"url": "/a.jpg"}]])
def test_an_object_in_the_place_of_an_address_is_searched_for_one(value: object) -> None:
    """The editor shows no picture then; the address is found as any other that stands elsewhere."""
    assert picture("$image", image=value) == "/a.jpg"


def test_a_list_of_pictures_may_stand_under_a_prefix_too() -> None:
    config = LabelConfig.parse(f'<View><Image name="img" valueList="/x/$image"/>{TAGS}</View>')
    assert reference_of(config, {"id": 1, "data": {"image": "a.jpg"}}).image == "/x/a.jpg"


def test_keys_of_a_value() -> None:
    assert keys_in("/a/$b/$c[0].d?e=$f") == ("b", "c[0].d", "f")
    assert keys_in("$商品-图") == ("商品-图",)
    assert keys_in("/a.png") == ()
    assert filled("cost: $5", {"5": "x"}.get) == "cost: x"


@pytest.mark.parametrize("value", [10**5000, [[10**5000]], nested(900)], ids=["huge", "huge in lists", "deep"])
def test_what_no_address_holds_is_no_address(value: object) -> None:
    assert picture("/x/$image/$n", image=value, n=1) is None
