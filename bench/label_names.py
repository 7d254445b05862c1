"""Measure labels by meaning: what unseen names of labels are taken for, and how good the tags are then without gold:

    python -m bench.label_names --data samples/data --cache CACHE

Names the labels of the data in ten ways that the lexicon does not know (`testing/label_meanings.py`) and compares the
cold start's macro-F1 with that of the known names, by words alone and with the sentence encoder where it is installed.
Then it counts the names that are mapped rightly, and phrases that mean no kind and are taken for one. Prints two
Markdown tables.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.encoders.sentences import SentenceEncoder, installed
from model.evaluation.corpus import LabelledCorpus
from model.features.extraction import FeatureExtractor
from model.lexicon.lexicon import Lexicon
from model.lexicon.meaning import nearest
from model.lexicon.names import Guess, guessed, meanings, open_labels, with_names
from model.metrics import macro_f1
from model.tagger import Tagger
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from testing.label_meanings import CHOSEN, MARGIN, MARGIN_NOTHING, NEAR, NOTHING_CHOSEN, NOTHING_MEASURED, UNSEEN

LISTS = {
    "nothing, chosen on": (*NOTHING_CHOSEN, *MARGIN_NOTHING),
    "nothing": NOTHING_MEASURED,
    "near a kind": NEAR,
}


@dataclass(frozen=True)
class Naming:
    """How labels are understood: by words, and by an encoder if there is one."""

    lexicon: Lexicon
    encoder: SentenceEncoder | None

    @property
    def name(self) -> str:
        return self.encoder.name if self.encoder else "words alone"

    def kinds(self, labels: Sequence[str]) -> list[str]:
        """Return what each label is taken for in a project that has no other."""
        given = {label: (label,) for label in labels}
        guesses: dict[str, Guess] = {}
        # Part by part, since only so many names of one project are encoded.
        for start in range(0, len(labels), 40):
            part = {label: given[label] for label in labels[start : start + 40]}
            guesses |= guessed(self.lexicon, open_labels(self.lexicon, part), self.encoder)
        return [meanings(self.lexicon, {label: (label,)}, guesses)[label].kind for label in labels]

    def named(self, labels: Sequence[str]) -> Lexicon:
        """Return the lexicon of a project with these labels."""
        given = {label: (label,) for label in labels}
        surely = {found.kind for found in meanings(self.lexicon, given, {}).values()}
        guesses = guessed(self.lexicon, open_labels(self.lexicon, given), self.encoder, surely)
        return with_names(self.lexicon, given, guesses)


def cold_f1(corpus: LabelledCorpus, labels: Sequence[str], lexicon: Lexicon) -> float:
    """Return macro-F1 of the cold start on all items whose labels are known, when the data's labels are called so."""
    tagger = Tagger.cold_start(labels, space="bench", seed=0, lexicon=lexicon, with_boxes=False)
    rows = [row for row, gold in enumerate(corpus.gold) if gold is not None]
    probability_NK = tagger.probabilities([corpus.features[row] for row in rows])
    return macro_f1(corpus.truth(rows), tagger.calibration.decide(probability_NK))


def tags(corpus: LabelledCorpus, naming: Naming) -> str:
    """One row: macro-F1 with the known names, with each way of naming, and their relation."""
    kinds = [naming.lexicon.kind_of(label).name for label in corpus.labels]
    known = cold_f1(corpus, corpus.labels, naming.lexicon)
    ways = [[UNSEEN[kind][way] for kind in kinds] for way in range(len(UNSEEN[kinds[0]]))]
    found = [cold_f1(corpus, labels, naming.named(labels)) for labels in ways]
    return f"| {naming.name} | {known:.3f} | {np.mean(found):.3f} | {min(found):.3f} | {np.mean(found) / known:.3f} |"


def beside_four(naming: Naming) -> str:
    """How often a phrase of nothing is taken for a kind in projects that name four of the five kinds beside it."""
    phrases = list(open_labels(naming.lexicon, {phrase: (phrase,) for phrase in NOTHING_MEASURED}))
    near = nearest(naming.lexicon, naming.encoder, phrases) if naming.encoder else []
    by_meaning = sum(one.is_meant or one.is_left(kind) for one in near for kind in UNSEEN)
    taken = by_meaning if naming.encoder else len(UNSEEN) * sum(map(bool, naming.kinds(phrases)))
    return f"{taken} of {len(UNSEEN) * len(NOTHING_MEASURED)}"


def names(naming: Naming) -> str:
    """One row: how many names are mapped rightly and wrongly, and how many other phrases are taken for a kind."""
    cells = []
    for lists in (UNSEEN, CHOSEN, MARGIN):
        asked = [(kind, name) for kind, each in lists.items() for name in each]
        taken = naming.kinds([name for _, name in asked])
        right = sum(kind == found for (kind, _), found in zip(asked, taken, strict=True))
        wrong = sum(found not in ("", kind) for (kind, _), found in zip(asked, taken, strict=True))
        cells.append(f"{right} of {len(asked)}, {wrong} wrongly")
    cells.append(beside_four(naming))
    cells += [f"{sum(map(bool, naming.kinds(phrases)))} of {len(phrases)}" for phrases in LISTS.values()]
    return f"| {naming.name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    parser.add_argument("--each", action="store_true", help="list what each name and phrase is taken for")
    options = parser.parse_args()
    encoder, lexicon = installed(), Lexicon.load()
    namings = [Naming(lexicon, each) for each in ([None, encoder] if encoder else [None])]
    print(
        "| labels are understood by | unseen names mapped rightly | names chosen on | names for the margin "
        "| nothing, beside four kinds | " + " | ".join(LISTS) + " |"
    )
    print("|---|---|---|---|---|" + "---|" * len(LISTS))
    for naming in namings:
        print(names(naming), flush=True)
    if options.each:
        for phrase in [name for each in UNSEEN.values() for name in each] + list(NOTHING_MEASURED) + list(NEAR):
            print(phrase, *(naming.kinds([phrase])[0] or "-" for naming in namings), sep="\t")
    corpus = corpus_of(read(options.data, None), FeatureExtractor.from_names("shipped", "shipped"), options.cache)
    print("\n| labels are understood by | macro-F1, known names | unseen names, mean | worst of ten | relation |")
    print("|---|---|---|---|---|")
    for naming in namings:
        print(tags(corpus, naming), flush=True)


if __name__ == "__main__":
    main()
