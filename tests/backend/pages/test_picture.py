"""The addresses of tasks' pictures: what is shown to whom, what stands where there is none, and that nobody waits."""

import io
import threading
import time
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from PIL import Image

from backend.app import THREADS
from backend.pages.pictures import Pictures, reduced
from tests.backend.pages import office
from tests.backend.pages.office import ANNA, BEN, CREATED_S, Browser, Desk, add_project, add_task

ON_ITS_SIDE = 6  # EXIF: the camera was turned
ODD = "<script>alert(1)</script>"
NUMBERS = count(100)  # of new tasks


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with office.desk(tmp_path_factory.mktemp("home")) as made:
        for number in (1, 3):
            add_project(made.store, number)
        yield made


def content(size: tuple[int, int], form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, form, **options)
    return file.getvalue()


def shown(desk: Desk, kind: str, body: bytes) -> str:
    """The address of the picture of a new task of project 1, whose file holds this."""
    task = next(NUMBERS)
    desk.accounts.files[f"/data/upload/1/{task}"] = (kind, body)
    add_task(desk.store, 1, task, f"/data/upload/1/{task}")
    return f"picture?id=1.{CREATED_S}&task={task}"


def signed_in(desk: Desk, token: str = ANNA) -> Browser:
    browser = desk.browser()
    assert browser.sign_in(token).status_code == 200
    return browser


def test_a_picture_is_small_and_upright_and_fetched_once(desk: Desk) -> None:
    exif = Image.Exif()
    exif[0x0112] = ON_ITS_SIDE
    place = shown(desk, "image/jpeg", content((1200, 600), "JPEG", exif=exif))
    browser = signed_in(desk)
    answer = browser.get(place)
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).size == (240, 480)
    assert answer.headers["cache-control"].startswith("private, ")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert browser.get(place).content == answer.content
    assert desk.accounts.asked.count(f"/data/upload/1/{place.partition('task=')[2]}") == 1
    assert Image.open(io.BytesIO(browser.get(place + "&large=1").content)).size == (600, 1200), "never made larger"


def test_a_browser_that_has_the_picture_gets_it_no_second_time(desk: Desk) -> None:
    place, browser = shown(desk, "image/png", content((40, 40))), signed_in(desk)
    tag = browser.get(place).headers["etag"]
    again = browser.get(place, if_none_match=tag)
    assert (again.status_code, again.content) == (304, b"")


def test_a_long_page_stays_readable() -> None:
    with Image.open(io.BytesIO(reduced(Image.new("RGB", (640, 6000)), 480))) as page:
        assert page.size == (160, 1500)


def test_nobody_sees_pictures_of_other_peoples_projects(desk: Desk) -> None:
    place = shown(desk, "image/png", content((40, 40)))
    assert desk.browser().get(place, follow=False).headers["location"] == "sign-in"
    ben = signed_in(desk, BEN)
    assert ben.get(place).status_code == 404
    task = place.partition("task=")[2]
    assert ben.get(f"picture?id=3.{CREATED_S}&task={task}").status_code == 404, "a task of another project"
    # Whoever may write tasks could name a picture that they may not see.
    add_task(desk.store, 3, 8, f"/data/upload/1/{task}")
    stolen = ben.get(f"picture?id=3.{CREATED_S}&task=8")
    assert stolen.headers["content-type"] == "image/svg+xml"
    assert "answered 404" in stolen.text


@pytest.mark.parametrize("task", ["", "0", "-1", "x", "1" * 40, "٣"])
def test_a_task_that_is_none(desk: Desk, task: str) -> None:
    answer = signed_in(desk).get("picture", id=f"1.{CREATED_S}", task=task)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("image/svg+xml", f"<svg>{ODD}</svg>".encode(), "SVG pictures cannot be read"),
        ("text/html", f"<!doctype html>{ODD}".encode(), "a web page came instead"),
        ("image/png", b"", "the file is empty"),
        ("image/png", b"nothing", "no picture that can be read"),
    ],
)
def test_what_is_no_picture_is_not_passed_on(desk: Desk, kind: str, body: bytes, reason: str) -> None:
    answer = signed_in(desk).get(shown(desk, kind, body))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert reason in answer.text
    assert "<script" not in answer.text


def test_a_picture_of_more_pixels_than_allowed(desk: Desk) -> None:
    file = io.BytesIO()
    Image.new("1", (8000, 5001)).save(file, "PNG")
    answer = signed_in(desk).get(shown(desk, "image/png", file.getvalue()))
    assert "40 million pixels" in answer.text or "40,000,000" in answer.text, answer.text


def test_a_reason_is_escaped_and_told_again_without_asking(desk: Desk) -> None:
    add_task(desk.store, 1, 7, f"https://{ODD}.example.com/a.png")
    add_task(desk.store, 1, 8, "/data/upload/1/8")
    browser = signed_in(desk)
    assert "<script" not in browser.get(f"picture?id=1.{CREATED_S}&task=7").text
    for _ in range(2):
        assert "No picture" in browser.get(f"picture?id=1.{CREATED_S}&task=8").text
    assert desk.accounts.asked.count("/data/upload/1/8") == 1


def test_slow_pictures_hold_no_other_page(desk: Desk) -> None:
    places = [shown(desk, "image/png", content((40, 40))) for _ in range(12)]
    browser = signed_in(desk)
    desk.accounts.asked.clear()
    desk.accounts.gate.clear()
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda at=at: answers.append(browser.get(at))) for at in places]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert browser.get("./").status_code == 200
    assert time.monotonic() - began < 2
    waiting = sum(path.startswith("/data/upload") for path in desk.accounts.asked)
    assert waiting <= THREADS["pictures"][1], "no more at once, so that Label Studio is not flooded"
    desk.accounts.gate.set()
    for thread in threads:
        thread.join(20)
    assert [answer.status_code for answer in answers] == [200] * len(places)


def test_the_readers_of_many_people_are_closed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.pages.pictures.MOST_READERS", 1)
    place = shown(desk, "image/png", content((40, 40)))
    pictures: Pictures = desk.backend.app.state.pages.pictures
    for _ in range(2):
        assert signed_in(desk).get(place).status_code == 200
        assert len(pictures._readers) == 1
