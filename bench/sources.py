"""Measure what a source of others is worth, from a good one to a contrary one, with the same gold:

    python -m bench.sources --data samples/data --cache CACHE

A server on 127.0.0.1 speaks like a vision model that is right about each label at a known rate. It is asked about each
picture by `sources.vision`. Then Tagloom is trained with and without what it says, and measured on other products.
Prints a Markdown table: macro-F1, and for each label the trust that the label model has learned.
"""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from model.boxes.described import RECENT
from model.evaluation.corpus import LabelledCorpus, families_at, split
from model.features.extraction import FeatureExtractor
from model.features.said import Said
from model.metrics import macro_f1
from model.training.config import TrainConfig
from model.training.progressive import fit
from model.weak_supervision.label_model import LabelModel
from sources.interface import Item, Label
from sources.vision import Endpoint, VisionSource
from store.store import Store
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from testing.vision import VisionServer, erring

MIXED = {"LOGO": 0.95, "价格": 0.55, "文案": 0.8, "赠品": 0.8, "主体": 0.9}
KINDS: dict[str, tuple[float | Mapping[str, float], ...]] = {
    "none": (),
    "right 95 %": (0.95,),
    "right 95 % on LOGO, 55 % on 价格, 80 to 90 % on the others": (MIXED,),
    "right 50 %": (0.5,),
    "right 20 %": (0.2,),
    "two: right 95 % and right 5 %": (0.95, 0.05),
}
"""Kinds of sources by name: the rates of each, one for all labels or one for each."""


def asked(corpus: LabelledCorpus, rates: Sequence[float | Mapping[str, float]]) -> tuple[Said, ...]:
    """Return what sources with these rates say of each item; each is asked over HTTP."""
    labels = tuple(Label(label) for label in corpus.labels)
    said: list[dict[str, Mapping[str, float]]] = [{} for _ in corpus.features]

    def truth(title: str) -> frozenset[str]:
        return corpus.gold[int(title)] or frozenset()

    with TemporaryDirectory() as folder, ExitStack() as stack:
        store = Store.open(f"sqlite:///{folder}/tagloom.db")
        stack.callback(store.close)
        for number, rate in enumerate(rates):
            by_label = dict.fromkeys(corpus.labels, rate) if isinstance(rate, float) else rate
            server = stack.enter_context(VisionServer(erring(truth, by_label, str(number))))
            source = VisionSource(Endpoint(server.url, f"m{number}", per_minute=1e6), store.sources)
            stack.callback(source.close)
            store.sources.note_all({source.name: (source.version, source.about)})
            for row in range(len(said)):
                said[row][source.name] = source.ask(Item(str(row), labels=labels)).labels
    return tuple(Said(one) for one in said)


def measured(corpus: LabelledCorpus, said: Sequence[Said], share: float, seed: int) -> tuple[float, LabelModel]:
    """Return macro-F1 on a draw's test items, and the label model, of Tagloom with what was said."""
    drawn = split(corpus, families=families_at(corpus, share), seed=seed)
    told = replace(corpus, features=tuple(replace(item, said=s) for item, s in zip(corpus.features, said, strict=True)))
    heard = replace(drawn, corpus=told)
    tagger = fit(heard.cold_start(), replace(heard.problem, boxes=drawn.boxes), TrainConfig(seed=seed))
    items = [told.features[row] for row in drawn.test]
    given_NK = tagger.calibration.decide(tagger.probabilities(items)).numpy()
    return macro_f1(corpus.truth(drawn.test).numpy(), given_NK), tagger.label_model


def line(kind: str, draws: Sequence[tuple[float, LabelModel]], base: Sequence[float], labels: Sequence[str]) -> str:
    """Return the table's row of one kind of sources."""
    scores = [score for score, _ in draws]
    gains = np.array(scores) - np.array(base)
    trust = [
        "/".join(
            f"{np.mean([float(model.trust_SK[model.names.index(name), k]) for _, model in draws]):.2f}"
            for name in draws[0][1].names
            if name.startswith("vision ")
        )
        for k in range(len(labels))
    ]
    return f"| {kind} | {np.mean(scores):.3f} | {gains.mean():+.3f} (worst {gains.min():+.3f}) | {' | '.join(trust)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.1, help="share of the products with gold")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="KIND")
    options = parser.parse_args()
    data, extractor = read(options.data, None), FeatureExtractor.from_names("shipped", "shipped")
    corpus = corpus_of(replace(data, samples=tuple(data.labelled())), extractor, options.cache)
    headings = ["source", "macro-F1", "to none", *(f"trust: {label}" for label in corpus.labels)]
    print(f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}")
    base: list[float] = []
    with RECENT.kept_in(options.cache / "descriptions"):
        for kind in dict.fromkeys(["none", *options.kinds]):
            said = asked(corpus, KINDS[kind])
            draws = [measured(corpus, said, options.share, seed) for seed in range(options.draws)]
            base = base or [score for score, _ in draws]
            print(line(kind, draws, base, corpus.labels), flush=True)


if __name__ == "__main__":
    main()
