import base64
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest

from labelstudio import addresses
from labelstudio.decoding import ImageUnavailableError
from labelstudio.images import ImageLimits
from labelstudio.tasks import ItemReference
from testing.pictures import png
from tests.labelstudio.references import ODD_REFERENCES
from tests.labelstudio.studio import Fetching, Studio, personal_token


@pytest.fixture
def studio() -> Iterator[Studio]:
    with Studio() as made:
        yield made


def test_an_upload_is_fetched_with_the_legacy_token(studio: Studio) -> None:
    with Fetching(studio.url, studio.token) as fetching:
        assert fetching.size("/data/upload/2/a.png") == (320, 240)
    assert studio.requests == [("/data/upload/2/a.png", f"Token {studio.token}")]


def test_a_base_url_with_a_path_keeps_it(studio: Studio) -> None:
    with Fetching(studio.url + "/studio", studio.token) as fetching:
        fetching.size("/data/upload/2/a.png")
        fetching.size("/studio/data/upload/2/b.png")
    assert [path for path, _ in studio.requests] == ["/studio/data/upload/2/a.png", "/studio/data/upload/2/b.png"]


def test_a_personal_token_buys_access_and_is_renewed_on_401() -> None:
    with Studio(personal_token()) as studio, Fetching(studio.url, studio.token) as fetching:
        fetching.size("/data/upload/2/a.png")
        fetching.size("/data/upload/2/b.png")
        assert [header for _, header in studio.requests] == ["Bearer access0"] * 2
        studio.access = {"expired"}
        fetching.size("/data/upload/2/c.png")
        assert [header for _, header in studio.requests[2:]] == ["Bearer access0", "Bearer access1"]


def test_a_wrong_token_says_what_to_set(studio: Studio) -> None:
    with Fetching(studio.url, "wrong") as fetching:
        refusal = fetching.refusal("/data/upload/2/a.png")
    assert "LABEL_STUDIO_API_KEY" in str(refusal)
    assert not refusal.permanent


def test_setups_token_counts_only_while_none_is_configured(studio: Studio) -> None:
    with Fetching(studio.url) as fetching:
        fetching.client.offer_token(studio.token)
        assert fetching.size("/data/upload/2/a.png") == (320, 240)
    with Fetching(studio.url, "configured") as fetching:
        fetching.client.offer_token(studio.token)
        fetching.refusal("/data/upload/2/a.png")


def test_cloud_pictures_go_through_label_studios_resolver(studio: Studio) -> None:
    with Fetching(studio.url, studio.token) as fetching:
        fetching.size("s3://bucket/商品 1.png", task_id=7)
        fetching.size("gs://bucket/b.png", project_id=2)
    encoded = base64.urlsafe_b64encode("s3://bucket/商品 1.png".encode()).decode().replace("=", "%3D")
    assert studio.requests[0][0] == f"/tasks/7/resolve/?fileuri={encoded}"
    assert studio.requests[1][0].startswith("/projects/2/resolve/?fileuri=")


@pytest.mark.parametrize("place", ["/data/local-files/?d=shop/std.jpg", "s3://shop/std.jpg", "gs://shop/std.jpg"])
def test_a_storage_that_is_not_connected_says_what_to_do(studio: Studio, place: str) -> None:
    studio.default = None
    with Fetching(studio.url, studio.token) as fetching:
        assert "connect its storage" in str(fetching.refusal(place, task_id=7))
        assert "storage" not in str(fetching.refusal("/data/upload/2/a.png"))


def test_a_file_names_its_folder_and_the_setting(studio: Studio, tmp_path: Path) -> None:
    with Fetching(studio.url, roots=[tmp_path]) as fetching:
        said = str(fetching.refusal("file:///srv/shop/夏装/std.jpg"))
    assert "'/srv/shop/夏装'" in said
    assert "TAGLOOM_IMAGE_ROOTS" in said


