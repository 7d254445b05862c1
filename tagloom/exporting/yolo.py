"""Boxes as YOLO: a folder with a file of labels for each picture, the classes, and where each picture is.

YOLO finds the labels of ``images/7.jpg`` in ``labels/7.txt``: each picture goes under ``images/`` by its task's id.
Only boxes have a place in these files; ``tasks.jsonl`` holds the rest, a line for each task.
"""

import json
from contextlib import ExitStack
from pathlib import Path

from tagloom.exporting.records import Record
from tagloom.exporting.written import Counts, Labels, provenance_of


class YoloWriter:
    """Writes into a folder that exists."""

    def __init__(self, folder: Path, labels: Labels, files: ExitStack) -> None:
        self._labels, self._folder = labels, folder / "labels"
        self._numbers = {label: number for number, label in enumerate(labels)}
        self._folder.mkdir()
        (folder / "images").mkdir()
        (folder / "classes.txt").write_text("".join(f"{label}\n" for label in labels), "utf-8")
        # JSON is YAML, with all that a label may hold written safely.
        names = "".join(
            f"  {number}: {json.dumps(label, ensure_ascii=False)}\n" for label, number in self._numbers.items()
        )
        (folder / "data.yaml").write_text(f"path: .\ntrain: images\nval: images\nnames:\n{names}", "utf-8")
        self._tasks = files.enter_context((folder / "tasks.jsonl").open("w", encoding="utf-8"))
        self.counts = Counts()

    def write(self, record: Record) -> None:
        lines = []
        for placed in record.boxes():
            if placed.label in self._numbers:
                box = placed.box
                middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
                sides = " ".join(f"{side:.6f}" for side in (*middle, box.width, box.height))
                lines.append(f"{self._numbers[placed.label]} {sides}\n")
        (self._folder / f"{record.task.id}.txt").write_text("".join(lines), "utf-8")
        boxes = [{"label": one.label, "confidence": one.confidence, "origin": one.origin} for one in record.boxes()]
        entry = {**provenance_of(record, self._labels), "image": record.image, "boxes": boxes}
        self._tasks.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.counts.add(record, len(lines))

    def finish(self) -> None:
        """Nothing is left to write."""
