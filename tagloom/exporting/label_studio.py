"""Tasks as Label Studio imports them: data, annotations, the served version's prediction, weak labels as meta."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tagloom.exporting.records import Record
from tagloom.exporting.written import Counts, Labels, weak_of

# Of an annotation, what means the same in any Label Studio: people and ids are those of one server.
_KEPT = ("result", "was_cancelled", "ground_truth", "lead_time")


class LabelStudioWriter:
    """Writes one JSON list."""

    def __init__(self, file: Path, _labels: Labels, files: ExitStack) -> None:
        self._file = files.enter_context(file.open("w", encoding="utf-8"))
        self.counts = Counts()

    def write(self, record: Record) -> None:
        answer = record.answer
        entry: dict[str, Any] = {
            "data": dict(record.task.data),
            "meta": {"tagloom": {"task": record.task.id, "origin": record.origin, "weak": weak_of(record)}},
            "annotations": [
                {name: annotation[name] for name in _KEPT if annotation.get(name) is not None}
                for annotation in record.annotations
            ],
            "predictions": [{name: answer[name] for name in ("model_version", "score", "result")}] if answer else [],
        }
        self._file.write(",\n" if self.counts.tasks else "[\n")
        self._file.write(json.dumps(entry, ensure_ascii=False))
        self.counts.add(record, len(record.boxes()))

    def finish(self) -> None:
        self._file.write("\n]\n" if self.counts.tasks else "[]\n")
