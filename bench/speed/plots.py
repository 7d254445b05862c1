"""Draw the plots of docs/benchmarks.md from what the questions print.

    python -m bench.speed.plots LOG… --into docs/images

A log is what a question, or `make bench`, has printed: its lines of JSON count. Where several answer one question, the
last one counts. A plot for which no log has an answer stays as it was. The same logs give the same files.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.speed.turns import median
from tools.project import COLOURS

Line: TypeAlias = Mapping[str, Any]
"""What one question has printed."""
OURS, OTHERS = COLOURS[0], "#9a9a9a"
GROWTH, READING, BATCH = "growth, ", "Reading text in pictures", " a batch, "
STYLE: dict[Any, Any] = {
    # Text stays text, and names within the file depend on nothing but its content.
    "svg.fonttype": "none",
    "svg.hashsalt": "tagloom",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    # White, so that it can be read on a dark page too.
    "savefig.facecolor": "white",
}


def lines_of(logs: Iterable[str]) -> dict[str, Line]:
    """Return the lines of JSON of these logs by their question."""
    found: dict[str, Line] = {}
    for log in logs:
        for text in log.splitlines():
            if text.startswith('{"question": '):
                line = json.loads(text)
                found[line["question"]] = line
    return found


def drawn(lines: Mapping[str, Line]) -> dict[str, Figure]:
    """Return the plots that these lines allow, by the names of their files."""
    pick = {
        "encoding": [line for name, line in lines.items() if BATCH in name],
        "reading": [line for name, line in lines.items() if name.startswith(READING)][-1:],
        "requests": [line for name, line in lines.items() if name == "requests"],
        "propagation": [line for name, line in lines.items() if name.startswith(GROWTH)][-1:],
        "day": [line for name, line in lines.items() if name == "day"],
    }
    with mpl.rc_context(STYLE):
        return {f"bench-{name}.svg": PLOTS[name](found) for name, found in pick.items() if found}


def write(figure: Figure, file: Path) -> None:
    """Write a plot, without the time and the program."""
    with mpl.rc_context(STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})


def machine_of(line: Line) -> str:
    machine = line["machine"]
    return f"{machine['date']}, {machine['cores']} cores ({machine['processor']}), load {machine['load']}"


def figure_of(rows: int, height: float, source: Line) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many axes below each other, and the machine below them."""
    figure = Figure(figsize=(7.2, height), layout="constrained")
    axes = [figure.add_subplot(rows, 1, row + 1) for row in range(rows)]
    figure.supxlabel(machine_of(source), fontsize=7, color="#555555", x=0.99, ha="right")
    return figure, axes


def bars(axes: Axes, line: Line, title: str) -> None:
    """Draw a bar for each contestant's rate, with its slowest and fastest turn, ours in colour."""
    rates, seconds = line["rates"], line["seconds"]
    names = list(rates)
    # The work of a turn is the rate times the median of its seconds.
    work = {name: rates[name] * median(seconds[name]) for name in names}
    error = [
        [max(0.0, rates[name] - work[name] / max(seconds[name])) for name in names],
        [max(0.0, work[name] / min(seconds[name]) - rates[name]) for name in names],
    ]
    colours = [OURS if name.startswith("Tagloom") else OTHERS for name in names]
    found = axes.barh(names, [rates[name] for name in names], xerr=error, color=colours, ecolor="#333333")
    axes.bar_label(found, labels=[f"{rates[name]:.3g}" for name in names], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(title)
    axes.set_xlabel(f"{line['unit']} a second")


def encoding(lines: Sequence[Line]) -> Figure:
    heights = [0.9 + 0.24 * len(line["rates"]) for line in lines]
    figure, axes = figure_of(len(lines), sum(heights), lines[-1])
    for line, each in zip(lines, axes, strict=True):
        bars(each, line, line["question"].partition(",")[0])
    return figure


def reading(lines: Sequence[Line]) -> Figure:
    (line,) = lines
    figure, (axes,) = figure_of(1, 2.2, line)
    bars(axes, line, line["question"])
    return figure


def requests(lines: Sequence[Line]) -> Figure:
    """Requests a second of two servers, part by part."""
    (line,) = lines
    parts = list(next(iter(line["parts"].values())))
    figure, (axes,) = figure_of(1, 0.5 * len(parts) + 1, line)
    thick = 0.8 / len(line["parts"])
    for number, (server, figures) in enumerate(line["parts"].items()):
        rates = [figures[part]["req/s"] for part in parts]
        places = [row + number * thick for row in range(len(parts))]
        colour = OURS if server.startswith("tagloom") else OTHERS
        found = axes.barh(places, rates, thick, label=server, color=colour)
        axes.bar_label(found, labels=[f"{rate:,.0f}" for rate in rates], padding=3)
    axes.set_yticks([row + thick * (len(line["parts"]) - 1) / 2 for row in range(len(parts))], parts)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(left=10)
    axes.set_xlabel("requests a second (logarithmic)")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def propagation(lines: Sequence[Line]) -> Figure:
    """Seconds by the number of items, beside a straight line through the smallest."""
    (line,) = lines
    sizes = [int(name.split()[0].replace(",", "")) for name in line["seconds"]]
    turns = list(line["seconds"].values())
    medians = [median(each) for each in turns]
    figure, (axes,) = figure_of(1, 3.2, line)
    axes.plot(sizes, [medians[0] * size / sizes[0] for size in sizes], "--", color=OTHERS, label="in proportion")
    below = [middle - min(each) for middle, each in zip(medians, turns, strict=True)]
    above = [max(each) - middle for middle, each in zip(medians, turns, strict=True)]
    axes.errorbar(sizes, medians, yerr=[below, above], fmt="o-", color=OURS, capsize=3, label="Tagloom")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_yticks(medians, [f"{each:.2g}" for each in medians])
    axes.minorticks_off()
    axes.set_xlabel("items (logarithmic)")
    axes.set_ylabel("seconds (logarithmic)")
    axes.set_title(f"the nearest of {line['question'].removeprefix(GROWTH)}")
    axes.legend(frameon=False)
    return figure


def day(lines: Sequence[Line]) -> Figure:
    """Milliseconds of one thread for each step of an item's day."""
    (line,) = lines
    measured = line["measured"]
    steps = {**measured["read"], **measured["answer"]}
    figure, (axes,) = figure_of(1, 0.9 + 0.24 * len(steps), line)
    found = axes.barh(list(steps), list(steps.values()), color=OURS)
    axes.bar_label(found, labels=[f"{ms:.3g}" for ms in steps.values()], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("milliseconds of one thread for an item")
    return figure


PLOTS: dict[str, Callable[[Sequence[Line]], Figure]] = {
    "encoding": encoding,
    "reading": reading,
    "requests": requests,
    "propagation": propagation,
    "day": day,
}


@click.command(help=__doc__)
@click.argument("logs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the plots.")
def main(logs: Sequence[Path], into: Path) -> None:
    figures = drawn(lines_of(log.read_text("utf-8") for log in logs))
    into.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        write(figure, into / name)
        click.echo(f"{into / name}: {(into / name).stat().st_size / 1000:.0f} kB")
    if missing := [name for name in PLOTS if f"bench-{name}.svg" not in figures]:
        click.echo(f"not drawn, since no log has an answer: {', '.join(missing)}")


if __name__ == "__main__":
    main()
