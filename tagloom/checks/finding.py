"""What a check finds: all is well, or what is wrong with how to mend it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.exc import SQLAlchemyError

from tagloom_base.errors import UserError
from tagloom_base.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: whether all is well, and a text that says so, or what is wrong and how to mend it."""

    well: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.well else 'NO'}  {self.text}"


Check: TypeAlias = Callable[[Settings], Iterable[Finding]]
"""A check yields its findings. It may raise UserError, ValueError or OSError, whose text says what to do."""


def good(text: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(True, text)


def wrong(text: str) -> Finding:
    """Return the finding that something is wrong; the text says how to mend it."""
    return Finding(False, text)


def found_by(name: str, check: Check, settings: Settings) -> Iterator[Finding]:
    """Yield a check's findings, each beginning with the check's name. An error that it raises is one more finding."""
    try:
        for finding in check(settings):
            yield Finding(finding.well, f"{name}: {finding.text}")
    except (UserError, ValueError, OSError) as error:
        # The messages of these errors say what to do. Anything else is a bug and ends the command.
        yield from (wrong(f"{name}: {line}") for line in str(error).splitlines())
    except SQLAlchemyError as error:
        yield wrong(f"{name}: the database fails ({type(error).__name__}): see its log, or restore its file")
