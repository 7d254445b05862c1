"""Further names of a Label Studio: which URLs are under one, and what is asked then."""

from collections.abc import Iterator

import pytest

from tests.labelstudio.studio import Fetching, Studio


@pytest.fixture
def studio() -> Iterator[Studio]:
    with Studio() as made:
        yield made


NAMES = ("https://label.example.com", "http://old.example.com:8081/studio/")


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("https://label.example.com/data/local-files/?d=a b.png", "/data/local-files/?d=a%20b.png"),
        ("HTTPS://Label.Example.com:443/data/upload/2/a.png", "/data/upload/2/a.png"),
        ("//label.example.com/data/upload/2/a.png", "/data/upload/2/a.png"),
        ("http://label.example.com/data/upload/2/a.png", "/data/upload/2/a.png"),
        ("http://old.example.com:8081/studio/data/upload/2/a.png", "/data/upload/2/a.png"),
        ("//old.example.com:8081/studio/data/upload/2/a.png", "/data/upload/2/a.png"),
        ("//127.0.0.1:{port}/data/upload/2/a.png", "/data/upload/2/a.png"),
    ],
)
def test_pictures_under_a_further_name_are_fetched_from_label_studio(studio: Studio, place: str, asked: str) -> None:
    with Fetching(studio.url, studio.token, further=NAMES) as fetching:
        assert fetching.size(place.format(port=studio.port)) == (320, 240)
        studio.redirects = {"/a": place.format(port=studio.port)}
        assert fetching.size("/a") == (320, 240)
    seen = f"Token {studio.token}"
    assert studio.requests == [(asked, seen), ("/a", seen), (asked, seen)]


def test_a_further_name_leads_to_a_url_with_a_path(studio: Studio) -> None:
    with Fetching(studio.url + "/ls/", studio.token, further=NAMES) as fetching:
        fetching.size("http://old.example.com:8081/studio/data/upload/2/a.png")
    assert studio.requests[0][0] == "/ls/data/upload/2/a.png"


@pytest.mark.parametrize(
    "place",
    [
        "http://label.example.com:443/a.png", "https://label.example.com:444/a.png", "https://label.example.com.evil.com/a.png",
        "https://user@label.example.com/a.png", "http://old.example.com:8081/a.png", "http://old.example.com:8081/studios/a",
        "https://evil.com/https://label.example.com/a.png", "https://label.example.com@evil.com/a.png",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_further_name_is_another_host(studio: Studio, place: str) -> None:
    with Fetching(studio.url, studio.token, further=NAMES) as fetching:
        assert fetching.refusal(place).permanent
    assert studio.requests == []
