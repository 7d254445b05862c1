"""The interface of a source: it gets an item, and returns its opinion on the item's labels, boxes, or nothing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

NAME = re.compile(r"\w[\w .-]{0,59}")
"""What a source may be called: letters, digits, blanks, points and dashes, at most 60 characters."""


@dataclass(frozen=True)
class ReadBlock:
    """A line of text that was read in the picture, its edges in fractions of the picture, and its score in [0, 1]."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    score: float


@dataclass(frozen=True)
class Label:
    """A label of the project, with a description: the hint of the labelling config, or its other names and kind."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class Item:
    """One task, as a source sees it.

    ``texts`` are further texts by their key in the task's data. ``blocks`` are what was read in the picture, and
    ``size`` is the picture's width and height in pixels, (0, 0) without one. ``labels`` are those of the project.
    """

    title: str = ""
    industry: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    blocks: tuple[ReadBlock, ...] = ()
    size: tuple[int, int] = (0, 0)
    labels: tuple[Label, ...] = ()
    fetch: Callable[[], Path | None] = field(default=lambda: None, repr=False, compare=False)

    @cached_property
    def picture(self) -> Path | None:
        """The file of the upright picture (JPEG), fetched when it is first asked for; None if it cannot be had.

        The file is deleted after the call.
        """
        return self.fetch()

    @property
    def picture_bytes(self) -> bytes | None:
        """The content of ``picture``."""
        return self.picture.read_bytes() if self.picture else None


@dataclass(frozen=True)
class ProposedBox:
    """A rectangle that may show a label, in fractions of the upright picture."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Opinion:
    """What a source says of an item.

    ``labels`` maps a label to its probability, or to True or False. A label that is left out, or None, is an
    abstention. ``boxes`` are candidates: the box model decides by gold which of them to draw.
    """

    labels: Mapping[str, float | bool | None] = field(default_factory=dict)
    boxes: Sequence[ProposedBox] = ()


Answer: TypeAlias = Opinion | Mapping[str, float | bool | None] | None


@runtime_checkable
class Source(Protocol):
    """A source: anything with a name, a version, and a call. It is asked once for each item and version."""

    name: str
    version: str

    def __call__(self, item: Item) -> Answer:
        """Return an opinion on the item, a mapping of labels as in `Opinion.labels`, or None to say nothing."""
        ...


@dataclass(frozen=True)
class LabellingFunction:
    """A function as a source; `source` makes it."""

    name: str
    version: str
    function: Callable[[Item], Answer]

    def __call__(self, item: Item) -> Answer:
        return self.function(item)


def source(name: str, *, version: str = "") -> Callable[[Callable[[Item], Answer]], LabellingFunction]:
    """Make a function a source.

    Raise ``version`` when the function's answers change: then all items are shown to it again. Without one, any change
    of its file counts as a new version (of its distribution, for an entry point).
    """
    return lambda function: LabellingFunction(name, version, function)
