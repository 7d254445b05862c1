"""Everything as one table, as CSV or Parquet: a row for each tag, box and weak label of each task."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelstudio.controls.rectangle_labels import percent
from tagloom.exporting.records import Record
from tagloom.exporting.written import Counts, Labels
from tagloom_base.errors import UserError

if TYPE_CHECKING:
    from pyarrow import Schema

COLUMNS: dict[str, type] = {
    "task": int, "image": str, "title": str, "picture_width": int, "picture_height": int, "origin": str, "version": str,
    "kind": str, "label": str, "given": bool, "probability": float, "confidence": float, "x": float, "y": float,
    "width": float, "height": float, "sources": str,
}  # fmt: skip
"""Columns and types. ``origin`` is gold, prediction or weak, ``kind`` tag or box; x to height are percent."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""The first characters of a text that spreadsheets take for a formula."""

# Rows that are in memory before they are written as one group of a Parquet file.
GROUP = 20_000


def rows(record: Record, labels: Labels) -> Iterator[dict[str, Any]]:
    """Yield the rows of one task; a column that says nothing of a row is missing in it."""
    known = {
        "task": record.task.id, "image": record.image, "title": record.title,
        "picture_width": record.size[0], "picture_height": record.size[1],
    }  # fmt: skip
    if record.gold:
        own = {**known, "origin": "gold"}
        for label in labels:
            if (says := record.gold.says(label)) is not None:
                yield {**own, "kind": "tag", "label": label, "given": says, "confidence": record.gold.weight}
        for drawn in record.gold.boxes or ():
            yield {**own, "kind": "box", "label": drawn.label, "given": True, "confidence": 1.0, **percent(drawn.box)}
    if record.predicted:
        said = record.predicted.prediction
        own = {**known, "origin": "prediction", "version": record.version}
        for label, probability in said.probabilities.items():
            given = label in said.labels
            yield {**own, "kind": "tag", "label": label, "given": given, "probability": probability,
                   "confidence": said.score}  # fmt: skip
        for box in said.boxes:
            yield {**own, "kind": "box", "label": box.label, "given": True, "confidence": box.score, **percent(box.box)}
    for label, weak in record.weak.items():
        sources = json.dumps(dict(weak.sources), ensure_ascii=False)
        yield {**known, "origin": "weak", "kind": "tag", "label": label, "given": weak.probability >= 0.5,
               "probability": weak.probability, "confidence": weak.confidence, "sources": sources}  # fmt: skip


class CsvWriter:
    """Writes CSV in UTF-8 with a line of headings; cells that say nothing are empty.

    Texts that a spreadsheet would run as a formula begin with an apostrophe (OWASP, CSV injection).
    """

    def __init__(self, file: Path, labels: Labels, files: ExitStack) -> None:
        self._labels = labels
        opened = files.enter_context(file.open("w", encoding="utf-8", newline=""))
        self._csv = csv.DictWriter(opened, list(COLUMNS), restval="")
        self._csv.writeheader()
        self.counts = Counts()

    def write(self, record: Record) -> None:
        for row in rows(record, self._labels):
            self._csv.writerow({name: _cell(value) for name, value in row.items()})
        self.counts.add(record, len(record.boxes()))

    def finish(self) -> None:
        """Nothing is left to write."""


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return int(value) if isinstance(value, bool) else value


class ParquetWriter:
    """Writes Parquet. Raises UserError where pyarrow is missing."""

    def __init__(self, file: Path, labels: Labels, files: ExitStack) -> None:
        self._labels = labels
        self._writer = opened_parquet(file, schema, files)
        self._rows: list[dict[str, Any]] = []
        self.counts = Counts()

    def write(self, record: Record) -> None:
        self._rows += rows(record, self._labels)
        self.counts.add(record, len(record.boxes()))
        if len(self._rows) >= GROUP:
            self._flush()

    def finish(self) -> None:
        self._flush()

    def _flush(self) -> None:
        import pyarrow

        self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=schema()))
        self._rows = []


def opened_parquet(file: Path, columns: "Callable[[], Schema]", files: ExitStack) -> Any:
    """Return pyarrow's writer of a file with these columns. Raises UserError where pyarrow is missing."""
    try:
        from pyarrow import parquet
    except ImportError as missing:
        raise UserError(
            "Parquet needs pyarrow, the extra `parquet`: run `pip install pyarrow`, or choose --format csv or items"
        ) from missing
    return files.enter_context(parquet.ParquetWriter(file, columns()))


def schema() -> "Schema":
    """Return the columns as pyarrow has them."""
    import pyarrow

    kinds = {int: pyarrow.int64(), str: pyarrow.string(), bool: pyarrow.bool_(), float: pyarrow.float64()}
    return pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
