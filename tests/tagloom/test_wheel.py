"""The installed package: what is in it, and what its command says where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture import ARROWS, ROOT


@pytest.mark.slow
def test_the_wheel_holds_the_packages_with_their_data_and_no_tools(tmp_path: Path) -> None:
    build = [str(ROOT / "scripts" / "wheel"), str(tmp_path)]
    subprocess.run(build, env=os.environ | {"PYTHON": sys.executable}, check=True, timeout=100)
    assert {"running.txt", "torch.txt", "deploy"} <= {path.name for path in tmp_path.iterdir()}
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        content.extractall(tmp_path / "site")
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == set(ARROWS)
    for data in (
        "model/lexicon/lexicon.toml",
        "model/encoders/shipped/text/tokenizer.json",
        "tagloom/pages/parts.html.jinja",
        "backend/pages/base.html.jinja",
        "backend/pages/style.css",
        "backend/pages/script.js",
        "backend/pages/texts.toml",
    ):
        assert data in names
    command = [sys.executable, "-c", "from tagloom.cli import main; main()", "demo"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        "tagloom: `tagloom demo` belongs to a checkout of Tagloom: clone the repository and run `make demo`\n"
    )
