"""Sessions and access: who sees what, and what a form, a cookie or the database alone is good for."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from backend.pages import accounts as accounts_module
from backend.pages import failures as failures_module
from backend.pages import sessions
from backend.pages.sessions import COOKIE, FORM_COOKIE
from store.tables import SESSIONS
from tagloom_base import clock
from tagloom_base.groups import ConnectionSettings
from tests.backend.credentials import NEW, OLD, secrets
from tests.backend.pages import office
from tests.backend.pages.office import ANNA, BEN, CREATED_S, Desk, add_project, form_token
from tests.backend.parts import running

SHOES = f"project?id=1.{CREATED_S}"


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    with office.desk(tmp_path / "home") as made:
        add_project(made.store, 1, "Shoes", versions=2)
        add_project(made.store, 3, "Lamps", versions=2)
        yield made


def rows(desk: Desk) -> list[Any]:
    with desk.store._database.read() as connection:
        return list(connection.execute(select(SESSIONS)))


def test_a_token_of_label_studio_opens_the_pages_and_a_wrong_one_does_not(desk: Desk) -> None:
    browser = desk.browser()
    assert "sign-in" in str(browser.get("./").url)
    refused = browser.sign_in("wrong")
    assert refused.status_code == 403
    assert "does not accept this token" in refused.text
    assert COOKIE not in browser.cookies
    page = browser.sign_in(f"  {ANNA}\n")
    assert page.status_code == 200
    assert "anna@shop.test" in page.text
    assert "Shoes" in page.text
    assert "Lamps" not in page.text
    assert FORM_COOKIE not in browser.cookies


def test_a_personal_access_token_opens_them_too(desk: Desk) -> None:
    personal = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
    assert desk.browser().sign_in(personal).status_code == 403
    desk.accounts.people[personal] = ("carl@shop.test", {3: "Lamps"})
    page = desk.browser().sign_in(personal)
    assert "carl@shop.test" in page.text
    assert "Lamps" in page.text
    assert desk.browser().sign_in("人").status_code == 403, "no header can carry it"


def test_an_attempt_that_label_studio_did_not_answer_does_not_count(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures_module, "MOST", 2)
    browser = desk.browser()
    assert browser.sign_in("wrong").status_code == 403
    desk.accounts.is_away = True
    assert [browser.sign_in(ANNA).status_code for _ in range(3)] == [503, 503, 503]
    desk.accounts.is_away = False
    assert [browser.sign_in("wrong").status_code for _ in range(2)] == [403, 429]


def test_the_project_of_another_account_is_not_there(desk: Desk) -> None:
    browser = desk.browser()
    browser.sign_in(ANNA)
    assert browser.get(SHOES).status_code == 200
    lamps, nothing = browser.get(f"project?id=3.{CREATED_S}"), browser.get(f"project?id=99.{CREATED_S}")
    assert lamps.status_code == nothing.status_code == 404
    assert lamps.text == nothing.text
    for place in ("version?id=3.{}&version=v2.0002", "choose?id=3.{}&version=v1.0001", "now?id=3.{}", "project?id=x"):
        assert browser.get(place.format(CREATED_S)).status_code == 404, place
    fields = {"form_token": form_token(browser.get("./")), "id": f"3.{CREATED_S}", "version": "v1.0001"}
    assert browser.post("choose", fields).status_code == 404
    current = desk.store.versions.current(office.key_of(3))
    assert current is not None
    assert current.version == "v2.0002"


def test_without_a_session_every_page_leads_to_the_sign_in_and_shows_nothing(desk: Desk) -> None:
    for place in ("./", SHOES, f"version?id=1.{CREATED_S}&version=v1.0001", f"choose?id=1.{CREATED_S}&version=v1.0001"):
        answer = desk.browser().get(place, follow=False)
        assert (answer.status_code, answer.headers["location"], answer.content) == (303, "sign-in", b"")
    assert desk.browser().get("now").status_code == 401
    made_up = desk.browser()
    for cookie in ("x", "a" * 43, "a" * 5000, '"; DROP TABLE sessions'):
        made_up.cookies = {COOKIE: cookie}
        assert "sign-in" in made_up.get("./", follow=False).headers["location"]


def test_a_form_without_its_token_changes_nothing(desk: Desk) -> None:
    browser, stranger = desk.browser(), desk.browser()
    browser.sign_in(ANNA)
    stranger.sign_in(BEN)
    ask = {"id": f"1.{CREATED_S}", "version": "v1.0001"}
    for sent in ({}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": form_token(stranger.get("./"))}):
        answer = browser.post("choose", {**ask, **sent})
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.text
        assert browser.post("sign-out", sent).status_code == 403
    serving = desk.store.versions.current(office.key_of(1))
    assert serving is not None
    assert serving.version == "v2.0002"
    assert browser.get("./").status_code == 200
    assert "sign-in" not in str(browser.get("./").url)
    login = desk.browser()
    login.get("sign-in")
    assert login.post("sign-in", {"connection": "default", "token": ANNA}).status_code == 403
    assert COOKIE not in login.cookies


def test_nothing_is_changed_by_get(desk: Desk) -> None:
    browser = desk.browser()
    browser.sign_in(ANNA)
    token = form_token(browser.get("./"))
    browser.get(f"choose?id=1.{CREATED_S}&version=v1.0001&form_token={token}")
    assert browser.get(f"sign-out?form_token={token}").status_code == 404
    serving = desk.store.versions.current(office.key_of(1))
    assert serving is not None
    assert serving.version == "v2.0002"
    assert "anna@shop.test" in browser.get("./").text


def test_signing_out_and_time_end_a_session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = desk.browser()
    browser.sign_in(ANNA)
    kept = dict(browser.cookies)
    browser.post("sign-out", {"form_token": form_token(browser.get("./"))})
    assert rows(desk) == []
    browser.cookies = kept
    assert "sign-in" in str(browser.get("./").url), "a copied cookie is of no use any more"
    monkeypatch.setattr(sessions, "SECONDS", 1)
    browser.cookies = {}
    assert browser.sign_in(ANNA).status_code == 200
    time.sleep(1.1)
    over = browser.get("./")
    assert "Your session is over" in over.text


def test_a_token_that_is_taken_back_ends_the_session_within_a_minute(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = desk.browser()
    browser.sign_in(ANNA)
    del desk.accounts.people[ANNA]
    assert browser.get("./").status_code == 200, "the list is kept for a minute"
    monkeypatch.setattr(clock, "monotonic", lambda: time.monotonic() + accounts_module.KEPT_S)
    assert "does not accept your token any more" in browser.get("./").text
    assert rows(desk) == []


def test_projects_are_asked_once_a_minute_and_remembered_while_label_studio_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = desk.browser()
    browser.sign_in(ANNA)
    for _ in range(5):
        browser.get(SHOES)
    assert desk.accounts.asked.count("/api/projects/") == 1
    desk.accounts.is_away = True
    later = accounts_module.KEPT_S + 1
    monkeypatch.setattr(clock, "monotonic", lambda: time.monotonic() + later)
    page = browser.get("./")
    assert page.status_code == 200
    assert "503" in page.text
    later = accounts_module.AWAY_S + 2
    gone = browser.get("./")
    assert gone.status_code == 503
    assert "Label Studio does not answer" in gone.text


def test_the_database_alone_gives_neither_token_nor_session(desk: Desk) -> None:
    browser = desk.browser()
    browser.sign_in(ANNA)
    (row,) = rows(desk)
    held = " ".join(map(str, row))
    assert ANNA not in held
    assert browser.cookies[COOKIE] not in held
    assert sessions.opened(desk.store.sessions, row.hash) is None
    with desk.store._database.write() as connection:
        connection.execute(update(SESSIONS).values(token=row.token[:-8] + "AAAAAAA="))
    assert "sign-in" in str(browser.get("./").url), "a changed row opens nothing"


def test_another_backend_of_the_database_and_a_restart_know_the_session(tmp_path: Path) -> None:
    browser_cookies: dict[str, str] = {}
    with office.desk(tmp_path / "home") as first:
        browser = first.browser()
        browser.sign_in(ANNA)
        browser_cookies = browser.cookies
        url = first.backend.settings.studios.label_studio_url
        with running(tmp_path / "home", label_studio_url=url) as second:
            there = office.Browser(second.client, "en")
            there.cookies = dict(browser_cookies)
            assert "anna@shop.test" in there.get("./").text


def test_failed_attempts_are_limited_by_address(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures_module, "MOST", 3)
    browser = desk.browser()
    assert [browser.sign_in("wrong").status_code for _ in range(4)] == [403, 403, 403, 429]
    assert browser.sign_in(ANNA).status_code == 429, "a right one has to wait too"
    asked = len(desk.accounts.asked)
    browser.sign_in("wrong")
    assert len(desk.accounts.asked) == asked
    monkeypatch.setattr(clock, "monotonic", lambda: time.monotonic() + failures_module.WINDOW_S)
    assert browser.sign_in(ANNA).status_code == 200


def test_cookies_are_kept_from_scripts_and_other_sites_and_from_plain_http_behind_tls(desk: Desk) -> None:
    answer = desk.browser().get("sign-in")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path" not in cookie, "it counts for the folder of the pages, below whatever prefix"
    assert "Secure" not in cookie
    secure = desk.backend.client.get("https://testserver/pages/sign-in", headers={"accept": "text/html"})
    assert "Secure" in secure.headers["set-cookie"]


def test_guarding_headers_are_on_every_page(desk: Desk) -> None:
    browser = desk.browser()
    for place in ("./", "sign-in", "nothing", SHOES):
        headers = browser.get(place, follow=False).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


def test_each_label_studio_has_its_own_people_and_projects(tmp_path: Path) -> None:
    with office.desk(tmp_path / "shop") as shop:
        url = shop.backend.settings.studios.label_studio_url
        connections = {"shop": ConnectionSettings(url=url, url_secrets=secrets(OLD))}
        with office.desk(tmp_path / "home", connections=connections) as desk:
            add_project(desk.store, 1, "Shoes")
            desk.accounts.people[BEN] = ("ben@shop.test", {})
            browser = desk.browser()
            page = browser.get("sign-in")
            assert '<option value="default" selected>' in page.text
            assert '<option value="shop">' in page.text
            likely = desk.backend.client.get(f"/{OLD}/pages/sign-in", headers={"accept": "text/html"})
            assert '<option value="shop" selected>' in likely.text
            page = browser.sign_in(ANNA, "shop")
            assert page.status_code == 200
            assert "None of your projects is connected" in page.text, "default/1 is not shop/1"
            assert browser.get(SHOES).status_code == 404
            assert desk.browser().sign_in(ANNA, "nowhere").status_code == 422


def test_pages_need_neither_secret_nor_basic_auth_and_everything_else_does(tmp_path: Path) -> None:
    guarded: dict[str, Any] = {
        "url_secrets": secrets(NEW),
        "basic_user": "studio",
        "basic_password": SecretStr("p1"),
    }
    with office.desk(tmp_path / "home", **guarded) as desk:
        client = desk.backend.client
        browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        assert client.get("/", headers={"accept": "*/*"}).status_code == 401
        assert client.get("/status", headers=browser).status_code == 401
        assert client.get("/wrong-secret-0123456789/pages/", headers=browser).status_code == 401
        first = client.get("/", headers=browser, follow_redirects=False)
        assert (first.status_code, first.headers["location"]) == (303, "pages/")
        assert client.get("/pages/style.css").status_code == 200
        assert desk.browser().sign_in(ANNA).status_code == 200


def test_pages_work_below_a_secret_and_lead_nowhere_else(tmp_path: Path) -> None:
    with office.desk(tmp_path / "home", url_secrets=secrets(NEW)) as desk:
        add_project(desk.store, 1, "Shoes")
        browser = desk.browser()
        browser.at = f"/{NEW}/pages/"
        page = browser.sign_in(ANNA)
        assert str(page.url).endswith(f"/{NEW}/pages/")
        assert browser.get(SHOES).status_code == 200
        assert NEW not in page.text
        assert 'href="/' not in page.text
        assert "http" not in page.headers.get("location", "")
        bare = desk.backend.client.get(f"/{NEW}/pages", headers={"accept": "text/html"}, follow_redirects=False)
        assert bare.headers["location"] == "pages/"


def test_label_studio_still_gets_its_health_at_the_root(desk: Desk) -> None:
    for accept in ("*/*", "application/json", ""):
        answer = desk.backend.client.get("/", headers={"accept": accept})
        assert answer.json()["status"] == "UP"


def test_no_token_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    browser = desk.browser()
    browser.sign_in("a-wrong-token-0123456789")
    browser.sign_in(ANNA)
    browser.get(SHOES)
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "anna@shop.test" in text
    for hidden in (ANNA, "a-wrong-token-0123456789", browser.cookies[COOKIE]):
        assert hidden not in text


def test_odd_forms_are_refused(desk: Desk) -> None:
    client = desk.backend.client
    assert client.post("/pages/sign-in", content=b"x" * 20_000).status_code == 413
    assert client.post("/pages/sign-in", content=b"a=1&" * 50).status_code == 422
    assert client.post("/pages/sign-in", content=b"\xff\xfe").status_code == 422
    assert client.post("/pages/sign-in", json={"token": "x"}).status_code == 403
    assert client.post("/pages/project", content=b"").status_code == 405
