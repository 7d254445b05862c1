"""No container engine runs in the tests; what can be checked of docker-compose.yml without one is checked here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tagloom_base.groups import FIELDS
from tagloom_base.settings import Settings

ROOT = Path(__file__).parents[2]


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


def test_pictures_under_label_studios_public_name_are_known(services: dict[str, Any]) -> None:
    name = services["label-studio"]["environment"]["LABEL_STUDIO_HOST"]
    for part in ("backend", "worker", "worker-gpu"):
        assert services[part]["environment"]["TAGLOOM_LABEL_STUDIO_NAMES"] == name


def test_every_variable_is_a_setting() -> None:
    texts = [(ROOT / name).read_text("utf-8") for name in ("docker-compose.yml", "docker.env.example", "Dockerfile")]
    used = {name for text in texts for name in re.findall(r"\bTAGLOOM_([A-Z_]+)\b", text)}
    assert used
    assert {name.lower() for name in used} <= set(FIELDS)
