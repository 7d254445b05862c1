"""What a check finds: all is well, or what is wrong with how to mend it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy.exc import SQLAlchemyError

from tagloom_base.errors import UserError
from tagloom_base.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: whether all is well, and a text that says so, or what is wrong and how to mend it.

    ``check`` is the name of the check that found it.
    """

    well: bool
    text: str
    check: str = ""

    def __str__(self) -> str:
        return f"{'ok' if self.well else 'NO'}  {self.check}: {self.text}"

    @property
    def document(self) -> dict[str, str | bool]:
        """The finding for programs; the name of a check never changes."""
        return {"check": self.check.lower().replace(" ", "-"), "well": self.well, "text": self.text}


Check: TypeAlias = Callable[[Settings], Iterable[Finding]]
"""A check yields its findings. It may raise UserError, ValueError or OSError, whose text says what to do."""


def good(text: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(True, text)


def wrong(text: str) -> Finding:
    """Return the finding that something is wrong; the text says how to mend it."""
    return Finding(False, text)


def found_by(name: str, check: Check, settings: Settings) -> Iterator[Finding]:
    """Yield a check's findings, each with the check's name. An error that it raises is one more finding."""
    try:
        for finding in check(settings):
            yield replace(finding, check=name)
    except (UserError, ValueError, OSError) as error:
        # The messages of these errors say what to do. Anything else is a bug and ends the command.
        yield from (Finding(False, line, name) for line in str(error).splitlines())
    except SQLAlchemyError as error:
        text = f"the database fails ({type(error).__name__}): see its log, or restore its file"
        yield Finding(False, text, name)
