"""A page of sample pictures with predicted and gold boxes, none of them learned from."""

from collections.abc import Sequence
from pathlib import Path

from model.evaluation.boxes import boxed
from model.evaluation.corpus import LabelledCorpus, Split, split
from model.evaluation.methods import trained
from tagloom.datasets.dataset import Dataset
from tagloom.pages.gallery import PICTURES, Picture, colours_of, picture_of
from tagloom.pages.render import rendered


def write_pictures(path: Path, corpus: LabelledCorpus, samples: Dataset, *, families: int) -> None:
    """Write the page, of a tagger that learned from so many families; pictures stand in it as small WebP."""
    drawn = split(corpus, families=families, seed=0)
    page = rendered(
        "tagloom.evaluation",
        "pictures.html.jinja",
        pictures=_gallery(corpus, samples, drawn),
        gold=len(drawn.gold),
        families=families,
    )
    path.write_text(page, "utf-8")


def _gallery(corpus: LabelledCorpus, samples: Dataset, drawn: Split) -> list[Picture]:
    rows = _spread(boxed(drawn))
    answers = trained(drawn).predict([corpus.features[row] for row in rows])
    colours = colours_of(corpus.labels)
    pictures = []
    for row, answer in zip(rows, answers, strict=True):
        sample, gold = samples.samples[row], corpus.boxes[row]
        boxes = (gold.boxes if gold else (), answer.boxes)
        pictures.append(picture_of(sample.image, sample.title, boxes, (sample.labels, answer.labels), colours))
    return pictures


def _spread(rows: Sequence[int]) -> list[int]:
    """24 of the rows, evenly."""
    return list(rows[:: max(1, len(rows) // PICTURES)][:PICTURES])