def test_redirects_inside_label_studio_are_followed(studio: Studio) -> None:
    studio.redirects = {"/a": "/b", "/b": studio.url + "/c"}
    with Fetching(studio.url, studio.token) as fetching:
        assert fetching.size("/a") == (320, 240)
        studio.redirects = {"/a": "/a"}
        assert "too often" in str(fetching.refusal("/a"))


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/a.png", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd",
        "//evil.example/a", "gopher://evil.example/", "http://[::1]/a.png", "https://evil.example/a.png", "http://user@127.0.0.1/",
        "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://[::127.0.0.1]/",
        "http://10.0.0.1/", "http://[fd00:ec2::254]/latest/", "data:image/png;base64,AAAA", "http://127.0.0.1:99999/",
    ],
)  # fmt: skip
def test_redirects_elsewhere_are_refused_without_asking(studio: Studio, target: str) -> None:
    studio.redirects = {"/a": target}
    with Fetching(studio.url, studio.token) as fetching:
        assert fetching.refusal("/a").permanent
    assert len(studio.requests) == 1


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:1/a.png", "http://localhost/a.png", "http://2130706433/a.png", "http://0x7f000001/a.png",
        "http://[::ffff:127.0.0.1]/a.png", "http://169.254.169.254/latest/", "file:///etc/passwd", "file://evil/etc/passwd",
        "ftp://evil.example/a.png", "//127.0.0.1/a.png", "javascript:alert(1)", "a.png", "../../etc/passwd", "http://",
        "http://evil.example:99999/", "http:///a.png", "https://evil.example\\@127.0.0.1/", "http://a b/", "\x00",
        "jar:http://evil.example!/", "s3://bucket/without-a-task.png", "http://[::1", "data:image/png",
    ],
)  # fmt: skip
def test_what_may_not_be_fetched_is_refused_for_good(studio: Studio, place: str) -> None:
    with Fetching(studio.url, studio.token, allowed_hosts=["*"], roots=[Path("/nonexistent")]) as fetching:
        refusal = fetching.refusal(place)
    assert refusal.permanent
    assert studio.requests == []


@pytest.mark.parametrize(
    "trick", ["{host}@evil.example", "evil.example#@{host}", "{host}.evil.example", "evil.example?{host}"]
)
def test_tricks_with_label_studios_own_name(studio: Studio, trick: str) -> None:
    host = studio.url.removeprefix("http://")
    with Fetching(studio.url, studio.token) as fetching:
        assert fetching.refusal(f"http://{trick.format(host=host)}/a.png").permanent
    assert studio.requests == []


def test_another_port_of_label_studios_host_is_not_label_studio(studio: Studio) -> None:
    with Studio() as other, Fetching(studio.url, studio.token, allowed_hosts=["127.0.0.1"]) as fetching:
        assert "private address" in str(fetching.refusal(other.url + "/a.png"))
        assert other.requests == []


def test_allowed_hosts_are_fetched_without_the_token(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(studio.url.rsplit(":", 1)[1])
    known = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> list[Any]:
        return known("127.0.0.1" if host == "img.example.com" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(addresses, "is_public", lambda _: True)  # no public host can be had here
    studio.redirects = {"/a": f"http://img.example.com:{port}/b"}
    with Fetching(studio.url, studio.token, allowed_hosts=["img.example.com"]) as fetching:
        fetching.refusal("/a")
    assert [header for _, header in studio.requests] == [f"Token {studio.token}", None]


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("/data/local-files/?d=a b.webp", "/data/local-files/?d=a%20b.webp"),
        (
            "/data/local-files/?d=茶具/白瓷 1.webp",
            "/data/local-files/?d=%E8%8C%B6%E5%85%B7/%E7%99%BD%E7%93%B7%201.webp",
        ),
        ("/data/local-files/?d=a%20b.webp", "/data/local-files/?d=a%20b.webp"),
        ("/data/local-files/?d=%E7%93%B7 1.webp", "/data/local-files/?d=%E7%93%B7%201.webp"),
        ("/data/local-files/?d=100% new.webp", "/data/local-files/?d=100%%20new.webp"),
        ("/data/local-files/?d=shop\\a.webp", "/data/local-files/?d=shop%5Ca.webp"),
        ("/data/upload/2/图 (1)+a.png", "/data/upload/2/%E5%9B%BE%20(1)+a.png"),
        ("/data/upload/2/a\nb.png", "/data/upload/2/ab.png"),
        ("/data/upload/2/a.png#top", "/data/upload/2/a.png"),
    ],
)
def test_addresses_are_sent_as_a_browser_sends_them(studio: Studio, place: str, asked: str) -> None:
    with Fetching(studio.url, studio.token) as fetching:
        assert fetching.size(place) == (320, 240)
        assert fetching.size(studio.url + place) == (320, 240)
        studio.redirects = {"/away": place}
        assert place.isascii() is False or "\n" in place or fetching.size("/away") == (320, 240)
    assert {path for path, _ in studio.requests} - {"/away"} == {asked}


