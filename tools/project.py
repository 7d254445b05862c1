"""The project that `tagloom demo` and `tagloom up` make in Label Studio: its label config and its tasks' data."""

from collections.abc import Sequence
from itertools import cycle
from xml.sax.saxutils import quoteattr

# Told apart on any picture, by colour-blind annotators too (Okabe and Ito, 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")


def label_config(labels: Sequence[str]) -> str:
    """Tags and rectangles over one picture, with the title and the industry shown above."""
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    coloured = zip(labels, cycle(COLOURS), strict=False)
    rectangles = "".join(f'<Label value={quoteattr(label)} background="{colour}"/>' for label, colour in coloured)
    return (
        '<View><Text name="title" value="$title"/><Text name="industry" value="$level2"/>'
        f'<Choices name="elements" toName="image" choice="multiple" showInline="true">{choices}</Choices>'
        f'<RectangleLabels name="boxes" toName="image">{rectangles}</RectangleLabels>'
        '<Image name="image" value="$image" maxWidth="640px"/></View>'
    )


def task_data(title: str, level1: str, level2: str) -> dict[str, str]:
    """The data of a task beside its picture."""
    return {"title": title, "level1": level1, "level2": level2}
