"""The process in which sources that others wrote run: it loads one place and answers one item after another.

    python -m sources.child FILE-OR-ENTRY BYTES-OF-MEMORY

It speaks lines of JSON: the names and versions of its sources first, then one answer for each item that it gets. It
asks for the picture with a line of its own when a source wants it. What a source prints goes to standard error.
"""

import importlib
import importlib.util
import json
import math
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from sources.interface import Answer, Item, Label, Opinion, ReadBlock, Source

# Seconds between two looks whether the parent process still runs.
LOOK_S = 0.5
# Most characters of an error's own words.
LONGEST = 300


def main() -> None:
    """Load the place that the command line names, and answer until standard input ends."""
    limit = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    # The channel moves to other descriptors, so that what a source prints or reads cannot disturb it.
    questions, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    channel = _Channel(questions, answers)
    try:
        found = dict(enumerate(_sources(_loaded(sys.argv[1]))))
        channel.send({"sources": [[one.name, one.version] for one in found.values()]})
    except BaseException as error:
        channel.send({"error": _shown(error)})
        return
    while question := channel.receive():
        try:
            channel.send(_written(found[question["source"]](_item(question["item"], channel))))
        # A source may call sys.exit, too.
        except BaseException as error:
            channel.send({"error": _shown(error)})


class _Channel:
    """Lines of JSON in both directions."""

    def __init__(self, questions: TextIO, answers: TextIO) -> None:
        self._questions, self._answers = questions, answers

    def send(self, message: Mapping[str, Any]) -> None:
        self._answers.write(json.dumps(message) + "\n")
        self._answers.flush()

    def receive(self) -> dict[str, Any]:
        """Return the next message; empty at the end of the input."""
        line = self._questions.readline()
        message: dict[str, Any] = json.loads(line) if line else {}
        return message

    def picture(self) -> Path | None:
        """Ask the parent process for the item's picture."""
        self.send({"need": "picture"})
        path = self.receive().get("picture")
        return Path(path) if path else None


def _loaded(place: str) -> object:
    """Import the file, or load the entry point."""
    if not place.endswith(".py"):
        return EntryPoint("", place, "").load()
    file = Path(place)
    # Files of the folder may import helpers beside them.
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(f"tagloom_source_{file.stem}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _sources(loaded: object) -> Iterator[Source]:
    """Yield the sources of a module, or the one that an object or a class is. Of a class one object is made."""
    if not isinstance(loaded, ModuleType):
        yield loaded() if isinstance(loaded, type) else loaded  # type: ignore[misc]
        return
    values = {id(value): value for name, value in vars(loaded).items() if not name.startswith("_")}.values()
    objects = [value for value in values if not isinstance(value, type) and isinstance(value, Source)]
    yield from objects
    for value in values:
        is_own = isinstance(value, type) and value.__module__ == loaded.__name__
        if is_own and _is_class_of_sources(value) and not any(isinstance(one, value) for one in objects):
            yield value()


def _is_class_of_sources(value: type) -> bool:
    return all(isinstance(getattr(value, name, None), str) for name in ("name", "version")) and "__call__" in vars(
        value
    )


def _item(told: Mapping[str, Any], channel: _Channel) -> Item:
    return Item(
        told["title"],
        tuple(told["industry"]),
        told["texts"],
        tuple(ReadBlock(*block) for block in told["blocks"]),
        tuple(told["size"]),
        tuple(Label(*label) for label in told["labels"]),
        channel.picture,
    )


def _written(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON; what it holds is checked by the parent process. Raises TypeError for another type."""
    if answer is None:
        return {"labels": {}, "boxes": []}
    opinion = answer if isinstance(answer, Opinion) else Opinion(answer)
    if not isinstance(opinion.labels, Mapping):
        raise TypeError(f"a source returns an Opinion, a mapping of labels, or None, and not {type(answer).__name__}")
    labels = {str(label): _plain(value) for label, value in opinion.labels.items() if value is not None}
    boxes = [[box.label, *map(_plain, (box.left, box.top, box.right, box.bottom))] for box in opinion.boxes]
    return {"labels": labels, "boxes": boxes}


def _plain(value: object) -> float | bool | str:
    """Return a number as JSON knows it, also one of numpy or torch; anything else in words, which is refused later."""
    if isinstance(value, bool):
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return repr(value)[:LONGEST]
    return number if math.isfinite(number) else repr(number)


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:LONGEST]


def _end_with(parent: int) -> None:
    # The parent process changes when the one that started this process has ended.
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    main()
