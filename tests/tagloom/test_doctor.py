"""The doctor finds what is missing and says what to do, and goes on."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from tagloom import doctor
from tagloom.services.ports import free_port
from tagloom.services.stack import Stack
from tagloom.settings import Settings
from tests.tagloom.demo.test_simulator import CONFIG


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
    from tagloom.demo.simulator import SimulatedLabelStudio

    with SimulatedLabelStudio(CONFIG, "http://127.0.0.1:9") as studio:
        settings = Settings(home=tmp_path, label_studio_url=studio.url, label_studio_token=SecretStr(studio.token))
        wrong = Settings(home=tmp_path, label_studio_url=studio.url, label_studio_token=SecretStr("wrong"))
        assert found(settings)["Label Studio"].text.endswith("shows 1 projects")
        assert not found(wrong)["Label Studio"].well
