"""The page that finds items: for whom, what it shows, and what it says where it finds nothing."""

import html
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

import worker.workplace
from labelstudio.changes import tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.cache import FeatureCache
from model.items import Item
from tests.backend.pages import office
from tests.backend.pages.office import ANNA, CREATED_S, Browser, Desk, add_project, form_token
from tests.backend.parts import SPACE, features_of
from worker.search.filling import fill
from worker.watch import NeverEnds
from worker.workplace import open_workplace

ODD = '"><img src=x onerror=alert(1)>'
TITLES = ["不锈钢保温杯", "保温饭盒", ODD, *(f"商品{number}" for number in range(4, 40))]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home: Path = tmp_path_factory.mktemp("home")
    with office.desk(home) as desk, pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.workplace, "open_extractor", lambda _: desk.backend.encoders)
        for number in (1, 2, 3):
            add_project(desk.store, number)
        fill_project(desk, 1)
        made = desk.browser()
        assert made.sign_in(ANNA).status_code == 200
        yield made


def fill_project(desk: Desk, number: int) -> None:
    key = ProjectKey("default", number, CREATED_S)
    project = desk.store.projects.get(str(key))
    assert project
    config = LabelConfig.parse(project.label_config)
    cache = FeatureCache(desk.backend.settings.paths.features, SPACE)
    payloads = [{"id": place, "data": {"title": title}} for place, title in enumerate(TITLES, 1)]
    desk.store.tasks.upsert(str(key), tasks_of(payloads))
    for task, title in zip(payloads, TITLES, strict=True):
        cache.put(item_key(key.connection, reference_of(config, task, key)), features_of(Item(None, title)))
    with open_workplace(desk.backend.settings) as workplace:
        fill(workplace, project, NeverEnds())


def at(**query: str) -> str:
    return f"similar?id=1.{CREATED_S}" + "".join(f"&{name}={value}" for name, value in query.items())


def test_nothing_is_looked_for_at_first(browser: Browser) -> None:
    assert "similar?id=" in browser.get(f"project?id=1.{CREATED_S}").text
    page = browser.get(at()).text
    assert "Find items" in page
    assert "Found among" not in page


def test_items_are_found_by_words_and_by_task(browser: Browser) -> None:
    page = browser.get(at(text="保温杯")).text
    assert f"Found among {len(TITLES)} items" in page
    assert page.index("不锈钢保温杯") < page.index("保温饭盒")
    assert f"picture?id=1.{CREATED_S}&amp;task=1" in page
    assert "/projects/1/data?task=1" in page
    like = browser.get(at(task="1")).text
    assert "保温饭盒" in like
    assert 'task=1"' not in like, "not the task itself"


def test_pages_lead_to_each_other(browser: Browser) -> None:
    first = browser.get(at(task="1", fold="nothing"))
    assert "page=2" in first.text
    second = browser.get(at(task="1", fold="nothing", page="2"))
    assert f'href="{at(task="1", fold="nothing").replace("&", "&amp;")}"' in second.text
    assert "page=3" not in second.text
    assert browser.get(at(task="1", page="0x")).status_code == 200


def test_what_cannot_be_found_is_told(browser: Browser) -> None:
    for query, words in (
        ({"task": "99"}, "has no task 99 that was read"),
        ({"task": "x"}, "digits only"),
        ({"task": "9" * 18}, "has no task"),
    ):
        answer = browser.get(at(**query))
        assert answer.status_code == 422
        assert words in html.unescape(answer.text)
    empty = browser.get(f"similar?id=2.{CREATED_S}&text=a")
    assert "can be found yet" in empty.text


def test_what_cannot_be_found_is_told_in_chinese_too(browser: Browser) -> None:
    chinese = type(browser)(browser._client, "zh-CN")
    chinese.cookies = browser.cookies
    for query, words in (({"task": "99"}, "default/1"), ({"task": "x"}, "任务编号只含数字")):
        answer = chinese.get(at(**query))
        told = html.unescape(answer.text).partition('role="alert" lang="zh">')[2].partition("</p>")[0]
        assert words in told
        assert "that was read" not in told


