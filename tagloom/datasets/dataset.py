"""Read a folder of labelled pictures: items.csv, the pictures, and boxes.csv if the folder has one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tagloom.datasets.box_table import Boxes, GoldBox, read_boxes
from tagloom.datasets.labels import LABELS, labels_of
from tagloom.datasets.tables import Columns, Row, read_table

# Prefix of the columns with further texts; the name of the text's field follows it.
_TEXT = "text:"
_COLUMNS = Columns(
    ("id", "image", "title", "level1", "level2", LABELS), ("product_id", "view", "split", "subtitle"), _TEXT
)
VALIDATION = "validation"
_UNLABELLED = ("unlabelled", "unlabeled")
_NAMED = 20  # items that a note lists by name


@dataclass(frozen=True)
class Sample:
    """One item: its picture's file (None for an item without), texts, gold labels and gold boxes.

    ``texts`` holds further texts by field. For labels in ``unknown`` it is not known whether the item has them.
    """

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
    unknown: frozenset[str] = frozenset()

    @property
    def for_measuring(self) -> bool:
        """Whether the item is of the validation split, whose gold nothing may learn from."""
        return self.split.casefold() == VALIDATION

    @property
    def image(self) -> Path:
        """The picture's file, for callers that need one. Raises ValueError for an item without a picture."""
        if self.picture is None:
            raise ValueError(f"sample {self.id} has no picture: name one in its row or remove the row")
        return self.picture

    def open(self) -> Image.Image:
        """Return the picture in RGB. Raises ValueError that names the file when it cannot be read."""
        try:
            with Image.open(self.image) as picture:
                return picture.convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            remedy = "write the file again or remove its row"
            raise ValueError(
                f"{self.image}: sample {self.id}: the picture cannot be read ({error}): {remedy}"
            ) from error


@dataclass(frozen=True)
class Dataset:
    """All samples of a folder. ``notes`` for the user say how the files were read and which items were left out."""

    folder: Path
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def labels(self) -> tuple[str, ...]:
        """Return all labels of the data, the most frequent first."""
        counts = Counter(label for sample in self.samples for label in sample.labels)
        return tuple(label for label, _ in counts.most_common())

    def labelled(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.labelled)


def load(folder: Path | str, *, need_pictures: bool = True) -> Dataset:
    """Read a folder. Raises ValueError with file, line, column and remedy for any fault of a table.

    Items whose picture file is missing are left out, and the notes say so. ValueError when all are missing. Without
    ``need_pictures`` an image cell may be empty.
    """
    root = Path(folder)
    table = read_table(root / "items.csv", _COLUMNS)
    if not table.rows:
        raise ValueError(f"{root / 'items.csv'} has a header and nothing else: add a row for each picture")
    lines: dict[str, int] = {}
    for row in table.rows:
        name = row["id"]
        if not name:
            raise row.fault("id", "the id is empty: give each picture its own")
        if name in lines:
            raise row.fault("id", f"id {name} stands twice (line {lines[name]}): give each picture its own")
        lines[name] = row.line
    labels, spellings, label_notes = labels_of(table.rows)
    boxes = read_boxes(root / "boxes.csv", set(lines), spellings)
    samples: list[Sample] = []
    missing: list[str] = []
    for row, named in zip(table.rows, labels, strict=True):
        try:
            picture = _picture(root, row, boxes, need_pictures)
        except FileNotFoundError as fault:
            # One missing picture must not stop the use of all others.
            missing.append(str(fault))
        else:
            samples.append(_sample(row, picture, named, boxes))
    notes = [*table.notes, *label_notes, *boxes.notes]
    odd = [
        sample.id for sample in samples if sample.labelled and {box.label for box in sample.boxes} - {*sample.labels}
    ]
    # Labels and boxes of these items contradict each other.
    if odd:
        lacks = "has boxes of labels that its labels cell lacks"
        notes.append(f"{len(odd)} of {len(samples)} items {lacks}, such as {odd[0]}: correct one")
    notes += left_out(missing, len(table.rows), "correct the image cells or add the files")
    return Dataset(root, tuple(samples), tuple(notes))


def left_out(faults: Sequence[str], of: int, remedy: str) -> tuple[str, ...]:
    """Return a note on the items that are left out because their pictures are missing.

    ``faults`` says why, one text per item; ``of`` is the number of all items. ValueError when all are left out.
    """
    if not faults:
        return ()
    shown = "; ".join(faults[:_NAMED]) + (f"; and {len(faults) - _NAMED} more" if faults[_NAMED:] else "")
    if len(faults) == of:
        raise ValueError(f"none of {of} pictures can be had ({shown}): {remedy}")
    return (f"{len(faults)} of {of} items are left out, their pictures cannot be had: {shown}",)


def _sample(row: Row, picture: Path | None, labels: tuple[str, ...], boxes: Boxes) -> Sample:
    view = row["view"] or "1"
    if not view.isdecimal():
        raise row.fault("view", f"view {view!r} is not a whole number: count views from 1")
    return Sample(
        id=row["id"],
        picture=picture,
        title=row["title"],
        level1=row["level1"],
        level2=row["level2"],
        # Views of a product have the same title, if the table does not name the product.
        product_id=row["product_id"] or normalised(row["title"]) or row["id"],
        labels=labels,
        boxes=tuple(boxes.of.get(row["id"], ())),
        subtitle=row["subtitle"],
        view=int(view),
        split=row["split"],
        labelled=row["split"].casefold() not in _UNLABELLED,
        boxed=row["id"] in boxes.of,
        texts={name.removeprefix(_TEXT): cell for name, cell in row.cells.items() if name.startswith(_TEXT) and cell},
    )


def _picture(root: Path, row: Row, boxes: Boxes, needed: bool) -> Path | None:
    """Return the picture file of a row, or None for an empty cell unless ``needed``.

    Raises FileNotFoundError, which says what is wrong, when the file is missing or cannot be read.
    """
    cell = row["image"]
    if not cell and not needed:
        if row["id"] in boxes.of:
            raise row.fault("image", f"there are boxes for {row['id']} but no picture: name it or remove the boxes")
        return None
    place = f"{row.place}, column image: picture"
    # The path as it is written, with Windows' backslashes replaced, and with accents composed or decomposed: file
    # systems differ in that.
    slashed = cell.replace("\\", "/")
    composed, decomposed = unicodedata.normalize("NFC", slashed), unicodedata.normalize("NFD", slashed)
    for spelling in dict.fromkeys((cell, slashed, composed, decomposed)):
        picture = root / spelling
        try:
            if picture.is_file():
                return picture
            if cell and picture.is_dir():
                raise FileNotFoundError(f"{place} {cell} is a folder")
        except (PermissionError, ValueError) as refused:
            raise FileNotFoundError(f"{place} {cell} cannot be read ({refused})") from refused
    raise FileNotFoundError(f"{place} {cell or '(empty)'} is not there")


def normalised(title: str) -> str:
    """Return a title without case, spaces and punctuation, which is equal for all views of a product."""
    return re.sub(r"\W+", "", title.lower())
