"""What the pages show: with nothing, with much, with odd titles, in Chinese; and the choice of a version."""

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from backend.pages import now
from backend.pages.curve import curve_of
from backend.pages.texts import Texts
from labelstudio.changes import tasks_of
from store.versions import State
from tests.backend.pages import office
from tests.backend.pages.office import ANNA, CREATED_S, Browser, Desk, add_project, form_token, key_of
from tests.store import webhooks
from worker.at_work import AtWork, Task
from worker.queue import Kind

SECONDS = 1.0  # for a page
ODD = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with office.desk(tmp_path / "home") as made:
        yield made


def signed_in(desk: Desk, language: str = "en") -> Browser:
    browser = desk.browser(language)
    assert browser.sign_in(ANNA).status_code == 200
    return browser


def timed(browser: Browser, place: str) -> str:
    """A page that must be there within a second of processor time; the second look, as the first makes templates."""
    browser.get(place)
    began = time.process_time()
    answer = browser.get(place)
    seconds = time.process_time() - began
    print(f"{place}: {seconds:.3f} s, {len(answer.content)} bytes")
    assert seconds < SECONDS, place
    assert answer.status_code == 200, place
    return str(answer.text)


def test_pages_without_anything_say_what_to_do(desk: Desk) -> None:
    desk.accounts.people[ANNA] = ("anna@shop.test", {})
    page = signed_in(desk).get("./").text
    assert "None of your projects is connected yet" in page
    assert "Redis does not answer: start it" in page
    assert "Nothing runs and nothing waits" in page


def test_a_project_before_its_first_training(desk: Desk) -> None:
    add_project(desk.store, 1)
    page = signed_in(desk).get(f"project?id=1.{CREATED_S}").text
    assert "v0.0000" in page
    assert "too few labels to say" in page
    assert "The curve begins with" in page
    assert "The first training tells which labels are known" in page
    assert "Go back" not in page
    desk.store.projects.ensure(key_of(2), "<View/>", "bare")
    bare = signed_in(desk).get(f"project?id=2.{CREATED_S}").text
    assert "No version serves yet" in bare
    assert "The labelling config cannot be used" in bare


def test_titles_and_labels_and_reasons_are_escaped(desk: Desk) -> None:
    desk.accounts.people[ANNA] = (ODD, {1: ODD})
    key = add_project(desk.store, 1, ODD, versions=2, labels=(ODD, "b"))
    desk.store.projects.fail_attempt(key, ODD)
    desk.store.versions.note(key, {2: ODD})
    browser = signed_in(desk)
    for place in ("./", f"project?id=1.{CREATED_S}", f"version?id=1.{CREATED_S}&version=v2.0002"):
        page = browser.get(place).text
        assert "<img" not in page, place
        assert "&lt;img src=x onerror" in page, place
    assert "<img" not in browser.get(f"project?id={ODD}").text
    assert "<img" not in browser.get(f"sign-in?why={ODD}").text


def test_no_page_has_inline_script_or_style(desk: Desk) -> None:
    add_project(desk.store, 1, versions=5)
    browser = signed_in(desk)
    places = ("./", f"project?id=1.{CREATED_S}", f"version?id=1.{CREATED_S}&version=v3.0003")
    for place in (*places, f"choose?id=1.{CREATED_S}&version=v1.0001"):
        page = browser.get(place).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", page), place
        assert not re.search(r'(?:src|href|action)="(?:[a-z]+:(?!,)|/)', page), "links are relative"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_fifty_projects_and_ten_thousand_tasks_within_a_second(desk: Desk, language: str) -> None:
    desk.accounts.people[ANNA] = ("anna@shop.test", {number: f"Project {number}" for number in range(1, 51)})
    for number in range(1, 51):
        add_project(desk.store, number, versions=4 if number < 50 else 60)
    desk.store.tasks.upsert(key_of(50), tasks_of([webhooks.task(number, 1) for number in range(1, 10_001)]))
    browser = signed_in(desk, language)
    page = timed(browser, "./")
    assert len(re.findall(r'<th scope="row">', page)) == 50
    assert "10000" in page
    assert '<html lang="' + language in page
    project = timed(browser, f"project?id=50.{CREATED_S}")
    assert project.count("<circle") + project.count("<path") >= 50
    timed(browser, f"version?id=50.{CREATED_S}&version=v58.003a")
    timed(browser, "now")


def test_pages_in_chinese(desk: Desk) -> None:
    add_project(desk.store, 1, versions=4)
    browser = signed_in(desk, "zh-CN,zh;q=0.9")
    assert "运行状况" in browser.get("./").text
    project = browser.get(f"project?id=1.{CREATED_S}").text
    assert "精确率" in project
    assert "秒钟前" in project or "分钟前" in project
    assert "没有此页面" in browser.get("nothing").text


