"""Measure how often the promotion gate lets worse versions through and refuses good ones:

    python -m bench.gate --data samples/data --cache CACHE

Each draw trains a version without network from a few gold items. Beside it stand versions that have gone wrong:

- two that were trained on the gold with its labels shuffled among the items,
- the trained version with one label spoilt: its answers shuffled among the items, reversed, never given, or always
  given, for each label.

The gate compares each with the cold start, on out-of-fold answers to the gold. What a version is really worth is its
macro-F1 on all other products: a version is good if it is at most .005 lower than the cold start, and worse if it is
more than .02 lower. Prints a Markdown table; in brackets: the rule that the lower end of the bootstrap's interval of
macro-F1 must not fall below -.02, which was the gate's before.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from bench.few_gold import SEED, Drawn, answers_to, corpus_from, judged, parser_of
from model.evaluation.corpus import LabelledCorpus
from model.metrics import macro_f1
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.folds import out_of_fold
from model.training.progressive import fit
from worker.promotion.gate import MARGIN, Answers, judge

SIZES = (10, 20, 40, 80)
FIRST_SEED = 100
SHUFFLES = 2
GOOD = -0.005
WORSE = -0.02
SHIFT = 4.0
"""Log-odds by which a label's answers move that is never, or always, given."""
CONFIG = TrainConfig(seed=SEED, use_network=False)


@dataclass(frozen=True)
class Case:
    """One version: its kind, its gain in macro-F1 on other products, and whether new and old rule accept it."""

    kind: str
    gain: float
    accepted: bool
    accepted_before: bool


def cases(corpus: LabelledCorpus, count: int, seed: int) -> Iterator[Case]:
    drawn = Drawn.of(corpus, count, seed)
    cold = Tagger.cold_start(corpus.labels, space="bench", seed=SEED)
    problem = drawn.problem(corpus, cold)
    assert problem.boxes is not None
    items, boxes_NK = [corpus.features[row] for row in drawn.test], problem.boxes.opinions_NK[drawn.test]

    def answers_of(tagger: Tagger) -> Answers:
        probability_NK = tagger.probabilities(items, boxes_NK if tagger.box_source else None)
        return Answers(tagger.calibration.decide(probability_NK).numpy(), probability_NK.numpy())

    base = answers_of(cold)

    def case(kind: str, on_gold: Answers, on_test: Answers) -> Case:
        verdict = judge(judged(corpus, cold, drawn.gold, on_gold), must_gain=False)
        gain = macro(corpus, drawn.test, on_test) - macro(corpus, drawn.test, base)
        return Case(kind, gain, verdict.accepted, verdict.metrics["lower_bound"] >= -MARGIN)

    shuffler = random.Random(seed)
    for number in range(1 + SHUFFLES):
        rows = list(drawn.gold)
        if number:
            shuffler.shuffle(rows)
        said = {row: problem.gold[other] for row, other in zip(drawn.gold, rows, strict=True)}
        # Rectangles teach boxes before; here the labels alone are wrong.
        learned = replace(problem, gold=said)
        on_gold = answers_to(out_of_fold(cold, learned, CONFIG), drawn.gold)
        on_test = answers_of(fit(cold, learned, CONFIG))
        if number:
            yield case("shuffled", on_gold, on_test)
            continue
        yield case("trained", on_gold, on_test)
        for k in range(len(corpus.labels)):
            for how in ("shuffled", "reversed", "never", "always"):
                numbers = np.random.default_rng(seed + k)
                yield case("spoilt", spoilt(on_gold, k, how, numbers), spoilt(on_test, k, how, numbers))


def macro(corpus: LabelledCorpus, rows: list[int], answers: Answers) -> float:
    return macro_f1(corpus.truth(rows), answers.given_NK)


def spoilt(answers: Answers, k: int, how: str, numbers: np.random.Generator) -> Answers:
    """Return the answers with label ``k`` spoilt."""
    given_NK, probability_NK = answers.given_NK.copy(), answers.probability_NK.copy()
    if how == "shuffled":
        order = numbers.permutation(len(given_NK))
        given_NK[:, k], probability_NK[:, k] = given_NK[order, k], probability_NK[order, k]
    elif how == "reversed":
        given_NK[:, k], probability_NK[:, k] = ~given_NK[:, k], 1 - probability_NK[:, k]
    else:
        sign = 1 if how == "always" else -1
        given_NK[:, k] = how == "always"
        moved_N = torch.logit(torch.from_numpy(probability_NK[:, k]), eps=1e-6) + sign * SHIFT
        probability_NK[:, k] = torch.sigmoid(moved_N).numpy()
    return Answers(given_NK, probability_NK)


def line(count: int, found: list[Case]) -> str:
    """One row: of the good trained versions how many pass, and of the worse ones of each kind."""

    def share(some: list[Case]) -> str:
        now, before = sum(case.accepted for case in some), sum(case.accepted_before for case in some)
        return f"{now} of {len(some)} ({before})"

    trained = [case for case in found if case.kind == "trained"]
    worse = [case for case in found if case.gain < WORSE]
    kinds = [[case for case in worse if case.kind == kind] for kind in ("shuffled", "spoilt")]
    cells = [share([case for case in trained if case.gain >= GOOD]), *map(share, kinds)]
    return f"| {count} | " + " | ".join(cells) + " |"


def main() -> None:
    options = parser_of(__doc__ or "", SIZES).parse_args()
    corpus = corpus_from(options.data, options.image_encoder, options.cache)
    print("| gold | good versions published | worse ones let through: trained on shuffled labels | one label spoilt |")
    print("|---|---|---|---|")
    for count in options.gold:
        seeds = range(FIRST_SEED, FIRST_SEED + options.draws)
        print(line(count, [case for seed in seeds for case in cases(corpus, count, seed)]), flush=True)


if __name__ == "__main__":
    main()
