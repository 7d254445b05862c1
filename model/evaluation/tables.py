"""What came out of an evaluation, as tables: means over the draws with their spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.evaluation.boxes import BoxResult
from model.evaluation.methods import TAGLOOM
from model.evaluation.run import Result

Places = dict[tuple[str, int], dict[int, Result]]


@dataclass(frozen=True)
class Table:
    """Cells of text under headings; the first column names the row."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table without its title."""
        lines = [self.headings, ("---",) * len(self.headings), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def f1_table(results: Sequence[Result], against: str = TAGLOOM) -> Table:
    """Macro-F1 with spread and weighted-F1 by method and gold, with the paired difference to ``against``."""
    sizes = sizes_of(results)
    places = by_place(results)
    rows = [
        (name, *(_f1_cell(places.get((name, size), {}), places.get((against, size), {})) for size in sizes))
        for name in dict.fromkeys(result.method for result in results)
    ]
    note = f"macro-F1 ± spread over the draws / weighted-F1 (paired difference of macro-F1 to {against})"
    return Table("Tags", note, ("method", *(gold_name(size) for size in sizes)), tuple(rows))


def class_table(results: Sequence[Result], method: str = TAGLOOM) -> Table:
    """Precision / recall / F1 of each label by gold, and the mean average precision."""
    sizes, places = sizes_of(results), by_place(results)
    labels = list(results[0].class_f1) if results else []

    def cell(label: str, size: int) -> str:
        drawn = places.get((method, size), {}).values()
        parts = [[r.class_precision[label], r.class_recall[label], r.class_f1[label]] for r in drawn]
        return " / ".join(f"{value:.2f}" for value in np.mean(parts, axis=0)) if parts else ""

    rows = [(label, *(cell(label, size) for size in sizes)) for label in labels]
    mean = [[r.mean_average_precision for r in places.get((method, size), {}).values()] for size in sizes]
    rows.append(("mAP of the tags", *(_mean_and_spread(values) for values in mean)))
    headings = ("label", *(gold_name(size) for size in sizes))
    return Table(f"Each label, {method}", "precision / recall / F1", headings, tuple(rows))


def box_table(results: Sequence[Result]) -> Table:
    """Average precision of boxes by way, gold and label, and mAP with its interval (mean of the draws' intervals)."""
    labels = list(results[0].class_f1) if results else []
    rows = []
    for (name, size), drawn in box_places(results).items():
        ranges = [(box.low, box.high) for box in drawn]
        low, high = np.mean(ranges, axis=0)
        each = [[box.average_precision[label] for box in drawn if label in box.average_precision] for label in labels]
        cells = [f"{np.mean(values):.2f}" if values else "" for values in each]
        rows.append(
            (name, gold_name(size), f"{_mean_and_spread([b.mean for b in drawn])} [{low:.2f}, {high:.2f}]", *cells)
        )
    note = "average precision at overlap 0.5 of all scored boxes; in brackets the 95 % bootstrap interval over products"
    return Table("Boxes", note, ("way", "gold", "mAP@0.5", *labels), tuple(rows))


def effort_table(results: Sequence[Result]) -> Table:
    """Seconds a picture to correct what is shown, against drawing all from nothing, and the actions that it takes."""
    rows = []
    for (name, size), drawn in box_places(results).items():
        spent = [box.effort for box in drawn]
        pictures = sum(one.pictures for one in spent)
        seconds, nothing = sum(one.seconds for one in spent), sum(one.from_nothing for one in spent)
        actions = [sum(getattr(one, action) for one in spent) / pictures for action in ACTIONS]
        saved = f"{1 - seconds / nothing:.0%}" if nothing else ""
        each = (f"{value:.2f}" for value in actions)
        rows.append((name, gold_name(size), f"{seconds / pictures:.0f} s", f"{nothing / pictures:.0f} s", saved, *each))
    prices = results[0].prices if results else {}
    note = "seconds: " + ", ".join(f"{action} {value:g}" for action, value in prices.items())
    headings = ("way", "gold", "a picture", "from nothing", "saved", *(f"{action} a picture" for action in ACTIONS))
    return Table("Effort of correcting the boxes", note, headings, tuple(rows))


ACTIONS = ("kept", "relabelled", "edges", "deleted", "drawn")


def source_table(results: Sequence[Result], method: str = TAGLOOM) -> Table:
    """Which source said what, at the largest gold: on how many test items it spoke, and how often it was right."""
    sizes = sizes_of(results)
    drawn = by_place(results).get((method, sizes[-1]), {}).values() if sizes else ()
    told: dict[tuple[str, str], list[list[int]]] = {}
    for result in drawn:
        for source, by_label in result.sources.items():
            for label, counts in by_label.items():
                told.setdefault((source, label), []).append(counts)
    rows = []
    for (source, label), each in told.items():
        spoke, right = np.sum(each, axis=0)
        rows.append((source, label, str(spoke), f"{right / spoke:.0%}"))
    note = f"on the test items of all draws at {gold_name(sizes[-1])}" if sizes else ""
    return Table("Which source said what", note, ("source", "label", "spoke on items", "right"), tuple(rows))


def sizes_of(results: Sequence[Result]) -> list[int]:
    return sorted({result.gold_families for result in results})


def gold_name(size: int) -> str:
    return f"{size} gold products"


def by_place(results: Sequence[Result]) -> Places:
    """Results by method and number of gold families, then by seed."""
    places: Places = {}
    for result in results:
        places.setdefault((result.method, result.gold_families), {})[result.seed] = result
    return places


def box_places(results: Sequence[Result]) -> dict[tuple[str, int], list[BoxResult]]:
    """Box results of all draws by way and number of gold families; a way that needs no gold stands once."""
    places: dict[tuple[str, int], list[BoxResult]] = {}
    for result in results:
        for name, boxes in result.boxes.items():
            places.setdefault((name, result.gold_families), []).append(boxes)
    return dict(sorted(places.items(), key=lambda place: place[0][1]))


def _mean_and_spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}" if values else ""


def _f1_cell(mine: Mapping[int, Result], reference: Mapping[int, Result]) -> str:
    if not mine:
        return ""
    macro = [result.macro_f1 for result in mine.values()]
    weighted = np.mean([result.weighted_f1 for result in mine.values()])
    cell = f"{_mean_and_spread(macro)} / {weighted:.3f}"
    paired = [mine[seed].macro_f1 - reference[seed].macro_f1 for seed in mine.keys() & reference.keys()]
    return cell if not any(paired) else f"{cell} ({np.mean(paired):+.3f})"