def sent(browser: Browser, content: bytes = b"", **fields: str) -> httpx.Response:
    """The form of the page, as a browser sends it: with a file, or with an empty one."""
    token = form_token(browser.get(at()))
    filled = {"form_token": token, "id": f"1.{CREATED_S}", "text": "", "task": "", "weight": "50", **fields}
    return browser.post("similar", filled, files={"file": ("photo.png" if content else "", content)})


def picture_file(size: tuple[int, int] = (40, 30), form: str = "PNG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, "teal").save(made, form)
    return made.getvalue()


def test_the_form_leads_to_an_address_that_can_be_kept(browser: Browser) -> None:
    page = sent(browser, text="保温杯", labelled="no", industry="", weight="30")
    assert page.status_code == 200
    assert page.request.method == "GET"
    assert page.url.params["text"] == "保温杯"
    assert "task" not in page.url.params
    assert '<option value="no" selected>' in page.text
    assert 'value="30"' in page.text
    assert page.text.index("不锈钢保温杯") < page.text.index("保温饭盒")


def test_a_picture_is_taken_kept_for_its_session_and_taken_away(browser: Browser) -> None:
    for form in ("PNG", "JPEG", "WEBP"):
        page = sent(browser, picture_file(form=form), text="保温杯")
        assert page.status_code == 200, page.text
        assert "Found among" in page.text
        assert 'src="data:image/webp;base64,' in page.text
        assert page.text.index("不锈钢保温杯") < page.text.index("保温饭盒")
    name = page.url.params["picture"]
    again = browser.get(at(picture=name, text="保温饭盒"))
    assert again.text.index("保温饭盒") < again.text.index("不锈钢保温杯"), "other words, the same picture"
    words = sent(browser, text="保温杯", picture=name, without_picture="1")
    assert "picture" not in words.url.params
    assert "data:image" not in words.text
    other = Browser(browser._client, "en")
    assert other.sign_in(ANNA).status_code == 200
    gone = other.get(at(picture=name))
    assert gone.status_code == 422
    assert "choose the file again" in gone.text


def test_files_that_are_no_pictures_are_told(browser: Browser) -> None:
    many = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(many, "PNG")
    for content, words in (
        (b"no picture", "the file is no picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG pictures cannot be read"),
        (many.getvalue(), "pixels"),
    ):
        page = sent(browser, content, text="保温杯")
        assert page.status_code == 422
        assert words in html.unescape(page.text)
        assert 'value="保温杯"' in page.text, "the rest of the form stays"
    large = sent(browser, picture_file() + b"\0" * 30_100_000)
    assert large.status_code == 413
    assert "At most 30,000,000 bytes are taken" in large.text
    assert sent(browser, picture_file(), task="1").status_code == 422
    assert sent(browser, text="a", weight="101").status_code == 422


def test_a_form_of_another_site_or_of_nobody_is_refused(browser: Browser) -> None:
    fields = {"id": f"1.{CREATED_S}", "text": "保温杯"}
    file = {"file": ("photo.png", picture_file())}
    assert browser.post("similar", {**fields, "form_token": "0" * 64}, files=file).status_code == 403
    assert browser.post("similar", fields, files=file).status_code == 403
    token = form_token(browser.get(at()))
    other = {**fields, "id": f"3.{CREATED_S}", "form_token": token}
    assert browser.post("similar", other, files=file).status_code == 404, "another account's project"
    assert browser.post("similar", {**fields, "form_token": token}).status_code == 422, "no form with files"
    stranger = Browser(browser._client, "en")
    assert "Your Label Studio token" in stranger.post("similar", fields, files=file).text
    assert stranger.post("similar", fields, files={"file": ("a", b"0" * 20_000)}).status_code == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--x\r\n\r\n--x--", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--", b"\xff" * 100,
     b'--x\r\nContent-Disposition: form-data; name="id"\r\n\r\n\xff\r\n--x--'],
)  # fmt: skip
def test_broken_forms_are_answered(browser: Browser, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = browser._send("POST", "similar", True, {"content": body, "headers": headers})
    assert answer.status_code in (403, 422)


def test_titles_are_escaped_and_others_projects_are_not_there(browser: Browser) -> None:
    page = browser.get(at(text=ODD)).text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert browser.get(f"similar?id=3.{CREATED_S}&text=a").status_code == 404
    browser.cookies.clear()
    assert "Your Label Studio token" in browser.get(at(text="a")).text
