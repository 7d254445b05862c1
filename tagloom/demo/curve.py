"""The curve of the report: scores against gold labels, in the pixels of an SVG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tagloom.demo.table import Row

BASELINE = "majority, macro-F1"
NAME_HEIGHT = 15


@dataclass(frozen=True)
class Line:
    """One score over all rows that have it; its name is written at ``name_y``."""

    name: str
    colour: str
    points: list[tuple[float, float]]
    name_y: float = 0.0


@dataclass(frozen=True)
class Mark:
    """A text at a place on an axis."""

    text: str
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Curve:
    """Everything that the template draws; the plot lies between left and right, top and bottom."""

    lines: list[Line]
    levels: list[Mark]
    marks: list[Mark]
    width: int = 760
    height: int = 340
    left: int = 52
    right: int = 610
    top: int = 16
    bottom: int = 296


_SCORES: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
    ("macro-F1", "#1d4ed8", lambda row: row.scores.macro_f1),
    ("weighted-F1", "#0b7a75", lambda row: row.scores.weighted_f1),
    ("boxes mAP@0.5", "#c2410c", lambda row: row.scores.boxes),
)


def curve_of(rows: Sequence[Row], baseline: float) -> Curve | None:
    """Scores over gold, the cold start at 0; ``baseline``: macro-F1 of the majority's labels. None without rows."""
    if not rows:
        return None
    most = max(row.gold for row in rows) or 1
    lines = [
        Line(name, colour, [(_x(row.gold, most), _y(value)) for row in rows if (value := score(row)) is not None])
        for name, colour, score in _SCORES
    ]
    level = [(float(x), _y(baseline)) for x in (Curve.left, Curve.right)]
    return Curve(
        lines=_named([line for line in (*lines, Line(BASELINE, "#777", level)) if line.points]),
        levels=[Mark(f"{tenth / 10:.1f}", y=_y(tenth / 10)) for tenth in range(0, 11, 2)],
        marks=[Mark(str(gold), x=_x(gold, most)) for gold in (0, round(most / 2), most)],
    )


def _named(lines: list[Line]) -> list[Line]:
    """The lines with places for their names: at their ends, but never closer than a text's height."""
    named: list[Line] = []
    for line in sorted(lines, key=lambda line: line.points[-1][1]):
        above = named[-1].name_y if named else -NAME_HEIGHT
        named.append(replace(line, name_y=max(line.points[-1][1] + 4, above + NAME_HEIGHT)))
    return named


def _x(gold: int, most: int) -> float:
    return round(Curve.left + (Curve.right - Curve.left) * gold / most, 1)


def _y(value: float) -> float:
    return round(Curve.bottom - (Curve.bottom - Curve.top) * value, 1)
