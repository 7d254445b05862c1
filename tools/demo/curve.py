"""The plot of the report: scores over the number of gold labels."""

from collections.abc import Callable, Sequence

from backend.pages.plot import COLOURS, Line, Plot
from tools.demo.table import Row

BASELINE = "majority, macro-F1"

_SCORES: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
    ("macro-F1", COLOURS[0], lambda row: row.scores.macro_f1),
    ("weighted-F1", COLOURS[1], lambda row: row.scores.weighted_f1),
    ("boxes mAP@0.5", COLOURS[2], lambda row: row.scores.boxes),
)


def curve_of(rows: Sequence[Row], baseline: float) -> Plot | None:
    """Return a plot of the scores over gold, with the cold start at 0, or None without rows.

    ``baseline`` is the macro-F1 of always giving the majority's labels.
    """
    if not rows:
        return None
    most = max(row.gold for row in rows) or 1
    lines = [
        Line(name, colour, [(row.gold / most, value) for row in rows if (value := score(row)) is not None])
        for name, colour, score in _SCORES
    ]
    level = Line(BASELINE, "#777", [(0.0, baseline), (1.0, baseline)], dashed=True)
    return Plot.of([*lines, level], [(str(gold), gold / most) for gold in (0, round(most / 2), most)], "gold labels")
