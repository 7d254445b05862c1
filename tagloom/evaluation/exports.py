"""Read exports of Label Studio as tasks.

JSON is read unchanged. JSON_MIN, CSV and TSV have one entry per annotation, which are joined to tasks.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tagloom.datasets.tables import SEPARATORS, separator_of
from tagloom.datasets.texts import text_of

Json = dict[str, Any]

ABOUT_THE_ANNOTATION = {
    "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "history",
}  # fmt: skip
# Prefix of a data field with the name of a control (label_studio_sdk, csv2.py).
COLLIDING = "_data_"
FORMATS = "export the project as JSON, JSON_MIN, CSV or TSV"


@dataclass(frozen=True)
class Export:
    """Tasks in the form of the JSON export: ``data`` and ``annotations`` with results.

    ``apart`` says that the file separates data and results, so that no answer can be mistaken for a text of the task.
    ``notes`` for the user say how the file was read.
    """

    tasks: list[Json]
    apart: bool
    notes: tuple[str, ...] = ()


def export_of(source: Path, controls: Mapping[str, str]) -> Export:
    """Read an export. ``controls`` maps the names of known controls to their kinds; others are recognised by answers.

    Raises ValueError, which says what is wrong and how to correct it.
    """
    text = text_of(source)
    if not text.content.strip():
        raise ValueError(f"{source} is empty: {FORMATS}")
    if source.suffix.lower() in (".csv", ".tsv"):
        rows, notes = _rows(text.content, source)
        return Export(_unfolded(rows, controls), apart=False, notes=(*text.notes(source), *notes))
    try:
        entries = json.loads(text.content)
    except (ValueError, RecursionError) as broken:
        raise ValueError(f"{source} is no JSON ({broken}): {FORMATS}, with the file name that it gets") from broken
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{source} holds no list of tasks: {FORMATS}")
    for place, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise ValueError(f"{source} holds no list of tasks, entry {place} is none: {FORMATS}")
    if len({isinstance(entry.get("data"), dict) for entry in entries}) > 1:
        raise ValueError(f"{source}: some tasks have `data` and some not: {FORMATS} again")
    if not isinstance(entries[0].get("data"), dict):
        return Export(_unfolded(entries, controls), apart=False, notes=text.notes(source))
    tasks, notes = _annotated(entries, source)
    return Export(tasks, apart=True, notes=(*text.notes(source), *notes))


def _annotated(entries: Sequence[Json], source: Path) -> tuple[list[Json], list[str]]:
    """Return the tasks with those annotations that are objects, and a note on annotations and regions without meaning.

    ValueError for two tasks with the same id.
    """
    tasks, odd, numbers = list[Json](), list[str](), set[str]()
    for place, entry in enumerate(entries, 1):
        number = entry.get("id")
        name = f"task {number}" if number is not None else f"entry {place}"
        if number is not None and str(number) in numbers:
            raise ValueError(f"{source}, entry {place}: {name} stands twice: {FORMATS} again, one project a file")
        numbers.add(str(number))
        listed = entry.get("annotations")
        annotations = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        # Odd regions remain in the annotations: ``labelstudio.gold`` decides what they mean for the gold labels.
        lost = sum(_is_odd(region) for one in annotations for region in _list(one.get("result")))
        lost += len(_list(listed)) - len(annotations) + (listed is not None and not isinstance(listed, list))
        odd += [name] if lost else []
        tasks.append({**entry, "annotations": annotations})
    if not odd:
        return tasks, []
    named = ", ".join(islice(odd, 10)) + (f" and {len(odd) - 10} more" if odd[10:] else "")
    return tasks, [
        f"{source.name}: {named} {'have' if odd[1:] else 'has'} annotations or regions without a from_name, type or "
        "value; labels beside them that were not given are unknown: correct them in Label Studio, or export again"
    ]


def _is_odd(region: object) -> bool:
    """Return whether a region is no object, or has no control (``from_name``), no type or no value."""
    if not isinstance(region, dict):
        return True
    # A relation between regions has nothing but a type.
    if region.get("type") == "relation":
        return False
    names = region.get("from_name"), region.get("type")
    return not all(isinstance(name, str) for name in names) or not isinstance(region.get("value"), dict)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _rows(text: str, source: Path) -> tuple[list[Json], list[str]]:
    """Return the rows of a CSV or TSV export, with JSON cells read, and notes for the user.

    Label Studio also names TSV files .csv, so the header decides about the separator.
    """
    separator = separator_of(text, ("id", "annotation_id"))
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        names = [name for name in reader.fieldnames or () if name]
        if "annotation_id" not in names:
            raise ValueError(
                f"{source} is no export of Label Studio, it has no column annotation_id: {FORMATS}; a table of your "
                "own is an items.csv, and its folder is named"
            )
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise ValueError(f"{source}, line 1: column {twice[0]} stands twice: {FORMATS} again")
        rows = []
        for cells in reader:
            line = reader.line_num
            row: Json = {name: cell for name, cell in cells.items() if name is not None and cell is not None}
            for name, cell in row.items():
                # Answers of controls are JSON. A text that looks like JSON remains a text.
                with suppress(ValueError):
                    value = json.loads(cell) if cell[:1] in ("{", "[") else None
                    row[name] = value if _kind(value) else cell
            if len(row) < len(cells):
                remedy = "export again and leave the file as it is"
                raise ValueError(f"{source}, line {line}: not as many cells as the header has: {remedy}")
            rows.append(row)
    except csv.Error as broken:
        raise ValueError(f"{source}, after line {line}: {broken}: export the project as JSON") from broken
    if not rows:
        raise ValueError(f"{source} holds no annotation: label some tasks, export again")
    return rows, [] if separator in ",\t" else [f"{source.name} has {SEPARATORS[separator]} between its cells"]


def _unfolded(entries: Sequence[Json], controls: Mapping[str, str]) -> list[Json]:
    """Return tasks from entries that hold one annotation each.

    Controls that ``controls`` does not name are recognised by lists of rectangles or by ``{"choices": [...]}``. An
    answer of one chosen label is the label alone in the export.
    """
    kinds = {name: kind for entry in entries for name, value in entry.items() if (kind := _kind(value))} | {**controls}
    aside = {*kinds, *ABOUT_THE_ANNOTATION}
    tasks: dict[Any, Json] = {}
    for place, entry in enumerate(entries):
        number = entry.get("id", place)
        task = tasks.setdefault(number, {"id": number, "data": {}, "annotations": []})
        for name, value in entry.items():
            if name not in aside:
                # A data field with a control's name has a prefix in the export.
                field = name.removeprefix(COLLIDING)
                task["data"][field if field in kinds else name] = value
        result: list[Json] = []
        for name, kind in kinds.items():
            about, value = {"from_name": name, "to_name": "image", "type": kind}, entry.get(name)
            if kind == "choices" and value:
                result.append({**about, "value": value if isinstance(value, dict) else {"choices": [value]}})
            for part in _list(value) if kind == "rectanglelabels" else ():
                if isinstance(part, dict):
                    size = {side: part.get(side) for side in ("original_width", "original_height")}
                    result.append({**about, **size, "value": part})
        task["annotations"].append({"id": place, "updated_at": entry.get("updated_at"), "result": result})
    return list(tasks.values())


def _kind(value: object) -> str:
    """Return "choices" or "rectanglelabels" for the answer of such a control, else an empty text."""
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        return "choices"
    rectangles = isinstance(value, list) and any(isinstance(part, dict) and "rectanglelabels" in part for part in value)
    return "rectanglelabels" if rectangles else ""
