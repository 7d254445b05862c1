"""The project that `tagloom demo` and `tagloom up` make in Label Studio: its label config and its tasks' data."""

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr


def label_config(labels: Sequence[str]) -> str:
    """Tags and rectangles over one picture, with the title and the industry shown above."""
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    rectangles = "".join(f"<Label value={quoteattr(label)}/>" for label in labels)
    return (
        '<View><Text name="title" value="$title"/><Text name="industry" value="$level2"/>'
        f'<Choices name="elements" toName="image" choice="multiple" showInline="true">{choices}</Choices>'
        f'<RectangleLabels name="boxes" toName="image">{rectangles}</RectangleLabels>'
        '<Image name="image" value="$image" maxWidth="640px"/></View>'
    )


def task_data(title: str, level1: str, level2: str) -> dict[str, str]:
    """The data of a task beside its picture."""
    return {"title": title, "level1": level1, "level2": level2}
