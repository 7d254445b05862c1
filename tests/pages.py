"""The pages, and the examples in them, to be run as they stand there."""

import re
from pathlib import Path
from types import ModuleType

from tests.architecture import ROOT
from tools.site import AROUND, DOCS

PAGES = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in AROUND)]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def example(page: str, heading: str, language: str = "python") -> str:
    """The one block of code in this language under the heading."""
    text = (DOCS / page).read_text("utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(rf"^```{language}\n(.+?)^```", section, re.DOTALL | re.MULTILINE)
    return str(code)


def module(page: str, heading: str) -> ModuleType:
    """The module that the block makes."""
    made = ModuleType("example")
    exec(compile(example(page, heading), page, "exec"), made.__dict__)
    return made
