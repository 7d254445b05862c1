"""How every command ends: lines for people, one document for programs, and four codes."""

import json
import sys

import click
import pytest
from click.testing import CliRunner, Result

from tagloom.command import Answer, Reporting, ReportingGroup, Root, tell
from tagloom_base import redaction
from tagloom_base.errors import UsageError, UserError

SECRET = "swordfish-and-chips"


@click.group(cls=Root)
def root() -> None:
    """Commands of a test."""


@root.command(cls=Reporting)
@click.option("--trouble", is_flag=True)
def look(trouble: bool) -> Answer:
    click.echo("on the way")
    print("of a library")
    print("a warning", file=sys.stderr)
    tell("for people")
    return Answer({"number": float("nan"), "文": ("a",)}, is_well=not trouble)


@root.command(cls=Reporting)
@click.argument("kind")
def fail(kind: str) -> Answer:
    if kind == "asked":
        click.confirm("Really?", abort=True)
    raise {
        "user": UserError(f"mend the {SECRET}"),
        "usage": UsageError("write it so"),
        "interrupt": KeyboardInterrupt(),
        "click": click.ClickException("no such thing"),
    }[kind]


@root.group(cls=ReportingGroup, invoke_without_command=True)
@click.pass_context
def group(context: click.Context) -> Answer | None:
    return None if context.invoked_subcommand else Answer({"of": "the group"})


@group.command(cls=Reporting)
def sub() -> Answer:
    return Answer({"of": "the subcommand"})


def run(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(root, words, input=answer)


def test_people_get_lines() -> None:
    done = run("look")
    assert (done.exit_code, done.stdout) == (0, "on the way\nof a library\nfor people\n")


def test_programs_get_one_document_and_nothing_else_on_stdout() -> None:
    done = run("look", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"number": None, "文": ["a"]}
    assert "文" in done.stdout
    assert done.stderr == "on the way\nof a library\na warning\n"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_what_is_found_wrong_is_code_1(words: tuple[str, ...]) -> None:
    done = run("look", "--trouble", *words)
    assert done.exit_code == 1
    assert done.stdout


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("user", 1, "tagloom: mend the ***"),
        ("usage", 2, "tagloom: write it so"),
        ("click", 1, "tagloom: no such thing"),
        ("interrupt", 130, "stopped"),
    ],
)
def test_each_ending_has_its_code_and_words(kind: str, code: int, sentence: str) -> None:
    redaction.keep_out(SECRET)
    plain = run("fail", kind)
    assert (plain.exit_code, plain.stdout, plain.stderr) == (code, "", sentence + "\n")
    told = run("fail", kind, "--json")
    assert (told.exit_code, told.stderr) == (code, sentence + "\n")
    assert json.loads(told.stdout) == {"error": sentence.removeprefix("tagloom: ")}


@pytest.mark.parametrize("words", [("look", "--nonsense"), ("fail",), ("nothing",), ("look", "more")])
def test_wrong_use_is_code_2_for_people_and_programs(words: tuple[str, ...]) -> None:
    plain = run(*words)
    assert plain.exit_code == 2
    assert plain.stdout == ""
    assert "Usage: " in plain.stderr
    told = run(*words, "--json")
    assert told.exit_code == 2
    assert json.loads(told.stdout)["error"] in plain.stderr or words == ("nothing",)


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_a_question_that_is_not_answered_with_yes(answer: str) -> None:
    told = run("fail", "asked", "--json", answer=answer)
    assert told.exit_code == 1
    assert "Really?" in told.stderr
    assert "not answered with yes" in json.loads(told.stdout)["error"]


def test_a_group_answers_by_itself_or_by_its_subcommand() -> None:
    assert json.loads(run("group", "--json").stdout) == {"of": "the group"}
    assert json.loads(run("group", "sub", "--json").stdout) == {"of": "the subcommand"}
    assert json.loads(run("group", "--json", "sub").stdout) == {"of": "the subcommand"}
    assert run("group", "sub").stdout == ""


def test_behind_two_dashes_it_is_no_option() -> None:
    done = CliRunner().invoke(root, ["look", "--", "--json"])
    assert done.exit_code == 2
    assert done.stdout == ""
