"""What `docker build` would take into the image, by .dockerignore's rules (no container engine runs in the tests)."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = [
    line.strip()
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def is_taken(path: str) -> bool:
    """The last rule that fits a path or a folder above it decides; ``!`` takes back in."""
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    taken = True
    for rule in RULES:
        pattern = _pattern(rule.removeprefix("!"))
        if any(pattern.fullmatch(one) for one in above):
            taken = rule.startswith("!")
    return taken


def _pattern(rule: str) -> re.Pattern[str]:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(pieces.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*/|\*\*|\*|\?)", rule) if piece)
    )


@pytest.mark.parametrize(
    "path",
    [
        "docker.env",
        ".env",
        ".env.local",
        "production.env",
        "docker.env.bak",
        "deploy/docker.env",
        "deploy/.env.production",
        ".tagloom/label-studio-account.json",
        "home/label-studio-account.json",
        "tagloom.db",
        "data/tagloom.db-wal",
        "server.key",
        ".netrc",
        ".git/config",
        ".venv/bin/python",
        ".venv-label-studio/bin/python",
        ".tagloom/checkpoints/x",
        ".demo/state/x",
        ".evaluation/features/x",
        "tagloom/__pycache__/cli.pyc",
        "tests/fixtures/label_studio/02_setup.json",
    ],
)
def test_secrets_and_weight_stay_out_of_the_image(path: str) -> None:
    assert not is_taken(path)


def test_all_that_runs_is_taken() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    left_out = {path.split("/")[0] for path in listed.splitlines() if not is_taken(path)}
    assert left_out <= {"tests", "docs"}
    assert is_taken("docker.env.example")


def test_the_dockerfile_names_no_secret_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert "COPY . ." in lines, "which is what .dockerignore is for"
    assert not [line for line in lines if re.match("(ARG|ENV).*(TOKEN|SECRET|PASSWORD|API_KEY)", line)]
    assert "USER tagloom" in lines
