"""Write the report of an evaluation: one HTML file with curves and tables, which loads nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from backend.pages.plot import COLOURS, Line, Plot
from model.evaluation.boxes import BoxResult
from model.evaluation.methods import BASELINES, COLD, TAGLOOM
from model.evaluation.run import BINS, Result
from model.evaluation.tables import (
    Table,
    box_places,
    box_table,
    by_part,
    by_place,
    class_table,
    effort_table,
    f1_table,
    gold_name,
    measure_table,
    sizes_of,
    source_table,
)
from tagloom.pages import rendered

BEST_BASELINES = 4


def write_report(path: Path, results: Sequence[Result], facts: Mapping[str, str]) -> None:
    """Write the report of results. ``facts`` are shown unchanged and in their order."""
    page = rendered(
        "tagloom.evaluation",
        "report.html.jinja",
        facts={**facts, "draws": str(len({result.seed for result in results}))},
        plots=plots(results),
        tables=tables(results),
    )
    path.write_text(page, "utf-8")


def tables(results: Sequence[Result]) -> list[Table]:
    """Return all tables that have rows, those of each part of the test items in turn."""
    found: list[Table] = []
    for part, own in by_part(results).items():
        labels = class_table(own, {result.method for result in own})
        tables = (f1_table(own), measure_table(own), labels, box_table(own), effort_table(own), source_table(own))
        found += [replace(table, title=f"{table.title}, on {part}") for table in tables if table.rows]
    return found


def plots(results: Sequence[Result]) -> dict[str, Plot]:
    """Return the plots of the first part of the test items by title, without those that have no lines."""
    results = next(iter(by_part(results).values()), [])
    score = {
        name: float(np.mean([result.macro_f1 for result in results if result.method == name]))
        for name in {result.method for result in results} & set(BASELINES)
    }
    # Only the baselines with the best mean are drawn, because more lines could not be told apart.
    best = sorted(score, key=lambda name: -score[name])[:BEST_BASELINES]
    macro = [
        _line(results, method, place, method, lambda result: result.macro_f1)
        for place, method in enumerate((TAGLOOM, COLD, *best))
    ]
    labels = list(results[0].class_f1) if results else []
    of_labels = [_line(results, TAGLOOM, place, label, partial(_f1_of, label)) for place, label in enumerate(labels)]
    found = {
        "Macro-F1 of the tags, by gold": _over_gold(results, macro),
        f"F1 of each label, by gold ({TAGLOOM})": _over_gold(results, of_labels),
        f"Reliability of probabilities ({TAGLOOM})": _reliability(results),
        "Boxes, mAP@0.5, by gold": _over_gold(results, _box_lines(results)),
        "Effort saved, by gold": _over_gold(results, _effort_lines(results)),
    }
    return {title: plot for title, plot in found.items() if plot.lines}


def _f1_of(label: str, result: Result) -> float:
    return result.class_f1[label]


def _over_gold(results: Sequence[Result], lines: Sequence[Line]) -> Plot:
    """Return a plot of lines over the number of gold products. Numbers close together get no mark on the axis."""
    # The smallest and the largest number always get a mark; others only if they are not close to zero.
    sizes = sizes_of(results)
    far_apart = [size for place, size in enumerate(sizes) if place in (0, len(sizes) - 1) or size > 0.1 * sizes[-1]]
    return Plot.of(lines, [(str(size), _share(size, sizes)) for size in far_apart], "gold products")


def _share(size: int, sizes: Sequence[int]) -> float:
    return size / (sizes[-1] or 1)


def _line(results: Sequence[Result], method: str, place: int, name: str, value: Callable[[Result], float]) -> Line:
    """Return the method's mean over the draws, at each number of gold families that it has results for."""
    sizes, places = sizes_of(results), by_place(results)
    means = [(size, [value(r) for r in places.get((method, size), {}).values()]) for size in sizes]
    points = [(_share(size, sizes), float(np.mean(values))) for size, values in means if values]
    return Line(name, COLOURS[place % len(COLOURS)], points)


def _box_lines(results: Sequence[Result]) -> list[Line]:
    """Return a line for each method with boxes: its mean average precision."""
    return [_box_line(results, name, place, name, lambda box: box.mean) for place, name in enumerate(_ways(results))]


def _effort_lines(results: Sequence[Result]) -> list[Line]:
    """Return a line for each method with boxes and each time of a drawn box: the share of the effort that it saves."""
    draws = dict.fromkeys(draw for boxes in box_places(results).values() for box in boxes for draw in box.efforts)

    def saved(draw: str, box: BoxResult) -> float:
        return max(0.0, box.efforts[draw].saved)

    pairs = product(_ways(results), draws)
    return [
        _box_line(results, name, place, f"{name}, {draw} s a drawn box", partial(saved, draw))
        for place, (name, draw) in enumerate(pairs)
    ]


def _ways(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(name for name, _ in box_places(results)))


def _box_line(results: Sequence[Result], name: str, place: int, told: str, value: Callable[[BoxResult], float]) -> Line:
    """Return the mean over the draws of a way to find boxes, at each number of gold families with results."""
    sizes, places = sizes_of(results), box_places(results)
    means = [(size, [value(box) for box in places.get((name, size), [])]) for size in sizes]
    points = [(_share(size, sizes), float(np.mean(values))) for size, values in means if values]
    return Line(told, COLOURS[place % len(COLOURS)], points)


def _reliability(results: Sequence[Result]) -> Plot:
    """Plot the share of right answers over the mean probability, for the least and the most gold, over all draws."""
    sizes, places = sizes_of(results), by_place(results)
    lines = [Line("as promised", "#777", [(0.0, 0.0), (1.0, 1.0)], dashed=True)]
    for place, size in enumerate(dict.fromkeys([*sizes[:1], *sizes[-1:]])):
        drawn = places.get((TAGLOOM, size), {}).values()
        # Points (probability, share right, answers) of the same tenth are merged, weighted by their answers.
        tenths: dict[int, list[Sequence[float]]] = {}
        for point in (point for result in drawn for point in result.reliability):
            tenths.setdefault(min(int(point[0] * BINS), BINS - 1), []).append(point)
        points = []
        for _, members in sorted(tenths.items()):
            probability, right, count = np.array(members).T
            points.append((float(np.average(probability, weights=count)), float(np.average(right, weights=count))))
        lines.append(Line(gold_name(size), COLOURS[place], points))
    marks = [(f"{tenth / 10:.1f}", tenth / 10) for tenth in range(0, 11, 2)]
    return Plot.of(lines if any(line.points for line in lines[1:]) else [], marks, "probability")
