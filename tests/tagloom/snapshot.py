"""Compare a text with a file that holds what it was, without what differs from run to run.

``TAGLOOMTEST_REWRITE_SNAPSHOTS=1`` writes the files anew: look at the difference before it is committed.
"""

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "snapshots"
REWRITES = bool(os.environ.get("TAGLOOMTEST_REWRITE_SNAPSHOTS"))

_DIFFERING = (
    (re.compile(r"\b(v\d+)\.[0-9a-f]{4}\b"), r"\1.HASH"),
    (re.compile(r"\b1[6-9]\d{8}\.\d+\b"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "DATE-AND-TIME-IN-UTC"),
    (re.compile(r"\b[\d,.]+ MB\b"), "SIZE MB"),
    (re.compile(r'("bytes": )\d+'), r"\1SIZE"),
)


def steady(text: str, folder: Path) -> str:
    """Return the text with the folder, times, sizes and hashes replaced."""
    text = text.replace(str(folder.resolve()), "FOLDER").replace(str(folder), "FOLDER")
    for pattern, instead in _DIFFERING:
        text = pattern.sub(instead, text)
    return text


def check(name: str, text: str, folder: Path) -> None:
    """Compare a text with ``snapshots/<name>``, or write it there."""
    file, found = FOLDER / name, steady(text, folder)
    if REWRITES:
        FOLDER.mkdir(exist_ok=True)
        file.write_text(found, "utf-8")
    assert file.exists(), f"{file} is missing: run this test once with TAGLOOMTEST_REWRITE_SNAPSHOTS=1"
    assert found == file.read_text("utf-8")
