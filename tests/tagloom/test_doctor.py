"""The doctor finds what is missing and says what to do, and goes on."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from labelstudio.changes import tasks_of
from store.processes import BACKEND, WORKER
from store.store import Store
from tagloom import doctor
from tagloom_base.settings import Settings
from tests.captured import CONFIG
from tools.services.ports import free_port
from tools.services.stack import Stack
from worker import queue
from worker.shared_settings import shared


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(doctor, "_encoders", lambda settings: "shipped")


def found(settings: Settings) -> dict[str, doctor.Finding]:
    return {finding.text.split(":")[0]: finding for finding in doctor.findings(settings)}


def test_everything_missing_is_found_with_what_to_do(tmp_path: Path) -> None:
    findings = found(Settings(home=tmp_path, redis_url=f"redis://:secret@127.0.0.1:{free_port()}/0"))
    assert {name for name, finding in findings.items() if not finding.well} == {"queue", "workers", "Label Studio"}
    assert "start it" in findings["queue"].text
    assert "LABEL_STUDIO_URL" in findings["Label Studio"].text
    assert "secret" not in "".join(finding.text for finding in findings.values())


def test_a_queue_without_workers_says_how_to_start_one(tmp_path: Path) -> None:
    with Stack(Settings(home=tmp_path)) as stack:
        stack.start_queue()
        findings = found(Settings(home=tmp_path, redis_url=stack.environment["REDIS_URL"]))
    assert findings["queue"].well
    assert "rq worker -S json tagloom" in findings["workers"].text


def test_label_studio_is_asked_with_its_token(tmp_path: Path) -> None:
    from testing.label_studio.simulator import SimulatedLabelStudio

    with SimulatedLabelStudio(CONFIG, "http://127.0.0.1:9") as studio:
        settings = Settings(home=tmp_path, label_studio_url=studio.url, label_studio_token=SecretStr(studio.token))
        wrong = Settings(home=tmp_path, label_studio_url=studio.url, label_studio_token=SecretStr("wrong"))
        assert found(settings)["Label Studio"].text.endswith("shows 1 projects")
        assert not found(wrong)["Label Studio"].well


@pytest.mark.parametrize(
    "form", ["redis://{}/0?password=Sec%23ret9", "redis://:Sec@ret9@{}/0", "redis://Sec%23ret9@{}"]
)
def test_no_password_of_redis_is_shown(tmp_path: Path, form: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    texts = "".join(finding.text for finding in found(Settings(home=tmp_path, redis_url=form.format(address))).values())
    assert f"redis_url=redis://{'' if '?' in form else '***@'}{address}" in texts
    assert "Sec" not in texts
    assert "ret9" not in texts


def test_the_queue_of_another_home_is_told(tmp_path: Path) -> None:
    with Stack(Settings(home=tmp_path / "backend")) as stack:
        stack.start_queue()
        url = stack.environment["REDIS_URL"]
        queue.announce(Settings(home=tmp_path / "backend", redis_url=url))
        assert found(Settings(home=tmp_path / "backend", redis_url=url))["queue"].well
        told = found(Settings(home=tmp_path / "other", redis_url=url))["queue"]
    assert not told.well
    assert str(tmp_path / "backend") in told.text
    assert "TAGLOOM_HOME" in told.text


def test_pictures_and_settings_are_told(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url="redis://127.0.0.1:1/0")
    findings = found(settings)
    assert findings["pictures"].well
    assert findings["shared settings"].well
    store = Store.open(settings.paths.database)
    store.projects.ensure("default/2.1", "<View/>")
    store.tasks.upsert("default/2.1", tasks_of([{"id": 1, "data": {}}]))
    store.pictures.note("default/2.1", {1: "img.shop.test answered 404 for the picture"})
    told = found(settings)["pictures"]
    assert told.well, "nothing is wrong with the installation"
    assert "img.shop.test answered 404" in told.text
    store.pictures.note("default/2.1", {1: "host 'img.shop.test' is not allowed: add it to TAGLOOM_IMAGE_HOSTS"})
    store.processes.note("b", BACKEND, shared(settings.changed(image_hosts=("img.shop.test",))))
    store.processes.note("w", WORKER, shared(settings))
    store.close()
    findings = found(settings)
    assert not findings["pictures"].well
    assert "1 task without picture: host 'img.shop.test'" in findings["pictures"].text
    assert not findings["shared settings"].well
    assert "TAGLOOM_IMAGE_HOSTS differs" in findings["shared settings"].text
    assert "(img.shop.test, not set)" in findings["shared settings"].text
