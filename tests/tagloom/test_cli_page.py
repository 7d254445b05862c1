"""docs/cli.md says what the code has: the table of commands is made from it, that of keys is compared.

``TAGLOOMTEST_REWRITE_SNAPSHOTS=1`` writes the table of commands anew.
"""

import re
from collections.abc import Iterator

import click

from tagloom.checks.finding import Finding
from tagloom.cli import main
from tagloom.command import Reporting
from tagloom.doctor import CHECKS
from tests.architecture import ROOT
from tests.tagloom.documents import KEYS, commands
from tests.tagloom.snapshot import REWRITES

PAGE = ROOT / "docs" / "cli.md"
BEGIN, END = "<!-- commands -->\n\n", "\n<!-- end -->\n"


def rows() -> Iterator[str]:
    yield "| command | what it does | options |"
    yield "|---|---|---|"
    for name, command in commands(main):
        context = click.Context(command, info_name=name)
        words = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
        first = (command.help or "").partition("\n\n")[0].replace("\n", " ")
        sentence = re.match(r".*?[.:](?= |$)", first)
        options = [f"`{max(one.opts, key=len)}`" for one in command.params if isinstance(one, click.Option)]
        assert sentence
        yield f"| `{' '.join([name, *words])}` | {sentence[0].rstrip(':.')} | {' '.join(options)} |"


def test_the_table_of_commands_is_that_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    held, _, after = rest.partition(END)
    table = "\n".join(rows()) + "\n"
    if REWRITES:
        PAGE.write_text(before + BEGIN + table + END + after, "utf-8")
        return
    assert held == table


def test_the_page_has_the_keys_of_each_document() -> None:
    section = PAGE.read_text("utf-8").partition("## For programs")[2].partition("\n## ")[0]
    told = {
        name: set(re.findall(r"`([\w-]+)`", cells[1]))
        for cells in (line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `"))
        for name in re.findall(r"`([\w -]+)`", cells[0])
    }
    reporting = {name for name, command in commands(main) if isinstance(command, Reporting)}
    assert set(told) == reporting
    for name in KEYS.keys() - {"status", "train"}:
        assert KEYS[name] <= told[name], name
    # These refer to another row or page, and name what they add.
    assert told["train"] == {"reconcile", "--wait", "versions", "failure"}
    assert "backend" in told["status"]


def test_the_page_has_the_names_of_the_checks() -> None:
    text = PAGE.read_text("utf-8").partition("The names of the doctor's checks")[2].partition("\n\n")[0]
    assert re.findall(r"`([\w-]+)`", text) == [str(Finding(True, "", name).document["check"]) for name, _ in CHECKS]
