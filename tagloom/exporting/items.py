"""Items for an ad or search index: a row for each task with its tags, boxes, confidence and vector.

Vectors are those by which items are found here (`model.search.projection`); their inner product is the similarity. In
JSON Lines they are lists of numbers, in Parquet lists of half-precision numbers.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelstudio.controls.rectangle_labels import percent
from tagloom.exporting.records import Record
from tagloom.exporting.tables import GROUP, opened_parquet
from tagloom.exporting.written import Counts, Labels

if TYPE_CHECKING:
    from pyarrow import Schema


def row(record: Record, labels: Labels) -> dict[str, Any]:
    """Return one task's row. ``vector`` is None for a task whose picture was not read."""
    probabilities = record.tags(labels)
    boxes = [
        {"label": one.label, "confidence": one.confidence, **percent(one.box)} for one in record.boxes()
    ]  # fmt: skip
    return {
        "task": record.task.id,
        "image": record.image,
        "title": record.title,
        "origin": record.origin,
        "confidence": 1.0 if record.gold else record.predicted.prediction.score if record.predicted else None,
        "tags": [{"label": label, "confidence": probabilities[label]} for label in record.given(labels)],
        "boxes": boxes,
        "vector": None if record.vector_D is None else record.vector_D.numpy(),
    }


class ItemsWriter:
    """Writes JSON Lines in UTF-8."""

    def __init__(self, file: Path, labels: Labels, files: ExitStack) -> None:
        self._labels = labels
        self._file = files.enter_context(file.open("w", encoding="utf-8"))
        self.counts = Counts()

    def write(self, record: Record) -> None:
        held = row(record, self._labels)
        if held["vector"] is not None:
            # Half precision has four digits.
            held["vector"] = [float(f"{number:.4g}") for number in held["vector"].tolist()]
        self._file.write(json.dumps(held, ensure_ascii=False) + "\n")
        self.counts.add(record, len(held["boxes"]))

    def finish(self) -> None:
        """Nothing is left to write."""


class ItemsParquetWriter:
    """Writes Parquet. Raises UserError where pyarrow is missing."""

    def __init__(self, file: Path, labels: Labels, files: ExitStack) -> None:
        self._labels = labels
        self._writer = opened_parquet(file, schema, files)
        self._rows: list[dict[str, Any]] = []
        self.counts = Counts()

    def write(self, record: Record) -> None:
        self._rows.append(row(record, self._labels))
        self.counts.add(record, len(self._rows[-1]["boxes"]))
        if len(self._rows) >= GROUP:
            self._flush()

    def finish(self) -> None:
        self._flush()

    def _flush(self) -> None:
        import pyarrow

        self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=schema()))
        self._rows = []


def schema() -> "Schema":
    """Return the columns as pyarrow has them."""
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    tag = pyarrow.struct([("label", text), ("confidence", number)])
    sides = [(side, number) for side in ("x", "y", "width", "height")]
    box = pyarrow.struct([("label", text), ("confidence", number), *sides])
    return pyarrow.schema(
        [
            ("task", pyarrow.int64()), ("image", text), ("title", text), ("origin", text), ("confidence", number),
            ("tags", pyarrow.list_(tag)), ("boxes", pyarrow.list_(box)), ("vector", pyarrow.list_(pyarrow.float16())),
        ]
    )  # fmt: skip
