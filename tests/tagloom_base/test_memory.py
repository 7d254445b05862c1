"""What pictures cost a process: most at once, and what stays when they are gone."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.labelstudio import zoo

SIDE = 6300  # px; a square just inside the default cap
READ = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tagloom_base import memory

memory.give_back()
from labelstudio.decoding import ImageUnavailableError, decode


def held(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def read(file):
    try:
        return decode(Path(file).read_bytes(), 40_000_000).size
    except ImageUnavailableError as error:
        return str(error)


with ThreadPoolExecutor(8) as pool:
    list(pool.map(read, [sys.argv[1]] * 8))
    idle = held("VmRSS")
    sizes = list(pool.map(read, sys.argv[2:]))
    print(held("VmHWM") - idle, held("VmRSS") - idle, sum(isinstance(size, tuple) for size in sizes))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("small") / "small.png"
    file.write_bytes(zoo.PNG)
    return file


def square(colour: str = "red", side: int = SIDE) -> Image.Image:
    return Image.new("RGB", (side, side), colour)


HOSTILE = {
    "webp": lambda: zoo.saved(square(), "WEBP", lossless=True),
    "png with alpha": lambda: zoo.saved(square().convert("RGBA"), "PNG", compress_level=1),
    "png of palette": lambda: zoo.saved(square().convert("P"), "PNG", transparency=3),
    "png of sixteen bits": lambda: zoo.png_of(SIDE, SIDE, 16, 0, bytes((2 * SIDE + 1) * SIDE)),
    "gif": lambda: zoo.saved(square().convert("P"), "GIF"),
    "icon": lambda: zoo.icon_of(zoo.saved(square().convert("RGBA"), "PNG", compress_level=1)),
    "jpeg of cmyk": lambda: zoo.saved(square().convert("CMYK"), "JPEG", progressive=True, subsampling=0),
    "jpeg of 12 million pixels": lambda: zoo.saved(Image.new("RGB", (4000, 3000), "red"), "JPEG"),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what a process holds")
@pytest.mark.parametrize("kind", HOSTILE)
def test_many_at_once_cost_no_more_than_the_budget_and_are_given_back(kind: str, small: Path, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(HOSTILE[kind]())
    done = subprocess.run(
        [sys.executable, "-c", READ, small, *[file] * 4], capture_output=True, text=True, check=True, timeout=300
    )
    peak, kept, read = map(int, done.stdout.split())
    print(f"4 × {kind}: {peak} MB at the peak, {kept} MB afterwards")
    assert read == 4
    assert peak < 1000
    assert kept < 200


def test_a_picture_over_the_cap_costs_nothing(small: Path, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(zoo.saved(square(side=7700), "WEBP", lossless=True))
    done = subprocess.run(
        [sys.executable, "-c", READ, small, *[file] * 8], capture_output=True, text=True, check=True, timeout=300
    )
    peak, _, read = map(int, done.stdout.split())
    assert read == 0
    assert peak < 100
