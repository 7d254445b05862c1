"""The curve of a project: macro-F1 and mAP by gold, with the versions that served or not, or that a person chose."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from backend.pages.figures import is_measured
from backend.pages.plot import Line, Plot, Point
from store.versions import Switch, Version

FEWEST = 2  # versions that make a curve
COLOUR = "currentColor"
WIDTH = 640


def curve_of(versions: Sequence[Version], switches: Sequence[Switch], text: Callable[..., str]) -> Plot | None:
    """Return the plot of all measured versions; None where there are too few.

    ``text`` returns the reader's text of a name. The line goes through the versions that served. Each version was
    measured on the gold of its time, so that a step of the line is not the difference that the gate saw.
    """
    measured = sorted((one for one in versions if is_measured(one.metrics)), key=lambda version: version.number)
    if len(measured) < FEWEST:
        return None
    most = max(version.gold_count for version in measured)
    chosen = {switch.number for switch in switches if switch.chosen_by}
    points, line, boxes = [], [], []
    for version in measured:
        x, y = version.gold_count / max(most, 1), float(version.metrics["macro_f1"])
        kind = "chosen" if version.number in chosen else "served" if version.promoted_at else "refused"
        points.append(Point(f"{version.version}: {y:.3f}, {text(f'point_{kind}')}", kind, x, y))
        if version.promoted_at:
            line.append((x, y))
            if (mean_ap := version.metrics.get("mean_ap")) is not None:
                boxes.append((x, float(mean_ap)))
    marks = [(f"{most * part / 4:.0f}", part / 4) for part in range(5)] if most >= 4 else [("0", 0.0), (f"{most}", 1.0)]
    if len(boxes) >= FEWEST:
        lines = [Line("macro-F1", COLOUR, line), Line("mAP", COLOUR, boxes, dashed=True)]
        return Plot.of(lines, marks, text("gold_axis"), points)
    # The only line needs no name beside it, and no room for one.
    return replace(Plot.of([Line("", COLOUR, line)], marks, text("gold_axis"), points), width=WIDTH)
