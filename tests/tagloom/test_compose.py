"""No container engine runs in the tests; what can be checked of docker-compose.yml without one is checked here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tagloom_base.groups import FIELDS
from tagloom_base.settings import Settings

ROOT = Path(__file__).parents[2]
SECRETS = ("LABEL_STUDIO_PASSWORD", "LABEL_STUDIO_USER_TOKEN", "LABEL_STUDIO_API_KEY", "TAGLOOM_URL_SECRETS")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    composed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    services: dict[str, Any] = composed["services"]
    return services


def test_every_part_is_there(services: dict[str, Any]) -> None:
    assert set(services) == {"label-studio", "valkey", "backend", "worker", "worker-gpu"}
    assert services["worker-gpu"]["profiles"] == ["gpu"]


def test_the_worker_is_a_stock_one(services: dict[str, Any]) -> None:
    assert services["worker"]["command"] == ["rq", "worker", "-S", "json", Settings().work.queue]


def test_ports_open_on_loopback_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_label_studio_is_the_tested_version(services: dict[str, Any]) -> None:
    locked = (ROOT / "requirements" / "label-studio.txt").read_text("utf-8")
    version = services["label-studio"]["image"].rpartition(":")[2]
    assert f"label-studio=={version}\n" in locked


def test_each_service_gets_its_own_secrets_only(services: dict[str, Any]) -> None:
    files = {name: service.get("env_file", []) for name, service in services.items()}
    assert files == {
        "label-studio": "deploy/label-studio.env",
        "valkey": [],
        "backend": ["deploy/tagloom.env", "deploy/backend.env"],
        "worker": "deploy/tagloom.env",
        "worker-gpu": "deploy/tagloom.env",
    }
    given = {path.name: path.read_text("utf-8") for path in (ROOT / "deploy").glob("*.env.example")}
    holders = {secret: [name for name, text in given.items() if f"\n{secret}=" in text] for secret in SECRETS}
    assert holders == {
        "LABEL_STUDIO_PASSWORD": ["label-studio.env.example"],
        "LABEL_STUDIO_USER_TOKEN": ["label-studio.env.example"],
        "LABEL_STUDIO_API_KEY": ["tagloom.env.example"],
        "TAGLOOM_URL_SECRETS": ["backend.env.example"],
    }


def test_workers_import_torch_once(services: dict[str, Any]) -> None:
    for name in ("worker", "worker-gpu"):
        assert services[name]["environment"]["RQ_CONFIG"] == "worker.rq_settings"


def test_every_variable_is_a_setting() -> None:
    files = [
        ROOT / "docker-compose.yml",
        ROOT / "Dockerfile",
        *sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file()),
    ]
    texts = [file.read_text("utf-8") for file in files]
    used = {name for text in texts for name in re.findall(r"\bTAGLOOM_([A-Z_]+)\b", text)}
    assert used
    assert {name.lower() for name in used} <= set(FIELDS)
