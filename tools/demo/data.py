"""Divide the data of a demo: pictures to label, pictures to measure on, and pictures without labels.

No product is in both of the first two groups.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model.boxes.metrics import GoldPicture
from tagloom.datasets.dataset import Sample, left_out, load
from tagloom.evaluation.data import gold_picture
from tagloom.opening import MAX_PIXELS, opened, upright_size
from tagloom_base.errors import UserError


@dataclass(frozen=True)
class Subject:
    """One picture of the data. ``size`` is its width and height. ``boxes`` is None if the picture has no gold boxes."""

    picture: Path
    size: tuple[int, int]
    title: str
    industry: tuple[str, str]
    labels: frozenset[str]
    boxes: GoldPicture | None
    product: str


@dataclass(frozen=True)
class Cast:
    """The subjects in groups: ``gold`` in the order of labelling, ``test`` to measure on, ``pool`` without labels.

    The demo never labels ``test`` and ``pool``. ``notes`` say how the data were read and which items were left out.
    """

    labels: tuple[str, ...]
    gold: list[Subject]
    test: list[Subject]
    pool: list[Subject]
    notes: tuple[str, ...] = ()

    def pictures(self) -> list[Path]:
        return [subject.picture for subject in (*self.test, *self.gold, *self.pool)]


def cast(folder: Path, *, test: int, gold: int, pool: int, seed: int, max_pixels: int = MAX_PIXELS) -> Cast:
    """Divide the data of a folder for one run. Raises UserError for broken data, and for too few of them."""
    try:
        samples = load(folder)
        labels, casting = samples.labels(), _Casting(samples.labels(), max_pixels)
        subjects = casting.subjects(samples.labelled())
        golds, tests, spare = split(subjects, test=test, gold=gold, seed=seed)
        unlabelled = casting.subjects([sample for sample in samples if not sample.labelled])
        random.Random(seed).shuffle(unlabelled)
        golds, tests, pooled = map(casting.seen, (golds, tests, [*unlabelled, *spare][:pool]))
        notes = (*samples.notes, *left_out(casting.faults, len(samples), "write the files again"))
    except ValueError as broken:
        raise UserError(str(broken)) from broken
    if len(labels) < 2 or len(golds) < 10 or not tests:
        raise UserError(
            f"{folder} has {len(labels)} labels, {len(golds)} pictures to label and {len(tests)} to test on: "
            "at least 2, 10 and 1 are needed, of several products" + "".join(f"; {note}" for note in notes)
        )
    return Cast(labels, golds, tests, pooled, notes)


class _Casting:
    """Turns samples into subjects. ``faults`` says of each subject that is left out why its picture cannot be read."""

    def __init__(self, labels: Sequence[str], max_pixels: int) -> None:
        self._labels = labels
        self._max_pixels = max_pixels
        self.faults: list[str] = []

    def subjects(self, samples: Sequence[Sample]) -> list[Subject]:
        """Return the samples as subjects. Only the beginning of each picture file is read."""
        made: list[Subject] = []
        for sample in samples:
            try:
                subject = Subject(
                    picture=sample.image,
                    size=upright_size(sample.image, self._max_pixels),
                    title=sample.title,
                    industry=(sample.level1, sample.level2),
                    labels=frozenset(sample.labels),
                    boxes=gold_picture(sample.boxes, self._labels) if sample.boxed else None,
                    product=sample.product_id,
                )
            except ValueError as fault:
                self.faults.append(str(fault))
            else:
                made.append(subject)
        return made

    def seen(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Return those subjects whose pictures can be read completely."""
        kept: list[Subject] = []
        for subject in subjects:
            try:
                opened(subject.picture, self._max_pixels)
            except ValueError as fault:
                self.faults.append(str(fault))
            else:
                kept.append(subject)
        return kept


def split(
    subjects: Sequence[Subject], *, test: int, gold: int, seed: int
) -> tuple[list[Subject], list[Subject], list[Subject]]:
    """Return subjects for gold, subjects for the test, and the rest. No product is in gold and test.

    Products are drawn at random for the test until it has ``test`` subjects, or half of all if there are too few. Gold
    is drawn from the others.
    """
    products: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        products[subject.product].append(subject)
    names = sorted(products)
    draw = random.Random(seed)
    draw.shuffle(names)
    wanted = min(test, max(len(subjects) - gold, len(subjects) // 2))
    tested: list[Subject] = []
    while names and len(tested) < wanted:
        tested += products[names.pop()]
    rest = [subject for name in names for subject in products[name]]
    draw.shuffle(rest)
    return rest[:gold], tested, rest[gold:]


def shuffled(gold: Sequence[Subject], seed: int) -> list[Subject]:
    """Return the same subjects, each with the labels and boxes of another one: the gold of a useless annotator."""
    order = list(range(len(gold)))
    random.Random(seed).shuffle(order)
    # In a random cycle through all, each takes the labels and boxes of the next one, so none keeps its own.
    donor = {one: gold[order[(place + 1) % len(order)]] for place, one in enumerate(order)}
    return [replace(one, labels=donor[i].labels, boxes=donor[i].boxes) for i, one in enumerate(gold)]
