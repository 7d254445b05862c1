"""A plot of lines and points in pixels of an SVG, which ``plot.html.jinja`` draws."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

NAME_HEIGHT = 15
COLOURS = ("#1d4ed8", "#0b7a75", "#c2410c", "#7c3aed", "#4d7c0f", "#db2777", "#0891b2", "#57534e")


@dataclass(frozen=True)
class Line:
    """One line. Its name is written at its right end, at the height ``name_y``."""

    name: str
    colour: str
    points: list[tuple[float, float]]
    name_y: float = 0.0
    dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """A text at a position on an axis."""

    text: str
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Point:
    """A point that is drawn by its ``kind`` (served, refused or chosen); its name is shown where a pointer rests."""

    name: str
    kind: str
    x: float
    y: float


@dataclass(frozen=True)
class Plot:
    """Everything that is drawn. The plot's area is between left and right, top and bottom."""

    lines: list[Line]
    levels: list[Mark]
    marks: list[Mark]
    across: str
    points: Sequence[Point] = ()
    width: int = 760
    height: int = 340
    left: int = 52
    right: int = 610
    top: int = 16
    bottom: int = 296

    @classmethod
    def of(
        cls,
        lines: Sequence[Line],
        marks: Sequence[tuple[str, float]],
        across: str,
        points: Sequence[Point] = (),
    ) -> "Plot":
        """Return a plot of lines, points, and marks on the axis ``across``, all in shares (0 to 1) of the axes."""
        placed = [replace(line, points=[(_x(x), _y(y)) for x, y in line.points]) for line in lines if line.points]
        # Names are written at the ends of their lines, but at least a text's height below the one above.
        named: list[Line] = []
        for line in sorted(placed, key=lambda line: line.points[-1][1]):
            above = named[-1].name_y if named else -NAME_HEIGHT
            named.append(replace(line, name_y=max(line.points[-1][1] + 4, above + NAME_HEIGHT)))
        return cls(
            lines=named,
            levels=[Mark(f"{tenth / 10:.1f}", y=_y(tenth / 10)) for tenth in range(0, 11, 2)],
            marks=[Mark(text, x=_x(x)) for text, x in marks],
            across=across,
            points=[replace(point, x=_x(point.x), y=_y(point.y)) for point in points],
        )


def _x(share: float) -> float:
    return round(Plot.left + (Plot.right - Plot.left) * share, 1)


def _y(share: float) -> float:
    return round(Plot.bottom - (Plot.bottom - Plot.top) * share, 1)
