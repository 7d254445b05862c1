import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tagloom_base.groups import FIELDS
from tests.deploy.units import FOLDER, ROOT, UNITS, Unit

SERVICES = [name for name in UNITS if name.endswith(".service")]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_whole(name: str) -> None:
    unit = Unit.read(name)
    assert unit.one("Description", "Unit")
    if name in SERVICES:
        assert unit.one("User") == "tagloom", "never root"
        assert unit.sections["Service"]["EnvironmentFile"][0] == "/etc/tagloom/tagloom.env"
    if name != "tagloom-backup.service":
        assert unit.sections["Install"]["WantedBy"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here: apt-get install systemd")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        # It wants the programs to be there.
        text = (FOLDER / name).read_text("utf-8").replace("/opt/tagloom/bin", str(Path(sys.executable).parent))
        (tmp_path / name.replace("@", "@1")).write_text(text)
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    # Units of the machine itself may have faults of their own, so only lines about ours count.
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, timeout=60)
    assert [line for line in said.stderr.splitlines() if "tagloom" in line] == []


def test_a_worker_gets_the_queue_from_its_settings() -> None:
    unit = Unit.read("tagloom-worker@.service")
    assert "RQ_CONFIG=worker.rq_settings" in unit.sections["Service"]["Environment"]
    assert unit.one("ExecStart").endswith("/rq worker -S json"), "a queue's name here would overrule TAGLOOM_QUEUE"
    assert unit.one("KillMode") == "mixed"


def test_only_the_backend_knows_who_may_call_it() -> None:
    holders = [name for name in SERVICES if any("backend.env" in line for line in _files(name))]
    assert holders == ["tagloom-backend.service"]


def _files(name: str) -> list[str]:
    return Unit.read(name).sections["Service"]["EnvironmentFile"]


def test_the_examples_hold_settings_and_no_secret() -> None:
    known = {f"TAGLOOM_{name.upper()}" for name in FIELDS} | {"REDIS_URL", "RQ_REDIS_URL"}
    known |= {"LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "TORCH_HOME", "HF_HOME"}
    for name in ("tagloom.env.example", "backend.env.example"):
        lines = (ROOT / "deploy" / name).read_text("utf-8").splitlines()
        given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        assert set(given) <= known
        assert not any(value for key, value in given.items() if key.endswith(("KEY", "SECRETS")))
