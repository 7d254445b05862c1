"""The gallery, the page of a task, and doubtful labels: what is found, shown and escaped, and who may do what."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labelstudio.project import ProjectKey
from store.answers import Answer
from store.changes import AnnotationState
from store.doubts import Doubt
from store.gallery import LabelAnswer
from store.leases import Lease
from tests.backend.pages import office
from tests.backend.pages.office import ANNA, BEN, CREATED_S, LABELS, Browser, Desk, add_project, add_task, form_token

ODD = '"><img src=x onerror=alert(1)>'
ID = f"1.{CREATED_S}"
BOX = (LABELS[0], 0.1, 0.2, 0.6, 0.9, 0.8)
TASKS = 30
# Gold of tasks: 1 as answered, 2 with another label. The others have none.
GOLD = {1: ("主体",), 2: ("价格",)}


def inline_picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def annotate(desk: Desk, key: str, task: int, labels: tuple[str, ...]) -> None:
    tags = {"from_name": "elements", "to_name": "image", "type": "choices", "value": {"choices": list(labels)}}
    value = {"x": 10, "y": 20, "width": 50, "height": 70, "rotation": 0, "rectanglelabels": [labels[0]]}
    box = {"id": "b", "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": value}
    state = AnnotationState(task, task, [tags, box], was_cancelled=False, ground_truth=False, updated_us=1)
    desk.store.annotations.apply(key, [state])


def fill(desk: Desk, number: int, labels: tuple[str, ...] = LABELS) -> str:
    """A project with answers of its served version and of the one before; every second picture changed."""
    key = add_project(desk.store, number, versions=2, labels=labels)
    lease = desk.store.leases.acquire(f"predict:{key}", "test", ttl=600)
    assert lease
    for task in range(1, TASKS + 1):
        add_task(desk.store, number, task, inline_picture())
    for task, given in GOLD.items():
        annotate(desk, key, task, tuple(labels[LABELS.index(label)] for label in given))
    for version in ("v1.0001", "v2.0002"):
        desk.store.answers.begin(key, version, "<View/>", lease)
        keep(desk, key, version, labels, lease)
    gold = {task: {label: label in given for label in LABELS} for task, given in GOLD.items()}
    if labels == LABELS:
        desk.store.gallery.set_gold(key, gold, lease)
    doubt = Doubt(
        2, labels[1], given=True, probability=0.2, gold="g", sources=((ODD, -1.5),), nearest=((1, 0.9, False),)
    )
    desk.store.doubts.replace(key, [doubt], lease)
    return key


def keep(desk: Desk, key: str, version: str, labels: tuple[str, ...], lease: Lease) -> None:
    box = (labels[0], *BOX[1:])
    answers = [
        Answer(
            task_id=task,
            version=version,
            item_key=f"{task:064}",
            score=round(task / 100, 2),
            labels=(labels[0],) if version == "v2.0002" or task % 2 else (labels[1],),
            probabilities=dict.fromkeys(labels, 0.75),
            boxes=(box,),
            look_alike=1 if task < 4 else task,
            changed=version == "v2.0002" and task % 2 == 0,
        )
        for task in range(1, TASKS + 1)
    ]
    desk.store.answers.put(key, answers, lease)
    said = {one.task_id: [LabelAnswer(label, label in one.labels, "cue") for label in labels] for one in answers}
    desk.store.gallery.put(key, version, said, lease)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with office.desk(tmp_path_factory.mktemp("home")) as made:
        fill(made, 1)
        fill(made, 2, (ODD, "b", "c"))
        add_project(made.store, 3)
        yield made


@pytest.fixture(scope="module")
def browser(desk: Desk) -> Browser:
    return signed_in(desk)


def signed_in(desk: Desk, token: str = ANNA, language: str = "en") -> Browser:
    browser = desk.browser(language)
    assert browser.sign_in(token).status_code == 200
    return browser


def shown(browser: Browser, **asked: Any) -> list[int]:
    """The tasks of the pictures on a page of the gallery."""
    page = browser.get("gallery", id=ID, **asked)
    assert page.status_code == 200
    return [int(task) for task in re.findall(r'<li class="pictured">.*?task=(\d+)', page.text, re.DOTALL)]


def test_the_gallery_shows_pictures_page_by_page(browser: Browser) -> None:
    page = browser.get("gallery", id=ID)
    assert "Pictures: 30" in page.text
    assert page.text.count('class="box c0"') == 24
    (more,) = re.findall(r'href="(gallery\?[^"]*after=[^"]*)"', page.text)
    rest = browser.get(more.replace("&amp;", "&"))
    assert re.findall(r'<li class="pictured">.*?task=(\d+)', rest.text, re.DOTALL) == [str(n) for n in range(25, 31)]
    assert "Next pictures" not in rest.text


def test_tags_say_what_is_right_wrong_and_missed(browser: Browser) -> None:
    right = browser.get("gallery", id=ID, verdict="right").text
    assert '<li class="right c0">' in right
    assert 'class="gold c0"' in right
    wrong = browser.get("gallery", id=ID, verdict="wrong").text
    assert '<li class="wrong c0">' in wrong
    assert '<li class="missed c1">' in wrong
    assert "http://" in wrong
    assert "/projects/1/data?task=2" in wrong


@pytest.mark.parametrize(
    ("asked", "tasks"),
    [
        ({"verdict": "right"}, [1]),
        ({"verdict": "wrong"}, [2]),
        ({"verdict": "unlabelled", "to": "4"}, [3, 4]),
        ({"from": "29"}, [29, 30]),
        ({"changed": "1", "to": "6"}, [2, 4, 6]),
        ({"alike": "1", "order": "-score"}, [3, 2, 1]),
        ({"label": "价格"}, []),
        ({"source": "cue", "to": "1"}, [1]),
        ({"source": "' OR 1=1 --"}, []),
    ],
)
def test_filters(browser: Browser, asked: dict[str, str], tasks: list[int]) -> None:
    assert shown(browser, **asked) == tasks


@pytest.mark.parametrize(
    "asked",
    [
        {"after": "x"},
        {"after": "nan:1"},
        {"after": "0.1:" + "9" * 30},
        {"verdict": ODD, "order": "up"},
        {"from": "nan", "to": "inf"},
        {"alike": "-1"},
    ],
)
def test_what_is_not_understood_filters_nothing(browser: Browser, asked: dict[str, str]) -> None:
    assert shown(browser, **asked) == list(range(1, 25))


def test_nothing_is_shown_of_other_peoples_projects(desk: Desk) -> None:
    ben = signed_in(desk, BEN)
    for place in ("gallery?id=", "doubts?id="):
        assert ben.get(place + ID).status_code == 404
        assert ben.get(f"{place}3.{CREATED_S}").status_code == 200
    assert ben.get("task", id=ID, task="1").status_code == 404
    assert ben.get("task", id=f"3.{CREATED_S}", task="1").status_code == 404
    token = form_token(ben.get("./"))
    assert ben.post("dismiss", {"form_token": token, "id": ID, "task": "2", "label": LABELS[1]}).status_code == 404
    assert desk.store.doubts.count(f"default/{ID}") == 1


def test_odd_names_are_escaped_and_nothing_is_inline(browser: Browser) -> None:
    other = f"2.{CREATED_S}"
    for place in (f"gallery?id={other}", f"task?id={other}&task=2", f"doubts?id={other}", f"project?id={other}"):
        page = browser.get(place).text
        assert "<img src=x" not in page, place
        assert "onerror=alert" in page, place
        assert not re.search(r"<style|\sstyle=|\son\w+=\w+\(|<script(?! src=)", page.replace("onerror=alert(1)", "")), (
            place
        )
    assert "<img src=x" not in browser.get("gallery", id=ID, label=ODD, source=ODD, after=ODD).text


def test_before_the_first_answers_pages_say_what_to_wait_for(desk: Desk) -> None:
    ben, other = signed_in(desk, BEN), f"3.{CREATED_S}"
    assert "no answers to show yet" in ben.get("gallery", id=other).text
    assert "The first training looks for doubtful labels" in ben.get("doubts", id=other).text


def test_the_project_shows_what_the_last_version_changed(browser: Browser) -> None:
    page = browser.get("project", id=ID).text
    assert "v2.0002 answers 15 pictures otherwise than v1.0001" in page
    assert page.count('<div class="pair">') == 12
    assert "gallery?id=" in page
    assert "Doubtful labels (1)" in page


def test_a_task_whose_picture_is_unread_says_so_and_shows_the_answer(browser: Browser) -> None:
    page = browser.get("task", id=ID, task="2").text
    assert "has not been read yet" in page
    assert "large=1" in page
    assert "v2.0002 is 2 % sure" in page
    assert "What v1.0001 said before" in page
    assert "Is there really 价格?" in page
    assert browser.get("task", id=ID, task="999").status_code == 404


def test_a_task_shows_the_cues_that_fired_and_that_there_is_no_network_yet(desk: Desk, browser: Browser) -> None:
    service = desk.backend.service
    key, project = ProjectKey.parse(f"default/{ID}"), desk.store.projects.get(f"default/{ID}")
    assert project
    config = service.config(project.label_config)
    service.engine.result().encoder.features(key, config, [desk.store.tasks.some(str(key), [1])[1].payload()])
    page = browser.get("task", id=ID, task="1").text
    assert "<q>¥99 立减</q>" in page, "a cue on the read price"
    assert "for it" in page
    assert "No attention network has been trained yet" in page
    assert 'class="meter"' in page
    chinese = signed_in(desk, language="zh").get("task", id=ID, task="1").text
    assert "尚未训练注意力网络" in chinese


def test_a_doubt_is_dismissed_and_stands_again(desk: Desk, browser: Browser) -> None:
    page = browser.get("doubts", id=ID)
    assert "Is there really 价格?" in page.text
    assert "20 % probable" in page.text
    assert "Only 80 tasks are labelled so far" in page.text
    assert "has no 价格" in page.text, "the nearest"
    fields = {"id": ID, "task": "2", "label": LABELS[1]}
    assert browser.post("dismiss", {**fields, "form_token": "0" * 64}).status_code == 403
    token = form_token(page)
    after = browser.post("dismiss", {**fields, "form_token": token})
    assert "No label that model and sources all speak against" in after.text or "anna@shop.test" in after.text
    assert "anna@shop.test</td>" in after.text
    again = browser.post("dismiss", {**fields, "form_token": token, "again": "1"})
    assert "the most doubtful first: 1" in again.text
    assert browser.post("dismiss", {**fields, "label": "x", "form_token": token}).status_code == 404


def test_doubts_among_many_labels_come_without_a_warning_and_faint_sources_are_not_told(tmp_path: Path) -> None:
    with office.desk(tmp_path / "home") as desk:
        key = add_project(desk.store, 1, versions=4)
        lease = desk.store.leases.acquire(f"predict:{key}", "test", ttl=600)
        assert lease
        add_task(desk.store, 1, 1, inline_picture())
        doubt = Doubt(1, LABELS[1], given=True, probability=0.2, gold="g", sources=(("boxes", -1.5), ("faint", 0.01)))
        desk.store.doubts.replace(key, [doubt], lease)
        page = signed_in(desk).get("doubts", id=ID).text
        assert "tasks are labelled so far" not in page
        assert "boxes (-1.5)" in page
        assert "faint" not in page
        assert "边框 (-1.5)" in signed_in(desk, language="zh").get("doubts", id=ID).text


def test_pages_say_that_they_show_the_answers_of_the_version_before(tmp_path: Path) -> None:
    with office.desk(tmp_path / "home") as desk:
        key = fill(desk, 1)
        browser = signed_in(desk)
        said = "until then this page shows what v2.0002 says"
        assert said not in browser.get("gallery", id=ID).text
        desk.store.versions.override(key, "v0.0000")
        assert said in browser.get("gallery", id=ID).text
        assert said in browser.get("project", id=ID).text


def test_links_lead_to_the_first_name_of_label_studio(tmp_path: Path) -> None:
    names = ("https://label.example.com", "http://old.example.com:8080")
    with office.desk(tmp_path / "home", label_studio_names=names) as desk:
        fill(desk, 1)
        page = signed_in(desk).get("gallery", id=ID).text
        assert "https://label.example.com/projects/1/data?task=1" in page
        assert "old.example.com" not in page
