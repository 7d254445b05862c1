"""Boxes as COCO: one JSON object with images, annotations and categories, which pycocotools reads.

Each image also has what COCO has no field for: the tags, where they come from, and the weak labels, under ``tagloom``.
"""

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

from tagloom.exporting.records import Record
from tagloom.exporting.written import Counts, Labels, provenance_of


class CocoWriter:
    """Writes the images at once; the annotations go into a second file until all images are known."""

    def __init__(self, file: Path, labels: Labels, files: ExitStack) -> None:
        self._labels = labels
        self._numbers = {label: number for number, label in enumerate(labels, 1)}
        self._boxes = file.with_name(f"{file.name}.boxes")
        self._file = files.enter_context(file.open("w", encoding="utf-8"))
        self._second = files.enter_context(self._boxes.open("w", encoding="utf-8"))
        self._file.write('{"images": [')
        self.counts = Counts()

    def write(self, record: Record) -> None:
        width, height = record.size
        image = {
            "id": record.task.id,
            "file_name": record.image,
            "width": width,
            "height": height,
            "tagloom": provenance_of(record, self._labels),
        }
        self._file.write(",\n" if self.counts.tasks else "\n")
        self._file.write(json.dumps(image, ensure_ascii=False))
        boxes = [placed for placed in record.boxes() if placed.label in self._numbers]
        if boxes and not (width and height):
            self.counts.without_size += 1
            boxes = []
        for number, placed in enumerate(boxes, self.counts.boxes + 1):
            box = placed.box
            sides = [box.left * width, box.top * height, box.width * width, box.height * height]
            entry = {
                "id": number,
                "image_id": record.task.id,
                "category_id": self._numbers[placed.label],
                "bbox": [round(side, 2) for side in sides],
                "area": round(sides[2] * sides[3], 2),
                "iscrowd": 0,
                "score": placed.confidence,
                "origin": placed.origin,
            }
            self._second.write(",\n" if number > 1 else "\n")
            self._second.write(json.dumps(entry, ensure_ascii=False))
        self.counts.add(record, len(boxes))

    def finish(self) -> None:
        self._second.close()
        self._file.write('\n],\n"annotations": [')
        with self._boxes.open(encoding="utf-8") as boxes:
            shutil.copyfileobj(boxes, self._file)
        categories = [{"id": number, "name": label} for label, number in self._numbers.items()]
        self._file.write(f'\n],\n"categories": {json.dumps(categories, ensure_ascii=False)}}}\n')
