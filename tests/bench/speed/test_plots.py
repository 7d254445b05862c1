"""Plots are drawn from what the questions print, the same ones each time, small, and with text that is text."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from bench.speed.plots import lines_of, main

MACHINE = {"date": "2026-11-30", "processor": "a processor", "cores": 2, "threads": 1, "load": 0.5}
PART = {"req/s": 120.0, "p50 ms": 3.0}
LINES: list[dict[str, Any]] = [
    {
        "question": "ResNet50, 16 pictures a batch, 8.17 GFLOP each",
        "unit": "pictures",
        "rates": {"PyTorch float32": 17.0, "Tagloom": 100.0},
        "seconds": {"PyTorch float32": [1.0, 0.9, 0.8], "Tagloom": [0.16]},
    },
    {
        "question": "Reading text in pictures (16 of data)",
        "unit": "pictures",
        "rates": {"rapidocr": 4.0, "Tagloom": 18.0},
        "seconds": {"rapidocr": [4.0, 3.0], "Tagloom": [0.9, 0.8]},
    },
    {
        "question": "requests",
        "parts": {
            "tagloom": {"first time": PART, "again": {"req/s": 2000.0}},
            "label-studio-ml": {"first time": PART, "again": PART},
        },
    },
    {
        "question": "growth, 2,000 gold items",
        "unit": "items",
        "rates": {},
        "seconds": {"25,000 items": [1.0, 1.2, 1.1], "50,000 items": [2.0, 2.2, 2.5]},
    },
    {"question": "day", "measured": {"read": {"decode": 2.0}, "answer": {"answer by the model": 9.0}}},
]
SHOWN = {
    "encoding": ("ResNet50", "PyTorch float32", "pictures a second"),
    "reading": ("Reading text in pictures (16 of data)", "rapidocr"),
    "requests": ("first time", "label-studio-ml", "2,000"),
    "propagation": ("the nearest of 2,000 gold items", "25,000", "items (logarithmic)"),
    "day": ("answer by the model", "milliseconds of one thread for an item"),
}


def log_of(*lines: dict[str, Any]) -> str:
    return "**a table**\n\n" + "\n".join(json.dumps({**line, "machine": MACHINE}) for line in lines) + "\n(12 s)\n"


def drawn(log: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "a.log").write_text(log, "utf-8")
    done = CliRunner().invoke(main, [str(folder / "a.log"), "--into", str(folder / "images")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_each_question_gets_a_plot_with_its_words_and_units(tmp_path: Path) -> None:
    assert "not drawn" not in drawn(log_of(*LINES), tmp_path)
    for name, words in SHOWN.items():
        file = tmp_path / "images" / f"bench-{name}.svg"
        text = [part.text for part in ElementTree.parse(file).iter() if part.tag.endswith("}text")]
        assert {*words, "2026-11-30, 2 cores (a processor), load 0.5"} <= set(text), name
        assert file.stat().st_size < 60_000


def test_the_same_log_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("first", "second"):
        drawn(log_of(*LINES), tmp_path / name)
    for name in SHOWN:
        first, second = ((tmp_path / run / f"images/bench-{name}.svg").read_bytes() for run in ("first", "second"))
        assert first == second
        assert not re.search(rb"<dc:date>|Matplotlib v", first)


def test_a_plot_without_an_answer_stays_and_is_named(tmp_path: Path) -> None:
    drawn(log_of(*LINES), tmp_path)
    before = (tmp_path / "images/bench-requests.svg").read_bytes()
    assert "not drawn, since no log has an answer: requests, day" in drawn(
        log_of(LINES[0], LINES[1], LINES[3]), tmp_path
    )
    assert (tmp_path / "images/bench-requests.svg").read_bytes() == before


def test_the_last_answer_counts() -> None:
    again = {**LINES[0], "rates": {"Tagloom": 7.0}}
    assert lines_of([log_of(*LINES), log_of(again)])[str(again["question"])]["rates"] == {"Tagloom": 7.0}


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_the_page_shows_the_plot_and_says_in_words_what_it_shows(name: str) -> None:
    page = (Path(__file__).parents[3] / "docs/benchmarks.md").read_text("utf-8")
    found = re.search(rf"!\[([^\]]+)\]\(images/bench-{name}\.svg\)", page)
    assert found, f"docs/benchmarks.md shows no images/bench-{name}.svg"
    assert len(found[1]) > 20
