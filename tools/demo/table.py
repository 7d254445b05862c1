"""The table that the demo prints while it runs, in plain lines for terminals and logs."""

from collections.abc import Callable
from dataclasses import dataclass

from tools.demo.scoring import Scores


@dataclass(frozen=True)
class Row:
    """One line: the scores of the served predictions after ``gold`` gold labels.

    ``at`` is the time of the measurement in seconds since the start. ``seconds`` is the time from the batch's last
    webhook until /setup named a version that was trained on the batch; None without one, and ``note`` then says why.
    """

    gold: int
    version: str
    scores: Scores
    at: float = 0.0
    seconds: float | None = None
    note: str = ""


HEADINGS = ("time", "gold", "version", "macro-F1", "weighted-F1", "mAP@0.5", "swap")
_WIDTHS = (6, 6, 10, 9, 12, 8, 8)


def cells(row: Row) -> tuple[str, ...]:
    """Return the texts of a row's columns, in the order of HEADINGS."""
    boxes = "-" if row.scores.boxes is None else f"{row.scores.boxes:.3f}"
    swap = "-" if row.seconds is None else f"{row.seconds:.1f} s"
    return (
        f"{row.at:.0f} s",
        str(row.gold),
        row.version,
        f"{row.scores.macro_f1:.3f}",
        f"{row.scores.weighted_f1:.3f}",
        boxes,
        swap,
    )


class Table:
    """Writes the headings before the first row, then a line for each row."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.rows: list[Row] = []
        self._write = write

    def add(self, row: Row) -> None:
        if not self.rows:
            self._write(_line(HEADINGS))
            self._write("  ".join("-" * width for width in _WIDTHS))
        self.rows.append(row)
        self._write(f"{_line(cells(row))}  {row.note}".rstrip())


def _line(texts: tuple[str, ...]) -> str:
    return "  ".join(text.rjust(width) for text, width in zip(texts, _WIDTHS, strict=True))