def test_a_person_chooses_a_version_and_it_is_kept_who_and_when(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    key = add_project(desk.store, 1, versions=5)
    browser = signed_in(desk)
    project = browser.get(f"project?id=1.{CREATED_S}").text
    assert "Go back to v4.0004" in project
    page = browser.get(f"choose?id=1.{CREATED_S}&version=v3.0003")
    assert "The gate refused this version" in page.text
    fields = {"form_token": form_token(page), "id": f"1.{CREATED_S}", "version": "v3.0003"}
    after = browser.post("choose", fields)
    assert "v3.0003, chosen by anna@shop.test" in after.text
    serving = desk.store.versions.current(key)
    assert serving is not None
    assert serving.version == "v3.0003"
    last = desk.store.versions.switches(key)[-1]
    assert (last.number, last.chosen_by) == (3, "anna@shop.test")
    assert abs(last.at - desk.store.now()) < 30
    assert f"{key} v3.0003 serves: chosen by anna@shop.test" in caplog.text
    version = browser.get(f"version?id=1.{CREATED_S}&version=v3.0003").text
    assert "macro-F1 0.750 after 0.730" in version, "what the gate said is still there"
    assert "Let v3.0003 serve" not in version


def test_a_page_that_fails_says_so_without_its_reason(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = signed_in(desk)

    def broken() -> None:
        raise RuntimeError("a secret reason")

    monkeypatch.setattr(desk.store.tasks, "counts", broken)
    answer = browser.get("./")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "secret reason" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_without_the_database_a_page_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = signed_in(desk)

    def away(_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("locked"))

    monkeypatch.setattr(desk.store.sessions, "get", away)
    answer = browser.get("./")
    assert answer.status_code == 503
    assert "The database is away or locked" in answer.text


def test_a_version_that_cannot_serve_is_not_offered(desk: Desk) -> None:
    key = add_project(desk.store, 1, versions=4)
    desk.store.versions.mark_pruned(key, [1])
    browser = signed_in(desk)
    assert "Let v1.0001 serve" not in browser.get(f"version?id=1.{CREATED_S}&version=v1.0001").text
    assert browser.get(f"choose?id=1.{CREATED_S}&version=v1.0001").status_code == 404
    fields = {"form_token": form_token(browser.get("./")), "id": f"1.{CREATED_S}", "version": "v1.0001"}
    answer = browser.post("choose", fields)
    assert answer.status_code == 409
    assert "was pruned" in answer.text


def test_problems_stand_on_the_overview_with_what_to_do(desk: Desk) -> None:
    key = add_project(desk.store, 1, versions=2)
    desk.store.projects.fail_attempt(key, "ValueError: no features")
    desk.store.tasks.upsert(key, tasks_of([webhooks.task(1, 1)]))
    desk.store.pictures.note(key, {1: "host 'a.com' is not allowed: add it to TAGLOOM_IMAGE_HOSTS"})
    page = signed_in(desk).get("./").text
    assert "ValueError: no features" in page
    assert "It is tried again by itself" in page
    assert "TAGLOOM_IMAGE_HOSTS" in page
    desk.store.sources.trouble("vision", "key", "the key is refused: correct TAGLOOM_VISION_KEY")
    assert "The source vision" in signed_in(desk).get("./").text
    desk.store.projects.note_presence(key, False)
    gone = signed_in(desk).get("./").text
    assert "Label Studio has no such project any more" in gone
    assert "<code>tagloom forget</code>" in gone


def test_gold_that_waits_is_shown_at_once_and_the_stamp_changes_with_the_version(desk: Desk) -> None:
    key = add_project(desk.store, 1, versions=2)
    browser = signed_in(desk)
    before = browser.get("now").text
    assert "Training" not in before
    desk.store.projects.request_training(key)
    waiting = browser.get("now").text
    assert "waits: the queue (Redis) does not answer" in waiting
    stamp = re.compile(r'data-stamp="(\w+)"')
    assert stamp.findall(before) == stamp.findall(waiting)
    desk.store.versions.override(key, "v1.0001")
    assert stamp.findall(browser.get("now").text) != stamp.findall(before)


def test_a_first_training_says_that_no_time_is_known(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = add_project(desk.store, 1)
    browser = signed_in(desk)
    told: dict[str, object] = {"stage": "learning boxes"}
    running = AtWork((Task(Kind.TRAIN, key, time.time(), told),), (), 1)
    monkeypatch.setattr(now, "at_work", lambda *_: running)
    assert "the first training: how long it takes is not known yet" in browser.get("now").text
    desk.store.projects.note_training(key, {"seconds": {"learning boxes": 20.0}})
    told |= {"seconds_left": 40.0, "reported_at": time.time()}
    later = browser.get("now").text
    assert "first training" not in later
    assert "seconds left" in later


def test_the_curve_marks_what_served_what_was_refused_and_what_people_chose(desk: Desk) -> None:
    key = add_project(desk.store, 1, versions=6)
    desk.store.versions.override(key, "v2.0002", "anna@shop.test")
    versions, switches = desk.store.versions.list(key), desk.store.versions.switches(key)
    plot = curve_of(versions, switches, Texts("en"))
    assert plot is not None
    kinds = {point.name.partition(":")[0]: point.kind for point in plot.points}
    assert kinds == {
        "v1.0001": "served",
        "v2.0002": "chosen",
        "v3.0003": "refused",
        "v4.0004": "served",
        "v5.0005": "served",
        "v6.0006": "refused",
    }
    assert [version.number for version in versions if version.state is State.REFUSED] == [6, 3]
    assert [(line.name, len(line.points)) for line in plot.lines] == [("", 4)], "none of them has drawn boxes"
    drew = [replace(version, metrics={**version.metrics, "mean_ap": 0.5}) for version in versions]
    both = curve_of(drew, switches, Texts("en"))
    assert both is not None
    assert [(line.name, line.dashed, len(line.points)) for line in both.lines] == [
        ("macro-F1", False, 4),
        ("mAP", True, 4),
    ]
    assert curve_of(versions[-2:], switches, Texts("en")) is None, "one version makes no curve"
