"""Write a page of sample pictures with predicted and gold boxes. None of these pictures is used for training."""

from pathlib import Path

from model.evaluation.boxes import boxed
from model.evaluation.corpus import LabelledCorpus, split
from model.evaluation.methods import trained
from tagloom.datasets.dataset import Dataset
from tagloom.pages import rendered
from tagloom.pages.gallery import PICTURES, colours_of, picture_of


def write_pictures(path: Path, corpus: LabelledCorpus, samples: Dataset, *, families: int) -> None:
    """Train a tagger on the gold of ``families`` product families; write the page with its answers to other samples.

    The page contains the pictures as small WebP, so it loads nothing.
    """
    drawn = split(corpus, families=families, seed=0)
    rows = boxed(drawn)
    # Choose rows that are evenly spread.
    rows = rows[:: max(1, len(rows) // PICTURES)][:PICTURES]
    answers = trained(drawn).predict([corpus.features[row] for row in rows])
    colours = colours_of(corpus.labels)
    pictures = []
    for row, answer in zip(rows, answers, strict=True):
        sample, gold = samples.samples[row], corpus.boxes[row]
        boxes = (gold.boxes if gold else (), answer.boxes)
        pictures.append(picture_of(sample.image, sample.title, boxes, (sample.labels, answer.labels), colours))
    page = rendered(
        "tagloom.evaluation",
        "pictures.html.jinja",
        pictures=pictures,
        gold=len(drawn.gold),
        families=families,
    )
    path.write_text(page, "utf-8")
