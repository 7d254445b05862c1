"""What MkDocs does not know of the site: navigation as docs/index.md has it, pages from outside docs/, the reference.

MkDocs calls the functions ``on_...`` (`hooks` in mkdocs.yml). A page says the same in the repository and in the site:
links that leave docs/ lead to a copy in the site's folder ``project``.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
AROUND = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
COPIES = "project"
REFERENCE = "reference"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def readers() -> dict[str, list[str]]:
    """Return the headings of docs/index.md, and the pages under each."""
    _, *sections = re.split(r"^## ", (DOCS / "index.md").read_text("utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", part, re.MULTILINE) for part in sections}


def reference() -> dict[str, str]:
    """Return the pages about `model/` by their names: one for each package, with all its modules."""
    library = ROOT / "model"
    pages = {}
    for package in (library, *sorted(path.parent for path in library.glob("*/__init__.py"))):
        name = ".".join(package.relative_to(ROOT).parts)
        modules = [path.stem for path in sorted(package.glob("[!_]*.py"))]
        parts = [f"::: {name}.{module}\n" for module in modules]
        itself = f"::: {name}\n    options: {{members: false, show_root_heading: false, show_root_toc_entry: false}}\n"
        pages[f"{REFERENCE}/{name}.md"] = "\n".join([f"# {name}\n", itself, *parts])
    return pages


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation."""
    decisions = [f"decisions/{path.name}" for path in sorted((DOCS / "decisions").glob("0*.md"))]
    nav: list[Any] = ["index.md"]
    for heading, pages in readers().items():
        nested = [{"Decisions": [page, *decisions]} if page == "decisions/index.md" else page for page in pages]
        nav.append({heading.removeprefix("For ").capitalize(): nested})
    nav.append({"Reference": list(reference())})
    nav.append({"Project": [f"{COPIES}/{name}" for name in AROUND]})
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference, and all outside docs/ that a page links to."""
    for uri, text in reference().items():
        files.append(File.generated(config, uri, content=text))
    wanted = {ROOT / name for name in AROUND}
    for source in (*DOCS.rglob("*.md"), *wanted):
        text = source.read_text("utf-8")
        wanted |= {path for path in _targets(source, text) if path.is_file() and not path.is_relative_to(DOCS)}
    for path in sorted(wanted):
        uri = f"{COPIES}/{path.relative_to(ROOT).as_posix()}"
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links that leave docs/, or lead into it, to where their targets lie in the site."""
    if page.file.src_uri.startswith(f"{REFERENCE}/"):
        return markdown
    source = Path(str(page.file.abs_src_path))
    here = posixpath.dirname(page.file.src_uri)
    return LINK.sub(lambda found: posixpath.relpath(_uri(_target(source, found[1])), here or "."), markdown)


def _targets(source: Path, text: str) -> Iterator[Path]:
    return (_target(source, link) for link in LINK.findall(text))


def _target(source: Path, link: str) -> Path:
    return Path(posixpath.normpath(source.parent / link))


def _uri(path: Path) -> str:
    inside = path.is_relative_to(DOCS)
    return path.relative_to(DOCS).as_posix() if inside else f"{COPIES}/{path.relative_to(ROOT).as_posix()}"
