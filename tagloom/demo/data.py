"""Who is labelled and who is only measured on: gold candidates and test subjects, apart by product."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model.boxes.metrics import GoldPicture


@dataclass(frozen=True)
class Subject:
    """One picture of the data set. ``boxes`` is None where nobody drew any."""

    picture: Path
    size: tuple[int, int]
    title: str
    industry: tuple[str, ...]
    labels: frozenset[str]
    boxes: GoldPicture | None
    product: str


@dataclass(frozen=True)
class Cast:
    """Subjects by their part: ``gold`` in the order of labelling, ``test`` never labelled, ``pool`` without labels."""

    labels: tuple[str, ...]
    gold: list[Subject]
    test: list[Subject]
    pool: list[Subject]


def split(subjects: Sequence[Subject], *, test: int, gold: int, seed: int) -> tuple[list[Subject], list[Subject]]:
    """Gold candidates and test subjects; no product is in both.

    Products are drawn at random until the test has its number; gold comes from the rest in random order of pictures.
    """
    products: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        products[subject.product].append(subject)
    names = sorted(products)
    draw = random.Random(seed)
    draw.shuffle(names)
    tested: list[Subject] = []
    while names and len(tested) < test:
        tested += products[names.pop()]
    rest = [subject for name in names for subject in products[name]]
    draw.shuffle(rest)
    return rest[:gold], tested


def shuffled(gold: Sequence[Subject], seed: int) -> list[Subject]:
    """The same subjects, each with the labels and boxes of another one: what a useless annotator would send."""
    order = list(range(len(gold)))
    random.Random(seed).shuffle(order)
    # Along one cycle through all of them nobody keeps his own.
    donor = {one: order[(place + 1) % len(order)] for place, one in enumerate(order)}
    return [replace(one, labels=gold[donor[i]].labels, boxes=gold[donor[i]].boxes) for i, one in enumerate(gold)]
