"""The command as a whole: its state is its own, and each way of being useless ends with code 1 and its reason."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from tagloom.cli import main
from tagloom_base.errors import UserError
from testing.dataset import folder_of
from tests.tools.demo.stub import StubBackend, serving
from tools.demo.data import Cast
from tools.demo.run import MARK, encoders_of, fresh_home
from tools.demo.story import Outcome
from tools.demo.verdict import Condition, DemoVerdict
from tools.services.ports import free_port
from tools.services.record import FILE, Entries

SAMPLES = Path("samples/data")


def demo(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    return subprocess.run(
        [sys.executable, "-m", "tagloom.cli", "demo", *arguments],
        env={**inherited, "TAGLOOM_PORT": str(free_port()), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True, text=True, timeout=580,
    )  # fmt: skip


def survivors(out: Path) -> list[str]:
    """Processes whose command line or environment names the run's state folder."""
    place = str((out / "state").resolve())
    found = []
    for process in psutil.process_iter():
        try:
            if place in " ".join([*process.cmdline(), *process.environ().values()]):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_state_of_an_earlier_demo_is_removed_and_nothing_else(tmp_path: Path) -> None:
    home = fresh_home(tmp_path)
    (home / "old").touch()
    assert not list(fresh_home(tmp_path).glob("old"))
    (home / MARK).unlink()
    (home / "precious").touch()
    with pytest.raises(UserError, match="not of an earlier demo"):
        fresh_home(tmp_path)
    assert (home / "precious").exists()


def test_a_demo_that_runs_already_is_respected(tmp_path: Path) -> None:
    home = fresh_home(tmp_path)
    process = psutil.Process()
    owner = {"pid": process.pid, "started": process.create_time()}
    (home / FILE).write_text(json.dumps({"owner": owner, "children": {}}))
    assert Entries.model_validate_json((home / FILE).read_text()).owner
    with pytest.raises(UserError, match="already runs"):
        fresh_home(tmp_path)


@pytest.mark.slow
def test_a_backend_that_answers_nothing_fails_with_code_1(tmp_path: Path) -> None:
    data = folder_of(tmp_path, 60)
    stub = StubBackend(lambda task, version: [], every=10)
    with serving(stub) as url:
        done = demo("--data", str(data), "--out", str(tmp_path / "out"), "--backend-url", url, "--batches", "5,10")
    assert done.returncode == 1
    assert "answered nothing at all" in done.stdout
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize("passed", [True, False])
def test_the_verdict_is_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: bool) -> None:
    verdict = DemoVerdict((Condition(passed, "it is good"),))
    outcome = Outcome(Cast((), [], [], []), [], verdict=verdict)
    monkeypatch.setattr("tools.demo.run.run", lambda options, say: outcome)
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == (0 if passed else 1)
    assert "it is good" in result.stdout
    assert str(tmp_path / "report.html") in result.stdout
    told = json.loads(CliRunner().invoke(main, ["demo", "--out", str(tmp_path), "--json"]).stdout)
    assert (told["passed"], set(told)) == (passed, {"passed", "said", "report"})


def test_a_taken_port_is_one_line_and_leaves_nothing_running(tmp_path: Path) -> None:
    data = folder_of(tmp_path, 60)
    stub = StubBackend(lambda task, version: [])
    with serving(stub) as url:
        port = url.rsplit(":", 1)[1]
        done = demo("--data", str(data), "--out", str(tmp_path / "out"), "--no-worker", TAGLOOM_PORT=port)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 can't be used" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert survivors(tmp_path / "out") == []


def test_a_silent_backend_names_no_encoders() -> None:
    assert encoders_of(f"http://127.0.0.1:{free_port()}") == "the backend does not say"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_a_worker_it_fails_with_code_1_and_its_reason(tmp_path: Path) -> None:
    done = demo(
        "--data", str(SAMPLES), "--out", str(tmp_path / "out"), "--no-worker",
        "--tasks", "12", "--pool", "0", "--batches", "10", "--patience", "10",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "does one run?" in done.stdout
    assert survivors(tmp_path / "out") == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shuffled_gold_fails_with_code_1(tmp_path: Path) -> None:
    done = demo(
        "--data", str(SAMPLES), "--out", str(tmp_path / "out"), "--shuffle-gold",
        "--tasks", "60", "--pool", "0", "--batches", "20,60",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SHUFFLED" in done.stdout
    assert "no request failed (" in done.stdout
    assert survivors(tmp_path / "out") == []
