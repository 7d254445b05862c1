"""The pages, read in the repository and in the site: links, anchors, and what both dialects of Markdown understand.

`make docs` builds the site strictly; this is the quick part of it.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from pymdownx.slugs import slugify

from tests.architecture import ROOT
from tests.pages import PAGES, name_of
from tools.site import DOCS, readers, reference

SLUG = slugify(case="lower")


@cache
def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(page: Path) -> frozenset[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return frozenset(SLUG(re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading), "-") for heading in headings)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for path, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)#?([^)\s]*)\)", prose(page)):
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_look_the_same_in_the_repository_and_in_the_site(page: Path) -> None:
    """GitHub takes these for blocks and MkDocs for text."""
    fences = re.findall(r"^ {1,3}```", page.read_text("utf-8"), re.MULTILINE)
    items = re.findall(r"^ {1,3}(?:[-*] |\d+\. )", prose(page), re.MULTILINE)
    assert not fences + items, "4 blanks make it a part of an item"
    joined = r"^(?![-*|>] |\||\d+\. | |#|\n).+\n(?:[-*] |1\. |\|).*"
    assert not re.findall(joined, prose(page), re.MULTILINE), "a blank line comes before a list or table"


def test_every_page_is_named_once_in_the_index() -> None:
    named = [page for pages in readers().values() for page in pages]
    pages = {path.name for path in DOCS.glob("*.md")} - {"index.md"}
    assert sorted(named) == sorted({*pages, "decisions/index.md"})
    index = (DOCS / "decisions" / "index.md").read_text("utf-8")
    decisions = {path.name for path in (DOCS / "decisions").glob("0*.md")}
    assert set(re.findall(r"\]\((0[^)]+)\)", index)) == decisions


def test_the_reference_has_every_module_of_the_library() -> None:
    told = {name for text in reference().values() for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}
    modules = {path for path in (ROOT / "model").rglob("*.py") if path.name != "__init__.py"}
    packages = {path.parent for path in (ROOT / "model").rglob("__init__.py")}
    assert told == {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules | packages}
