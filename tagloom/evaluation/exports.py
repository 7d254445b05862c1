"""What Label Studio exported, as tasks: JSON as it is; JSON_MIN, CSV and TSV, an entry an annotation, unfolded."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ABOUT_THE_ANNOTATION = {
    "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "history",
}  # fmt: skip
COLLIDING = "_data_"  # before the name of a data field whose own name is a control's (label_studio_sdk, csv2.py)
FORMATS = "export the project as JSON, JSON_MIN, CSV or TSV"


@dataclass(frozen=True)
class Export:
    """Tasks in the form of the JSON export: ``data`` and ``annotations`` with results.

    ``apart``: the file keeps data and results apart, so that no answer can pass for a text of the task.
    """

    tasks: list[Json]
    apart: bool


def export_of(source: Path, controls: Mapping[str, str]) -> Export:
    """Read an export. ``controls`` are kinds by name, as far as they are known; others are known by their answers.

    Raises ValueError saying what is wrong and how to mend it.
    """
    try:
        text = source.read_text("utf-8-sig")
    except FileNotFoundError as missing:
        raise ValueError(f"{source} is not there: name a folder with items.csv or an exported file") from missing
    except UnicodeDecodeError as broken:
        raise ValueError(f"{source} is no UTF-8 text ({broken}): {FORMATS} and keep its encoding") from broken
    if source.suffix.lower() in (".csv", ".tsv"):
        return Export(_unfolded(_rows(text, source), controls), apart=False)
    entries = _entries(text, source)
    apart = "data" in entries[0]
    return Export(entries if apart else _unfolded(entries, controls), apart)


def _entries(text: str, source: Path) -> list[Json]:
    try:
        entries = json.loads(text)
    except ValueError as broken:
        raise ValueError(f"{source} is no JSON ({broken}): {FORMATS}, with the file name that it gets") from broken
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{source} holds no list of tasks: {FORMATS}")
    if len({isinstance(entry.get("data"), dict) for entry in entries}) > 1:
        raise ValueError(f"{source}: some tasks have `data` and some not: {FORMATS} again")
    return entries


def _rows(text: str, source: Path) -> list[Json]:
    """A table's rows. Label Studio names TSV files .csv, too, so that the header tells them apart."""
    header = text.partition("\n")[0]
    separator = "\t" if header.count("\t") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    if "annotation_id" not in (reader.fieldnames or ()):
        raise ValueError(
            f"{source} is no export of Label Studio, it has no column annotation_id: {FORMATS}; a table of your own is "
            "an items.csv, and its folder is named"
        )
    try:
        rows = [_row(cells, f"{source}, line {reader.line_num}") for cells in reader]
    except csv.Error as broken:
        raise ValueError(f"{source}, line {reader.line_num}: {broken}: export the project as JSON") from broken
    if not rows:
        raise ValueError(f"{source} holds no annotation: label some tasks, export again")
    return rows


def _row(cells: Mapping[str | None, str | None], where: str) -> Json:
    row = {name: _cell(cell) for name, cell in cells.items() if name is not None and cell is not None}
    if len(row) < len(cells):
        raise ValueError(f"{where}: not as many cells as the header has: export again and leave the file as it is")
    return row


def _cell(cell: str) -> Any:
    """What a control said; any other text stays as it is."""
    try:
        value = json.loads(cell) if cell[:1] in ("{", "[") else None
    except ValueError:
        return cell
    return value if _kind(value) else cell


def _unfolded(entries: Sequence[Json], controls: Mapping[str, str]) -> list[Json]:
    """One entry an annotation, as tasks.

    A control is known by its lists of rectangles or its ``{"choices": [...]}``; where it chose one label, the export
    has the label alone.
    """
    kinds = {name: kind for entry in entries for name, value in entry.items() if (kind := _kind(value))} | {**controls}
    aside = {*kinds, *ABOUT_THE_ANNOTATION}
    tasks: dict[Any, Json] = {}
    for place, entry in enumerate(entries):
        number = entry.get("id", place)
        task = tasks.setdefault(number, {"id": number, "data": {}, "annotations": []})
        task["data"] |= {_field(name, kinds): value for name, value in entry.items() if name not in aside}
        result = [region for name, kind in kinds.items() for region in _regions(name, kind, entry.get(name))]
        task["annotations"].append({"id": place, "updated_at": entry.get("updated_at"), "result": result})
    return list(tasks.values())


def _field(name: str, kinds: Mapping[str, str]) -> str:
    own = name.removeprefix(COLLIDING)
    return own if own in kinds else name


def _kind(value: object) -> str:
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        return "choices"
    rectangles = isinstance(value, list) and any(isinstance(part, dict) and "rectanglelabels" in part for part in value)
    return "rectanglelabels" if rectangles else ""


def _regions(name: str, kind: str, value: Any) -> Iterator[Json]:
    about = {"from_name": name, "to_name": "image", "type": kind}
    if kind == "choices" and value:
        yield {**about, "value": value if isinstance(value, dict) else {"choices": [value]}}
    for part in value if kind == "rectanglelabels" and isinstance(value, list) else ():
        if isinstance(part, dict):
            yield {**about, "original_width": part.get("original_width"),
                   "original_height": part.get("original_height"), "value": part}  # fmt: skip
