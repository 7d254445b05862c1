"""OpenVINO is imported in one way: it reports nothing, and its first call may come from several threads."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import ARROWS, CHECKOUT, ROOT, imported

READY = "model.openvino_for_threads"
READS = """
import model
from model.reading.reader import Reader
from PIL import Image
Reader(2).read([Image.open(file).convert("RGB") for file in {files!r}])
"""


def test_who_imports_openvino_imports_what_makes_it_ready() -> None:
    files = [file for package in (*ARROWS, *CHECKOUT) for file in Path(ROOT / package).rglob("*.py")]
    users = [file for file in files if any(name.partition(".")[0] == "openvino" for name in imported(file))]
    assert users
    for file in users:
        ready = any(name.startswith(READY) for name in imported(file))
        assert ready or file.stem == READY.partition(".")[2], file


def test_it_reports_nothing() -> None:
    code = f"import {READY}, sys; assert sys.modules['openvino_telemetry'] is None"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.slow
def test_two_pictures_that_are_the_first_are_read_by_two_threads() -> None:
    """Before OpenVINO was made ready, one process in 17 never ended."""
    files = [str(file) for file in sorted((ROOT / "samples" / "data" / "images").glob("*.webp"))[25:27]]
    for _ in range(10):
        done = subprocess.run([sys.executable, "-c", READS.format(files=files)], timeout=100)
        assert done.returncode == 0
