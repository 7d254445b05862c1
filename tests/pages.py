"""The examples in the pages, to be run as they stand there."""

import re
from types import ModuleType

from tests.architecture import ROOT


def example(page: str, heading: str, language: str = "python") -> str:
    """The one block of code in this language under the heading."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(rf"^```{language}\n(.+?)^```", section, re.DOTALL | re.MULTILINE)
    return str(code)


def module(page: str, heading: str) -> ModuleType:
    """The module that the block makes."""
    made = ModuleType("example")
    exec(compile(example(page, heading), page, "exec"), made.__dict__)
    return made
