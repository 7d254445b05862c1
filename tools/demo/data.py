"""Who is labelled and who is only measured on: gold candidates and test subjects, apart by product."""

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
    """One picture of the data set. ``size`` is width and height; ``boxes`` is None where nobody drew any."""

    picture: Path
    size: tuple[int, int]
    title: str
    industry: tuple[str, str]
    labels: frozenset[str]
    boxes: GoldPicture | None
    product: str


@dataclass(frozen=True)
class Cast:
    """Subjects by their part: ``gold`` in the order of labelling, ``test`` never labelled, ``pool`` without labels.

    ``notes`` say how the data were read, and which items were left out.
    """

    labels: tuple[str, ...]
    gold: list[Subject]
    test: list[Subject]
    pool: list[Subject]
    notes: tuple[str, ...] = ()

    def pictures(self) -> list[Path]:
        return [subject.picture for subject in (*self.test, *self.gold, *self.pool)]


def cast(folder: Path, *, test: int, gold: int, pool: int, seed: int, max_pixels: int = MAX_PIXELS) -> Cast:
    """The parts of a data set for one run. Raises UserError for broken data, and for too little of it."""
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
    """Makes subjects of samples. ``faults`` say why some are none: their pictures cannot be read."""

    def __init__(self, labels: Sequence[str], max_pixels: int) -> None:
        self._labels = labels
        self._max_pixels = max_pixels
        self.faults: list[str] = []

    def subjects(self, samples: Sequence[Sample]) -> list[Subject]:
        """The subjects; of their pictures only the heads are read."""
        made: list[Subject] = []
        for sample in samples:
            try:
                made.append(self._subject(sample, upright_size(sample.image, self._max_pixels)))
            except ValueError as fault:
                self.faults.append(str(fault))
        return made

    def seen(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Those whose pictures can be read to the end."""
        kept: list[Subject] = []
        for subject in subjects:
            try:
                opened(subject.picture, self._max_pixels)
            except ValueError as fault:
                self.faults.append(str(fault))
            else:
                kept.append(subject)
        return kept

    def _subject(self, sample: Sample, size: tuple[int, int]) -> Subject:
        return Subject(
            picture=sample.image,
            size=size,
            title=sample.title,
            industry=(sample.level1, sample.level2),
            labels=frozenset(sample.labels),
            boxes=gold_picture(sample.boxes, self._labels) if sample.boxed else None,
            product=sample.product_id,
        )


def split(
    subjects: Sequence[Subject], *, test: int, gold: int, seed: int
) -> tuple[list[Subject], list[Subject], list[Subject]]:
    """Gold candidates, test subjects, and what is left of the former; no product is in gold and test.

    Products are drawn at random until the test has its number, or half of all; gold is drawn from the rest.
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
    """The same subjects, each with the labels and boxes of another one: what a useless annotator would send."""
    order = list(range(len(gold)))
    random.Random(seed).shuffle(order)
    # Along one cycle through all of them nobody keeps his own.
    donor = {one: gold[order[(place + 1) % len(order)]] for place, one in enumerate(order)}
    return [replace(one, labels=donor[i].labels, boxes=donor[i].boxes) for i, one in enumerate(gold)]
