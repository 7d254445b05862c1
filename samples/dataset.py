"""Read a folder of labelled pictures: items.csv, boxes.csv where there is one, and the pictures."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

_REQUIRED = ("id", "image", "title", "level1", "level2", "labels")
_BOX_COLUMNS = ("id", "label", "x", "y", "width", "height")
_TEXT = "text:"  # before the field in the name of a further text's column
_SLACK = 0.5


@dataclass(frozen=True)
class GoldBox:
    """One boxed element, in percent of the picture; `extra` holds regions to leave out of scoring."""

    label: str
    x: float
    y: float
    width: float
    height: float
    extra: str = ""


@dataclass(frozen=True)
class Sample:
    """One item with what is known of it: its picture's file, where it has one, and `texts`, further texts by field."""

    id: str
    picture: Path | None
    title: str
    level1: str
    level2: str
    product_id: str
    labels: tuple[str, ...]
    boxes: tuple[GoldBox, ...] = ()
    subtitle: str = ""
    view: int = 1
    split: str = ""
    labelled: bool = True
    boxed: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def image(self) -> Path:
        """The picture's file, for those that cannot do without. Raises ValueError where there is none."""
        if self.picture is None:
            raise ValueError(f"sample {self.id} has no picture: name one in its row or remove the row")
        return self.picture

    def open(self) -> Image.Image:
        """The picture in RGB; a broken file is named."""
        try:
            with Image.open(self.image) as picture:
                return picture.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            remedy = "write the file again or remove its row"
            raise ValueError(
                f"{self.image}: sample {self.id}: the picture cannot be read ({error}): {remedy}"
            ) from error


@dataclass(frozen=True)
class Dataset:
    """All samples of a folder."""

    folder: Path
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def labels(self) -> tuple[str, ...]:
        """All labels of the data, the most frequent first."""
        counts = Counter(label for sample in self.samples for label in sample.labels)
        return tuple(label for label, _ in counts.most_common())

    def labelled(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.labelled)


def load(folder: Path | str, *, need_pictures: bool = True) -> Dataset:
    """Read a folder; every fault is a ValueError with file, line and remedy.

    Without ``need_pictures`` an image cell may be empty.
    """
    root = Path(folder)
    items = list(_rows(root / "items.csv", _REQUIRED))
    known = _known(root / "items.csv", items)
    boxes = _boxes(root / "boxes.csv", known)
    return Dataset(root, tuple(_sample(root, number, row, boxes, need_pictures) for number, row in items))


def _rows(path: Path, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of each row of a table."""
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file: put a table with the columns {', '.join(required)} there")
    with path.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.DictReader(source)
        missing = [column for column in required if column not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}, line 1: column {missing[0]} is missing: add it to the header")
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f"{path}, line {reader.line_num}: not as many cells as the header has: quote cells with a comma"
                )
            yield reader.line_num, row


def _known(path: Path, items: list[tuple[int, dict[str, str]]]) -> set[str]:
    seen: set[str] = set()
    for number, row in items:
        if not row["id"]:
            raise ValueError(f"{path}, line {number}: the id is empty: give each picture its own")
        if row["id"] in seen:
            raise ValueError(f"{path}, line {number}: id {row['id']} stands twice: give each picture its own")
        seen.add(row["id"])
    return seen


def _sample(
    root: Path, number: int, row: dict[str, str], boxes: dict[str, list[GoldBox]], need_picture: bool
) -> Sample:
    where = f"{root / 'items.csv'}, line {number}"
    picture = _picture(where, root, row["image"]) if need_picture or row["image"] else None
    if picture is None and row["id"] in boxes:
        raise ValueError(f"{where}: there are boxes for {row['id']} but no picture: name it or remove the boxes")
    view = row.get("view") or "1"
    if not view.isdecimal():
        raise ValueError(f"{where}: view {view!r} is not a whole number: count views from 1")
    return Sample(
        id=row["id"],
        picture=picture,
        title=row["title"],
        level1=row["level1"],
        level2=row["level2"],
        product_id=row.get("product_id") or normalised(row["title"]) or row["id"],
        labels=tuple(label for label in row["labels"].split("|") if label),
        boxes=tuple(boxes.get(row["id"], ())),
        subtitle=row.get("subtitle", ""),
        view=int(view),
        split=row.get("split", ""),
        labelled=row.get("split") != "unlabelled",
        boxed=row["id"] in boxes,
        texts={name.removeprefix(_TEXT): cell for name, cell in row.items() if name.startswith(_TEXT) and cell.strip()},
    )


def _picture(where: str, root: Path, cell: str) -> Path:
    picture = root / cell
    if not cell or not picture.is_file():
        raise ValueError(f"{where}: picture {cell or '(empty)'} is not there: correct the image cell or add the file")
    return picture


def normalised(title: str) -> str:
    """A title without case, spaces and signs: the same for all views of a product."""
    return re.sub(r"\W+", "", title.lower())


def _boxes(path: Path, known: set[str]) -> dict[str, list[GoldBox]]:
    found: dict[str, list[GoldBox]] = {}
    if not path.exists():
        return found
    for number, row in _rows(path, _BOX_COLUMNS):
        if row["id"] not in known:
            raise ValueError(
                f"{path}, line {number}: id {row['id']} is not in items.csv: add its row there or remove this box"
            )
        found.setdefault(row["id"], []).append(_box(f"{path}, line {number}", row))
    return found


def _box(where: str, row: dict[str, str]) -> GoldBox:
    x, y, width, height = (_number(where, column, row[column]) for column in ("x", "y", "width", "height"))
    if not row["label"]:
        raise ValueError(f"{where}: the label is empty: name the element")
    inside = min(x, y) >= -_SLACK and max(x + width, y + height) <= 100 + _SLACK and min(width, height) > 0
    if not inside:
        raise ValueError(
            f"{where}: box {x:g} {y:g} {width:g} {height:g} leaves the picture: give percent of its width and height"
        )
    return GoldBox(row["label"], x, y, width, height, row.get("extra") or "")


def _number(where: str, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not -1e9 < value < 1e9:
        raise ValueError(f"{where}: {column} {cell!r} is not a number: give percent of the picture")
    return value
