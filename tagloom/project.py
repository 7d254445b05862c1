"""The project that `tagloom demo` and `tagloom up` make in Label Studio: its label config and its tasks' data."""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr


def label_config(labels: Sequence[str]) -> str:
    """Tags and boxes over the picture, title and industry beside it."""
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    rectangles = "".join(f"<Label value={quoteattr(label)}/>" for label in labels)
    return (
        '<View><Image name="image" value="$image"/><Text name="title" value="$title"/><Header value="$industry"/>'
        f'<Choices name="elements" toName="image" choice="multiple">{choices}</Choices>'
        f'<RectangleLabels name="boxes" toName="image">{rectangles}</RectangleLabels></View>'
    )


def task_data(title: str, industry: Sequence[str]) -> dict[str, Any]:
    """The data of a task beside its picture."""
    return {"title": title, "industry": " > ".join(industry)}
