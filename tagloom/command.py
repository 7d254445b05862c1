"""What commands have in common: how they answer people and programs, and the codes with which they end.

A command that reports has the option --json. With it one JSON document goes to stdout, and everything else to stderr:
progress, questions, and what libraries print. An error is a document, too: ``{"error": "..."}``.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tagloom_base.errors import UsageError, UserError

if TYPE_CHECKING:
    from store.store import Store
    from tagloom_base.settings import Settings

DONE = 0
"""The command has done what it was asked for, and found nothing wrong."""
TROUBLE = 1
"""The command failed, or found something that is wrong; stderr, or its answer, says what to do."""
WRONG_USE = 2
"""The command was called wrongly; stderr says how to call it. Nothing was done."""
STOPPED = 130
"""Ctrl-C ended the command."""

# The key of stdout in click's meta; it is there once --json was read.
_JSON = "tagloom.json"


@dataclass(frozen=True)
class Answer:
    """What a command has found out or done, for programs. `tell` has said the same to people."""

    document: Mapping[str, Any]
    is_well: bool = True


class Reporting(click.Command):
    """A command with the option --json. Its function returns an `Answer`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        words = "Print one JSON document on stdout, and everything else on stderr."
        self.params.append(
            click.Option(["--json"], is_flag=True, expose_value=False, is_eager=True, callback=_note, help=words)
        )

    def invoke(self, ctx: click.Context) -> None:
        if not is_json():
            answer = super().invoke(ctx)
        else:
            with redirect_stdout(sys.stderr):
                answer = super().invoke(ctx)
        # A group whose subcommand has answered returns nothing.
        if isinstance(answer, Answer):
            if is_json():
                click.echo(as_text(answer.document), file=ctx.meta[_JSON])
            if not answer.is_well:
                raise click.exceptions.Exit(TROUBLE)


class ReportingGroup(Reporting, click.Group):
    """A group that also reports by itself."""


class _Stopped(click.Abort):
    """Ctrl-C. click itself would print an empty line."""


class Root(click.Group):
    """The group of all commands: it gives every ending its code and its words. No tracebacks."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise _Stopped from interrupt

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run a command as ``click.Group.main`` does, and end the process with a code of this module."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(words, *rest, **{**options, "standalone_mode": False})
        except click.UsageError as wrong:
            wrong.show()
            _end(words, wrong.format_message(), WRONG_USE)
        except click.ClickException as failed:
            _fail(words, f"tagloom: {failed.format_message()}", TROUBLE)
        except UserError as error:
            _fail(words, f"tagloom: {error}", WRONG_USE if isinstance(error, UsageError) else TROUBLE)
        except click.Abort as ended:
            # A question that was answered with no, or could not be, ends like this, too.
            if isinstance(ended.__cause__ or ended.__context__, KeyboardInterrupt):
                _fail(words, "stopped", STOPPED)
            _fail(words, "nothing was done: the question was not answered with yes", TROUBLE)
        sys.exit(code if isinstance(code, int) else DONE)


def is_json() -> bool:
    """Return whether the command that runs was called with --json."""
    context = click.get_current_context(silent=True)
    return context is not None and _JSON in context.meta


def tell(*lines: str) -> None:
    """Print lines of a command's answer. With --json they are left out, since the document says the same."""
    if not is_json():
        for line in lines:
            click.echo(line)


@contextmanager
def opened_store() -> Iterator["Store"]:
    """Yield the store of the settings, which must be there, and tell on stderr where it is."""
    from tagloom import operate

    paths = settings().paths
    with operate.opened(paths) as store:
        click.echo(f"in {operate.place(paths)}", err=True)
        yield store


def settings() -> "Settings":
    """Return the settings of this process, and keep their secrets out of its logs. UserError for unusable variables."""
    from tagloom_base import logs
    from tagloom_base.settings import Settings

    found = Settings()
    logs.guard(found.secrets)
    return found


def as_text(document: Mapping[str, Any]) -> str:
    """Return a document as indented JSON; numbers that JSON does not know become null."""
    return json.dumps(_clean(document), ensure_ascii=False, indent=2, default=str, allow_nan=False)


def _note(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        # A group with --json has redirected stdout by the time that its subcommand is read.
        context.meta.setdefault(_JSON, sys.stdout)


def _fail(words: Sequence[str], sentence: str, code: int) -> NoReturn:
    from tagloom_base import redaction

    shown = redaction.redacted(sentence)
    click.echo(shown, err=True)
    _end(words, shown.removeprefix("tagloom: "), code)


def _end(words: Sequence[str], sentence: str, code: int) -> NoReturn:
    """End the process; programs get the error as a document, also where the words could not be read."""
    options = words[: words.index("--")] if "--" in words else words
    if "--json" in options:
        click.echo(as_text({"error": sentence}))
    sys.exit(code)


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _clean(held) for name, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(held) for held in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
