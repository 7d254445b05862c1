"""Real Valkey, a real RQ worker and a stub backend as a context."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis
from rq import Worker

from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from tools.services.child import Child
from tools.services.ports import free_port
from tools.services.stack import Stack, healthy

LIGHT = {"RQ_CONFIG": ""}  # a worker that imports nothing ahead: it starts at once


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.usefixtures("alone")
def test_queue_and_worker_start_work_and_end(tmp_path: Path) -> None:
    with Stack(Settings(home=tmp_path), LIGHT) as stack:
        stack.start_queue()
        stack.start_worker()
        with redis.Redis.from_url(stack.environment["REDIS_URL"]) as queue:
            assert queue.config_get("appendonly") == {"appendonly": "yes"}
            until(lambda: len(Worker.all(connection=queue)) == 1)
        pids = [child.pid for child in stack.children]
        stack.check()
    assert pids
    assert not any(pid and psutil.pid_exists(pid) for pid in pids)
    assert list((tmp_path / "valkey").glob("appendonlydir/*"))
    assert not (tmp_path / "services.json").exists()


@pytest.mark.usefixtures("alone")
def test_what_valkey_was_told_survives_a_restart(tmp_path: Path) -> None:
    for told in (None, b"yes"):
        with Stack(Settings(home=tmp_path)) as stack:
            stack.start_queue()
            with redis.Redis.from_url(stack.environment["REDIS_URL"]) as queue:
                assert queue.get("told") == told
                queue.set("told", "yes")


@pytest.mark.usefixtures("alone")
def test_an_error_within_ends_everything(tmp_path: Path) -> None:
    pids: list[int | None] = []

    def use_it() -> None:
        with Stack(Settings(home=tmp_path)) as stack:
            stack.start_queue()
            pids.append(stack.children[0].pid)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        use_it()
    assert pids[0]
    assert not psutil.pid_exists(pids[0])


@pytest.mark.usefixtures("alone")
def test_check_tells_which_service_died(tmp_path: Path) -> None:
    with Stack(Settings(home=tmp_path)) as stack:
        stack.start_queue()
        pid = stack.children[0].pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(UserError, match="Valkey ended with code -9"):
            until(stack.check)


def test_redis_url_is_used_and_its_absence_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    with (
        Stack(Settings(home=tmp_path)) as stack,
        pytest.raises(UserError, match="no Redis or Valkey answers at"),
    ):
        stack.start_queue()
    assert not stack.children


@pytest.mark.usefixtures("alone")
def test_a_taken_backend_port_is_told_before_the_start(tmp_path: Path) -> None:
    with Stack(Settings(home=tmp_path)) as first:
        first.start_queue()
        taken = int(first.environment["REDIS_URL"].rsplit(":", 1)[1].split("/")[0])
        with (
            Stack(Settings(home=tmp_path / "other", port=taken)) as stack,
            pytest.raises(UserError, match=f"port {taken} .*TAGLOOM_PORT={taken + 1}"),
        ):
            stack.start_backend()


@pytest.mark.usefixtures("alone")
def test_the_worker_line_works_when_pasted(tmp_path: Path) -> None:
    with Stack(Settings(home=tmp_path / "a home"), LIGHT) as stack:
        stack.start_queue()
        line = f"{stack.worker_line()} --burst"
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Listening on tagloom" in done.stdout


def test_the_worker_line_carries_the_settings_but_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_IMAGE_ENCODER", "torchvision:resnet50")
    monkeypatch.setenv("TAGLOOM_BASIC_PASSWORD", "swordfish")
    monkeypatch.setenv("TAGLOOM_URL_SECRETS", "open-sesame-open-sesame")
    line = Stack(Settings(home=tmp_path), {"LABEL_STUDIO_URL": "http://127.0.0.1:8080"}).worker_line()
    assert "TAGLOOM_IMAGE_ENCODER=torchvision:resnet50 " in line
    assert "LABEL_STUDIO_URL=http://127.0.0.1:8080 " in line
    assert line.endswith("rq worker -S json tagloom")
    assert "swordfish" not in line
    assert "sesame" not in line


@pytest.mark.usefixtures("alone")
def test_the_worker_line_leaves_out_addresses_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_DATABASE_URL", "postgresql://tagloom:swordfish@db.example/tagloom")
    url = "redis://127.0.0.1:6379/0?password=Open%23sesame"
    line = Stack(Settings(home=tmp_path, redis_url=url), {"REDIS_URL": url, "RQ_REDIS_URL": url}).worker_line()
    assert "swordfish" not in line
    assert "sesame" not in line
    assert "TAGLOOM_HOME=" in line


@pytest.mark.usefixtures("alone")
def test_sigterm_ends_everything(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tools.services.stack import Stack\n"
        "from tagloom_base.settings import Settings\n"
        "with Stack(Settings(home=Path(sys.argv[1]))) as stack:\n"
        "    stack.start_queue()\n"
        "    print(stack.children[0].pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    run_it = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(run_it, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout
        pid = int(run.stdout.readline())
        run.terminate()
        assert run.wait(20) == 128 + signal.SIGTERM
        assert run.stderr
        assert "ended by SIGTERM" in run.stderr.read()
    assert not psutil.pid_exists(pid)


def test_healthy_wants_json(tmp_path: Path) -> None:
    assert not healthy(f"http://127.0.0.1:{free_port()}")
    port = free_port()
    server = Child(
        "server", [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(tmp_path)],
        log=tmp_path / "log", environment={},
    )  # fmt: skip
    (tmp_path / "health").write_text("<html>")
    server.start()
    try:
        until(lambda: not healthy(f"http://127.0.0.1:{port}") and '"GET /health' in server.tail())
    finally:
        server.stop()
