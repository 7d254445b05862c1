"""docs/install.md and docs/backup.md carried out line by line: installed, run, backed up, restored, upgraded.

What needs root or systemd is replaced: folders of the system lie under the test's folder, there is no other user, and
the services are started as their units say. What pip would download is linked from this environment.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from rq import Queue

from testing.waiting import until
from tests import captured
from tests.backend.questions import TAGS
from tests.deploy.units import ROOT, Unit
from tests.tagloom.image import link_needed
from tools.services.ports import free_port

SECRET = "b9a57a4a0f8c4f0e8c1e"
STUBS = {
    "useradd": "",
    # The user and the group do not exist here.
    "install": """words=()
while [ $# -gt 0 ]; do case $1 in -o|-g) shift;; *) words+=("$1");; esac; shift; done
exec /usr/bin/install "${words[@]}" """,
    "runuser": 'shift 3; IS_TAGLOOM=1 exec "$@"',
    "id": 'echo "${IS_TAGLOOM:+tagloom}"',
}
FOLDERS = ("/opt/tagloom", "/etc/tagloom", "/etc/systemd/system", "/usr/local/bin", "/var/lib/tagloom", "/var/backups")


class Server:
    """The machine: its folders under ``root``, and its services."""

    def __init__(self, root: Path, dist: Path, redis_url: str) -> None:
        self.root, self.dist, self.redis_url = root, dist, redis_url
        self.port = free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        stubs = root / "stubs"
        stubs.mkdir(parents=True)
        for folder in FOLDERS[2:]:
            (root / folder.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        for name in ("etc/systemd/system", "usr/local/bin", "var/backups", "opt"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name, text in STUBS.items():
            (stubs / name).write_text(f"#!/bin/bash\n{text}\n")
            (stubs / name).chmod(0o755)
        self.environment = {"PATH": f"{stubs}:{root}/usr/local/bin:/usr/bin:/bin", "HOME": str(root)}

    def here(self, text: str) -> str:
        text = text.replace("/usr/bin/python3.11", sys.executable)
        return re.sub("|".join(FOLDERS), lambda found: f"{self.root}{found[0]}", text)

    def do(self, line: str) -> str:
        """Run one line of the instructions; return what it says."""
        words = shlex.split(line)
        if words[0] == "systemctl":
            self.control(words[1:])
            return ""
        if words[:2] == ["/opt/tagloom/bin/pip", "install"] and "-r" in words:
            link_needed(self.root / "opt" / "tagloom")
            return ""
        done = subprocess.run(
            ["/bin/bash", "-c", self.here(line)],
            cwd=self.dist,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        # Doctor ends with 1 while no Label Studio is configured.
        assert done.returncode == 0 or "doctor" in line, f"{line}\n{done.stdout}\n{done.stderr}"
        if words[:2] == ["install", "-m"] and "as-tagloom" in line:
            script = self.root / "usr/local/bin/as-tagloom"
            script.write_text(self.here(script.read_text("utf-8")))
        return done.stdout + done.stderr

    def control(self, words: list[str]) -> None:
        """What `systemctl` would do."""
        if words[0] == "stop":
            self.stop()
        elif words[0] == "start" or "--now" in words:
            for name in words[1:]:
                if name != "enable" and not name.startswith("-"):
                    self.start(name)
            until(lambda: self.ask("health").get("ready"), seconds=120)

    def start(self, name: str) -> None:
        installed = self.root / "etc/systemd/system"
        unit = f"{name.partition('@')[0]}@.service" if "@" in name else f"{name}.service"
        assert (installed / unit).is_file()
        read = Unit.read(unit)
        environment = self.environment | read.environment(self.root / "etc/tagloom")
        with (self.root / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                read.command(self.root / "opt/tagloom/bin"),
                cwd=self.here(read.one("WorkingDirectory")),
                env=environment,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(60)
        self.running = {}

    def ask(self, path: str, body: Any = None) -> Any:
        """Ask the backend as Label Studio does; an empty answer while it does not listen."""
        url = f"http://127.0.0.1:{self.port}/{SECRET}/{path}"
        try:
            return (httpx.post(url, json=body, timeout=60) if body else httpx.get(url, timeout=5)).json()
        except httpx.HTTPError:
            return {}

    def fill_in(self) -> None:
        """Fill in the settings, as the instructions ask."""
        settings = self.root / "etc/tagloom/tagloom.env"
        lines = self.here(settings.read_text("utf-8")).replace("redis://127.0.0.1:6379/0", self.redis_url)
        lines = lines.replace("LABEL_STUDIO_URL=http://127.0.0.1:8080", "LABEL_STUDIO_URL=")
        settings.write_text(f"{lines}TAGLOOM_PORT={self.port}\nTAGLOOM_QUEUE=a-queue-of-its-own\n")
        secrets = self.root / "etc/tagloom/backend.env"
        text = secrets.read_text("utf-8").replace("TAGLOOM_URL_SECRETS=", f"TAGLOOM_URL_SECRETS={SECRET}")
        secrets.write_text(text)


def lines(page: str, heading: str) -> list[str]:
    """The commands of a section: the lines of its code blocks, without comments."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    (section,) = [part for part in re.split(r"^## ", text, flags=re.MULTILINE) if part.startswith(f"{heading}\n")]
    blocks = re.findall(r"```\w*\n(.*?)```", section, flags=re.DOTALL)
    found = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in found if line and not line.startswith("#")]


