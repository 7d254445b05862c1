"""The commands that stand in the pages exist, with the options that they have there: in blocks and within a sentence.

docs/install.md and docs/backup.md are carried out besides (tests/deploy/test_instructions.py).
"""

import argparse
import importlib
import re
import shlex
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from rq.cli.cli import main as rq

from tagloom.cli import main as tagloom
from tests.architecture import ROOT
from tests.pages import PAGES, name_of

CODE = re.compile(r"^ *```(?:server|sh)?\n(.*?)^ *```$|`([^`]+)`", re.MULTILINE | re.DOTALL)
# What may stand before a command: a prompt, variables, who runs it, where.
BEFORE = re.compile(
    r"(?:\$ |eval \"\$\(|[A-Z_]+=\S+ |as-tagloom |docker compose exec \w+ |\.venv/bin/|/opt/tagloom/bin/)*"
)
NAME = re.compile(r"(?:(?:tagloom|rq|make) |python -m (?:bench|tools|testing)\.)[\w-]")
END = re.compile(r"[;|>)]|&&|2>|…")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
COMMAND_PAGES = [page for page in PAGES if page.name != "CHANGELOG.md"]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command, up to a pipe, a redirection or `…`."""
    text = re.sub(r"^ *```(?!server|sh)\w.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for block, span in CODE.findall(text):
        for line in block.splitlines() or [re.sub(r"\s+", " ", span)]:
            for part in line.split("&&"):
                said = BEFORE.sub("", part.strip(), count=1)
                if NAME.match(said):
                    words = shlex.split(END.split(said)[0].replace("'", ""), comments=True)
                    yield words[2:] if words[0] == "python" else words


def options_of(words: list[str]) -> Collection[str]:
    """The options that the command has; KeyError, or ImportError, when there is no such command."""
    if words[0] in ("tagloom", "rq"):
        command: click.Command = tagloom if words[0] == "tagloom" else rq
        for word in words[1:]:
            if isinstance(command, click.Group) and word[0].islower():
                found = command.get_command(click.Context(command), word)
                if found is None:
                    raise KeyError(f"{words[0]} has no {word}")
                command = found
        return options_of_click(command)
    return options_of_module(words[0])


def options_of_click(command: click.Command) -> set[str]:
    return {"--help", *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}


class Asked(BaseException):
    """Instead of reading the arguments."""


@cache
def options_of_module(name: str) -> Collection[str]:
    module = importlib.import_module(name)
    if not hasattr(module, "main"):
        module = importlib.import_module(f"{name}.__main__")
    if isinstance(module.main, click.Command):
        return options_of_click(module.main)

    def parse_args(parser: argparse.ArgumentParser, *_: object) -> None:
        raise Asked(parser)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        with pytest.raises(Asked) as asked:
            module.main()
    found: dict[str, argparse.Action] = asked.value.args[0]._option_string_actions
    return found


def check(words: list[str]) -> None:
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
        variables = set(re.findall(r"^([A-Z]+) \?=|\$\$\{([A-Z_]+):-", MAKEFILE, re.MULTILINE))
        for word in words[1:]:
            name, is_set, _ = word.partition("=")
            assert name in (set().union(*variables) | {"PYTHON", "PIP_INDEX_URL"} if is_set else targets), word
    else:
        has = options_of(words)
        for word in words[1:]:
            assert word[0] != "-" or word.partition("=")[0] in has, f"{' '.join(words)}: no {word}"


@pytest.mark.slow
@pytest.mark.parametrize("page", COMMAND_PAGES, ids=name_of)
def test_the_commands_of_a_page_exist(page: Path) -> None:
    for words in commands(page):
        check(words)


def test_the_commands_are_found() -> None:
    found = [" ".join(words) for page in COMMAND_PAGES for words in commands(page)]
    assert len(found) > 150
    for one in (
        "make up",
        "tagloom init My project",
        "tagloom completion bash",
        "rq worker-pool -S json -n 3 tagloom",
        "bench.interactive samples/data --gold-share 0.1 --requests 300",
    ):
        assert one in found


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        "make tests",
        "make demo DATEN=x",
        "tagloom docter",
        "tagloom encoders get",
        "tagloom export --formt x",
        "rq work",
        "rq worker --serialiser json",
        "bench.nothing",
        "bench.interactive --request 3",
        "bench.speed.requests --gold",
    ],
)
def test_a_wrong_command_is_noticed(wrong: str) -> None:
    with pytest.raises((AssertionError, KeyError, ImportError)):
        check(wrong.split())