def test_a_host_in_other_letters_is_asked_by_its_own_name(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with Fetching(studio.url, allowed_hosts=["xn--fiq228c.example.com"]) as fetching:
        assert not fetching.refusal("https://中文.example.com/a.png").permanent
    assert asked == ["xn--fiq228c.example.com"]


@pytest.mark.parametrize("location", [b"/\xe7\x93\xb7.png", b"/\xe9.png"])
def test_a_redirect_may_be_written_in_any_letters(studio: Studio, location: bytes) -> None:
    studio.redirects = {"/a.png": location.decode("latin-1")}
    with Fetching(studio.url, studio.token) as fetching:
        assert fetching.size("/a.png") == (320, 240)
    assert studio.requests[1][0] == ("/%E7%93%B7.png" if b"\xe7" in location else "/%C3%A9.png")


def test_an_address_without_a_scheme_is_fetched_by_https(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []

    def connect(_self: Any, host: str, port: int, *_: Any) -> Any:
        opened.append((host, port))
        raise httpcore.ConnectError("not in a test")

    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: public)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with Fetching(studio.url, studio.token, allowed_hosts=["img.example.com"]) as fetching:
        assert not fetching.refusal("//img.example.com/a b.jpg").permanent
        assert "not allowed" in str(fetching.refusal("//other.example.com/a.jpg"))
    assert opened == [("8.8.8.8", 443)]


def test_without_a_configured_label_studio_its_paths_say_what_to_set() -> None:
    with Fetching("") as fetching:
        refusal = fetching.refusal("/data/upload/2/a.png")
    assert "LABEL_STUDIO_URL" in str(refusal)
    assert not refusal.permanent


def test_a_picture_in_the_address_itself_is_read_without_a_request(studio: Studio) -> None:
    encoded = base64.b64encode(png((30, 20))).decode()
    with Fetching(studio.url, limits=ImageLimits(max_bytes=1000)) as fetching:
        assert fetching.size(f"data:image/png;base64,{encoded}") == (30, 20)
        assert fetching.size(f"DATA:image/png;BASE64,{encoded}") == (30, 20)
        assert "larger" in str(fetching.refusal("data:image/png;base64," + "A" * 3000))
        assert fetching.refusal("data:image/png;base64,A").permanent
        assert fetching.refusal("data:image/png;base64,AAAA").permanent
    assert studio.requests == []


def test_local_files_only_below_the_roots(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    for folder in (root, outside):
        (folder / "商品 1.png").write_bytes(png((30, 20)))
    (root / "link.png").symlink_to(outside / "商品 1.png")
    os.mkfifo(root / "pipe.png")
    with Fetching("", roots=[root]) as fetching:
        assert fetching.size(f"file://{root}/%E5%95%86%E5%93%81%201.png") == (30, 20)
        for place in (
            f"file://{outside}/a.png", f"file://{root}/../outside/a.png", f"file://{root}/link.png",
            f"file://{root}/pipe.png", f"file://{root}", f"file://{root}/missing.png", f"file://{root}/%00.png",
            "file:///dev/zero", "file:///proc/self/environ",
        ):  # fmt: skip
            assert "TAGLOOM_IMAGE_ROOTS" in str(fetching.refusal(place)), place


def test_size_is_capped_while_it_streams(studio: Studio) -> None:
    studio.default = b"\x89PNG" + b"0" * 5_000_000
    with Fetching(studio.url, studio.token, limits=ImageLimits(max_bytes=1_000_000)) as fetching:
        assert "TAGLOOM_IMAGE_MAX_BYTES" in str(fetching.refusal("/a.png"))


def test_time_is_capped(studio: Studio) -> None:
    studio.pause = 1.0
    with Fetching(studio.url, studio.token, limits=ImageLimits(seconds=0.2)) as fetching:
        refusal = fetching.refusal("/a.png")
    assert "0.2 s" in str(refusal)
    assert not refusal.permanent


def test_missing_pictures_are_permanent_and_a_studio_that_is_away_is_not(studio: Studio) -> None:
    studio.default = None
    with Fetching(studio.url, studio.token) as fetching:
        assert fetching.refusal("/a.png").permanent
    with Fetching("http://127.0.0.1:1", "x") as fetching:
        assert not fetching.refusal("/a.png").permanent


def test_html_instead_of_a_picture_is_told(studio: Studio) -> None:
    studio.default = b"<!DOCTYPE html><title>Sign in</title>"
    with Fetching(studio.url, studio.token) as fetching:
        assert "login page" in str(fetching.refusal("/a.png"))


def test_no_picture_in_the_task(studio: Studio) -> None:
    with Fetching(studio.url) as fetching, pytest.raises(ImageUnavailableError, match="names no picture"):
        fetching.fetcher.fetch(ItemReference(None))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0177.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
def test_a_redirect_to_this_machine_is_refused_even_where_every_host_is_allowed(studio: Studio, host: str) -> None:
    with Studio() as hidden, Fetching(studio.url, studio.token, allowed_hosts=["*"]) as fetching:
        port = hidden.url.rsplit(":", 1)[1]
        studio.redirects = {"/a": f"http://{host}:{port}/b"}
        fetching.refusal("/a")
        assert hidden.requests == []


def test_a_name_that_turns_private_between_check_and_connection_finds_nothing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding against the whole fetcher: the name is public when asked first, and ours ever after."""
    asked: list[str] = []
    known = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        if host != "rebind.example":
            return known(host, port, *rest, **more)
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    limits = ImageLimits(seconds=0.3)
    with Studio() as hidden, Fetching(studio.url, allowed_hosts=["rebind.example"], limits=limits) as fetching:
        port = hidden.url.rsplit(":", 1)[1]
        for _ in range(3):
            fetching.refusal(f"http://rebind.example:{port}/a.png")
        assert hidden.requests == []


def test_no_header_stands_in_the_reason(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    with Fetching(studio.url, studio.token) as fetching:
        monkeypatch.setattr(fetching.client, "authorization", lambda _stale=None: "Token secret-token-123\r")
        refusal = fetching.refusal("/data/upload/2/a.png")
    assert "secret" not in str(refusal)
    assert "LocalProtocolError" in str(refusal)


@pytest.mark.parametrize("place", ODD_REFERENCES)
def test_an_odd_reference_is_refused_for_good(studio: Studio, place: str, tmp_path: Path) -> None:
    with Fetching(studio.url, studio.token, allowed_hosts=["*.example.com"], roots=[tmp_path]) as fetching:
        assert fetching.refusal(place, task_id=1).permanent


@pytest.mark.parametrize(
    "target", ["http://[", "http://a..example.com/", "//[", "/\x80", "http://", "data:,x", "?" * 20_000]
)
def test_a_redirect_to_an_odd_place_is_refused(studio: Studio, target: str) -> None:
    studio.redirects["/data/upload/2/a.png"] = target
    studio.default = None
    with Fetching(studio.url, studio.token, allowed_hosts=["*.example.com"]) as fetching:
        assert fetching.refusal("/data/upload/2/a.png").permanent