@pytest.fixture
def server(tmp_path: Path, valkey: str) -> Iterator[Server]:
    dist = tmp_path / "dist"
    made = os.environ | {"PYTHON": sys.executable}
    subprocess.run([str(ROOT / "scripts" / "wheel"), str(dist)], env=made, check=True, timeout=100)
    server = Server(tmp_path / "server", dist, valkey)
    yield server
    server.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_instructions_for_a_server_work_as_they_are_written(server: Server) -> None:
    steps = [
        line for line in lines("install.md", "Install on a server") if not line.startswith(("make", ".venv", "RQ_"))
    ]
    assert steps[0].startswith("useradd")
    for line in steps:
        if line == "systemctl daemon-reload":
            server.fill_in()
        server.do(line)
    until(lambda: "1 listen" in server.do("as-tagloom tagloom doctor"), seconds=60)
    said = server.do("as-tagloom tagloom doctor")
    assert {line[:2] for line in said.splitlines() if not line[4:].startswith("Label Studio")} == {"ok"}, said
    assert SECRET not in said

    body = {**captured.body("02"), "schema": TAGS}
    version = server.ask("setup", body)["model_version"]
    task = {"id": 1, "data": {"title": "买一送一 赠品"}}
    question = {"tasks": [task], "project": body["project"], "label_config": TAGS}
    answered = server.ask("predict", question)["results"]
    assert answered[0]["result"]

    for line in lines("backup.md", "Back up"):
        said = server.do(line)
    assert "complete: " in said
    assert "reconcile" in (server.root / "tagloom-worker@1.log").read_text("utf-8"), "the worker has worked"
    for line in lines("backup.md", "Restore"):
        server.do(line)
    assert server.ask("predict", question)["results"] == answered
    assert (server.root / "var/lib/tagloom.old").is_dir()

    for line in lines("backup.md", "Upgrade"):
        server.do(line)
    assert server.ask("setup", body)["model_version"] == version
    assert server.ask("predict", question)["results"] == answered
    assert version in server.do("as-tagloom tagloom versions")


def test_a_jobs_progress_is_shown_wherever_redis_is(valkey: str, tmp_path: Path) -> None:
    queue = Queue("a-queue", connection=Redis.from_url(valkey), serializer="json")
    job = queue.enqueue("worker.jobs.train", "default/2.1", meta={"stage": "reading pictures", "done": 3})
    text = (ROOT / "docs" / "operate.md").read_text("utf-8")
    (command,) = [block for block in re.findall(r"```\n(.*?)```", text, flags=re.DOTALL) if "Job.fetch" in block]
    said = subprocess.run(
        ["/bin/bash", "-c", command.replace("python -c", f"{sys.executable} -c").replace("<id>", job.id)],
        env=os.environ | {"REDIS_URL": valkey, "TAGLOOM_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stdout == "{'stage': 'reading pictures', 'done': 3}\n"
    queue.connection.delete(queue.key, job.key)
