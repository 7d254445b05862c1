"""Results of an evaluation as tables: means and standard deviations over the draws."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.evaluation.boxes import BoxResult
from model.evaluation.methods import BASELINES, COLD, TAGLOOM
from model.evaluation.run import Result

# Results by method and number of gold families, then by seed.
Places = dict[tuple[str, int], dict[int, Result]]

MEASURES: Mapping[str, Callable[[Result], float]] = {
    "macro precision": lambda result: float(np.mean(list(result.class_precision.values()))),
    "macro recall": lambda result: float(np.mean(list(result.class_recall.values()))),
    "macro-F1": lambda result: result.macro_f1,
    "weighted-F1": lambda result: result.weighted_f1,
    "mAP": lambda result: result.mean_average_precision,
    "log loss": lambda result: result.log_loss,
}


@dataclass(frozen=True)
class Table:
    """Cells of text under headings. The first column names the method, the way to find boxes, or the source."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown, without title and note."""
        lines = [self.headings, ("---",) * len(self.headings), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def by_part(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results on each part of the test items, by the part's name; all tables below are of one part."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        parts.setdefault(result.part, []).append(result)
    return parts


def f1_table(results: Sequence[Result], against: str = TAGLOOM) -> Table:
    """Return macro-F1 with spread and weighted-F1 by method and gold, with the paired difference to ``against``."""
    sizes = sizes_of(results)
    places = by_place(results)
    rows = []
    for name in dict.fromkeys(result.method for result in results):
        cells = []
        for size in sizes:
            mine, reference = places.get((name, size), {}), places.get((against, size), {})
            macro = _mean_and_spread([result.macro_f1 for result in mine.values()])
            # A method need not be measured at each size.
            weighted = f" / {np.mean([result.weighted_f1 for result in mine.values()]):.3f}" if mine else ""
            cells.append(macro + weighted + _difference(mine, reference, MEASURES["macro-F1"]))
        rows.append((name, *cells))
    note = f"macro-F1 ± spread over the draws / weighted-F1 (paired difference of macro-F1 to {against})"
    return Table("Tags", note, ("method", *(gold_name(size) for size in sizes)), tuple(rows))


def measure_table(results: Sequence[Result], against: str = TAGLOOM) -> Table:
    """Return macro precision, recall and F1, weighted-F1, mAP and log loss of the tags by gold and method."""
    places = by_place(results)
    rows = []
    for (name, size), drawn in sorted(places.items(), key=lambda place: place[0][1]):
        reference = places.get((against, size), {})
        cells = [
            _mean_and_spread([value(result) for result in drawn.values()]) + _difference(drawn, reference, value)
            for value in MEASURES.values()
        ]
        rows.append((name, gold_name(size), *cells))
    note = f"mean ± spread over the draws (paired difference to {against}); mAP is the mean average precision"
    return Table("Precision and recall of the tags", note, ("method", "gold", *MEASURES), tuple(rows))


def class_table(results: Sequence[Result], methods: Collection[str]) -> Table:
    """Return precision, recall and F1 of each label for these methods by gold."""
    labels = list(results[0].class_f1) if results else []
    rows = []
    for (name, size), drawn in sorted(by_place(results).items(), key=lambda place: place[0][1]):
        if name not in methods:
            continue
        cells = []
        for label in labels:
            parts = np.array(
                [[r.class_precision[label], r.class_recall[label], r.class_f1[label]] for r in drawn.values()]
            )
            pairs = zip(parts.mean(0), parts.std(0), strict=True)
            cells.append(" / ".join(f"{mean:.2f} ± {spread:.2f}" for mean, spread in pairs))
        rows.append((name, gold_name(size), *cells))
    note = "precision / recall / F1, each mean ± spread over the draws"
    return Table("Each label", note, ("method", "gold", *labels), tuple(rows))


def leading(results: Sequence[Result]) -> list[str]:
    """Return the names of Tagloom, the cold start and the baseline of the best mean macro-F1, if they were measured."""
    names = dict.fromkeys(result.method for result in results)
    plain = {name: np.mean([r.macro_f1 for r in results if r.method == name]) for name in names if name in BASELINES}
    best = [max(plain, key=lambda name: plain[name])] if plain else []
    return [name for name in (TAGLOOM, COLD, *best) if name in names]


def box_table(results: Sequence[Result]) -> Table:
    """Return average precision of each way to find boxes by gold and label, and mAP with its interval.

    All values are means over the draws.
    """
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
    """Return seconds per picture to correct the shown boxes or to draw all from nothing, and the numbers of actions."""
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


# Fields of ``Effort`` that count actions.
ACTIONS = ("kept", "relabelled", "edges", "deleted", "drawn")


def source_table(results: Sequence[Result], method: str = TAGLOOM) -> Table:
    """Return how often each source has an opinion on each label, and how often it is right, at the largest gold."""
    sizes = sizes_of(results)
    drawn = by_place(results).get((method, sizes[-1]), {}).values() if sizes else ()
    counted: dict[tuple[str, str], list[list[int]]] = {}
    for result in drawn:
        for source, by_label in result.sources.items():
            for label, counts in by_label.items():
                counted.setdefault((source, label), []).append(counts)
    rows = []
    for (source, label), each in counted.items():
        spoke, right = np.sum(each, axis=0)
        rows.append((source, label, str(spoke), f"{right / spoke:.0%}"))
    note = f"on the test items of all draws at {gold_name(sizes[-1])}" if sizes else ""
    return Table("Which source said what", note, ("source", "label", "spoke on items", "right"), tuple(rows))


def sizes_of(results: Sequence[Result]) -> list[int]:
    return sorted({result.gold_families for result in results})


def gold_name(size: int) -> str:
    return f"{size} gold products"


def by_place(results: Sequence[Result]) -> Places:
    """Return results by method and number of gold families, then by seed."""
    places: Places = {}
    for result in results:
        places.setdefault((result.method, result.gold_families), {})[result.seed] = result
    return places


def box_places(results: Sequence[Result]) -> dict[tuple[str, int], list[BoxResult]]:
    """Return the box results of all draws by way to find boxes and number of gold families, sorted by that number."""
    places: dict[tuple[str, int], list[BoxResult]] = {}
    for result in results:
        for name, boxes in result.boxes.items():
            places.setdefault((name, result.gold_families), []).append(boxes)
    return dict(sorted(places.items(), key=lambda place: place[0][1]))


def _mean_and_spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}" if values else ""


def _difference(mine: Mapping[int, Result], reference: Mapping[int, Result], value: Callable[[Result], float]) -> str:
    """Return in brackets the mean difference over the draws that both have; nothing where no draw differs."""
    paired = [value(mine[seed]) - value(reference[seed]) for seed in mine.keys() & reference.keys()]
    return f" ({np.mean(paired):+.3f})" if any(paired) else ""
