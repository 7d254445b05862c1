"""Tell how far a long command is: a bar with rate and time left on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from tqdm import tqdm

# Seconds between two lines where stderr is no terminal, such as in a log.
LINE_S = 10.0


class Told(Protocol):
    """Is told how far the work is."""

    def __call__(self, done: int, total: int, stage: str = "") -> None:
        """Tell the number of finished parts and of all parts, 0 where nobody counts, and what is being done."""


@contextmanager
def progress(of_what: str, unit: str) -> Iterator[Told]:
    """Yield a function that tells on stderr how far the work is. A new stage and the last number are always told."""
    if sys.stderr.isatty():
        with tqdm(desc=of_what, unit=f" {unit}", leave=False) as bar:
            yield _Bar(bar, of_what)
    else:
        yield _Lines(of_what, unit)


class _Bar:
    def __init__(self, bar: tqdm, of_what: str) -> None:
        self._bar, self._of_what, self._stage = bar, of_what, ""

    def __call__(self, done: int, total: int, stage: str = "") -> None:
        if stage != self._stage:
            # Rate and time left are those of the stage.
            self._stage = stage
            self._bar.reset()
            self._bar.set_description(f"{self._of_what}, {stage}", refresh=False)
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)
        self._bar.refresh()


class _Lines:
    def __init__(self, of_what: str, unit: str) -> None:
        self._of_what, self._unit = of_what, unit
        self._at, self._text, self._stage = -LINE_S, "", ""

    def __call__(self, done: int, total: int, stage: str = "") -> None:
        named = f"{self._of_what}, {stage}" if stage else self._of_what
        text = f"{named}: {done} of {total} {self._unit}" if total else named
        is_time = done >= total or time.monotonic() - self._at >= LINE_S
        if text != self._text and (stage != self._stage or is_time):
            self._at, self._text, self._stage = time.monotonic(), text, stage
            click.echo(text, err=True)
