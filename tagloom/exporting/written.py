"""What the writers have in common."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from tagloom.exporting.records import Record

Labels: TypeAlias = tuple[str, ...]


@dataclass
class Counts:
    """What was written. ``without_size``: tasks whose boxes are missing because nobody knows their picture's size."""

    tasks: int = 0
    gold: int = 0
    predicted: int = 0
    unread: int = 0
    boxes: int = 0
    without_size: int = 0

    def add(self, record: Record, boxes: int) -> None:
        self.tasks += 1
        self.gold += record.gold is not None
        self.predicted += record.predicted is not None
        self.unread += record.answer is None
        self.boxes += boxes


class Writer(Protocol):
    """Writes records one after the other, then the end. Raises OSError.

    It is made with the file or folder to write, the labels, and a stack that closes its files.
    """

    counts: Counts

    def write(self, record: Record) -> None: ...

    def finish(self) -> None: ...


def weak_of(record: Record) -> dict[str, Any]:
    """Return a task's weak labels: label → probability, confidence and each source's vote."""
    return {
        label: {"probability": weak.probability, "confidence": weak.confidence, "sources": dict(weak.sources)}
        for label, weak in record.weak.items()
    }


def provenance_of(record: Record, labels: Labels) -> dict[str, Any]:
    """Return where a task's labels come from, its tags with probabilities, and its weak labels."""
    return {
        "task": record.task.id,
        "title": record.title,
        "origin": record.origin,
        "version": record.version if record.predicted else "",
        "confidence": record.predicted.prediction.score if record.predicted else None,
        "tags": record.given(labels),
        "probabilities": record.tags(labels),
        "weak": weak_of(record),
    }
