"""Run methods over gold fractions and seeds, keep every result at once, and tell what came out.

A run that was killed goes on: a result that stands in the file is not computed again, unless the data, the encoders
or the product are others now.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from importlib.metadata import version
from inspect import signature
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.attention.network import NetworkConfig
from model.boxes.effort import Effort, Seconds
from model.checkpoint import FORMAT
from model.evaluation.boxes import BoxResult, box_results
from model.evaluation.corpus import LabelledCorpus, Split, split
from model.evaluation.methods import WITHOUT_GOLD, Method, methods
from model.lexicon.lexicon import Lexicon
from model.metrics import average_precision, class_scores, macro_f1, weighted_f1
from model.training.config import TrainConfig
from model.weak_supervision.label_model import Opinions

BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """One method on one draw.

    ``reliability``: mean probability, share of those that are right, and number, of the answers in each tenth of
    probability. ``sources``: for each source and label, on how many items it spoke and on how many it was right.
    ``data``, ``tagger`` and ``prices`` say what the result holds for.
    """

    method: str
    gold_families: int
    seed: int
    gold_items: int
    macro_f1: float
    weighted_f1: float
    mean_average_precision: float
    class_f1: dict[str, float]
    class_precision: dict[str, float]
    class_recall: dict[str, float]
    seconds: float
    data: str = ""
    prices: dict[str, float] = field(default_factory=dict)
    boxes: dict[str, BoxResult] = field(default_factory=dict)
    reliability: list[list[float]] = field(default_factory=list)
    sources: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    tagger: str = ""


def nothing_to_tell(_: Result) -> None:
    """For callers that wait for the end."""


@dataclass(frozen=True)
class RunPlan:
    """What an evaluation runs: every method at every number of gold families and every seed.

    ``names`` are the methods, None for all of them. ``results`` is the file that keeps one JSON line for each result,
    None for no file. ``prices`` are the seconds that an annotator needs for each action.
    """

    gold_families: Sequence[int]
    seeds: Sequence[int]
    names: Sequence[str] | None = None
    results: Path | None = None
    prices: Seconds = field(default_factory=Seconds)


def run(
    corpus: LabelledCorpus, plan: RunPlan, *, on_result: Callable[[Result], None] = nothing_to_tell
) -> list[Result]:
    """Run the plan's methods on the corpus and return all results, those that the file held already included.

    A result in the file is used again only if it was made from the same data, with the same ``tagger_fingerprint`` and
    the same prices. Raises ValueError for an unknown method.
    """
    prices, results = plan.prices, plan.results
    same = (corpus.fingerprint, tagger_fingerprint(corpus.lexicon), asdict(prices))
    available = methods()
    known = [r for r in (read(results) if results else []) if (r.data, r.tagger, r.prices) == same]
    done = {(r.method, r.gold_families, r.seed): r for r in known}
    found = []
    wanted = steps(plan.gold_families, plan.seeds, plan.names)
    for (families, seed), steps_of in groupby(wanted, key=itemgetter(0, 1)):
        drawn = split(corpus, families=families, seed=seed)  # its methods share what was learned of boxes
        for _, _, name in steps_of:
            result = done.get((name, families, seed)) or _measure(drawn, name, available[name], families, prices)
            if results and (name, families, seed) not in done:
                _keep(result, results)
            found.append(result)
            on_result(result)
    return found


def tagger_fingerprint(lexicon: Lexicon) -> str:
    """16 hex digits that change with what a tagger is made of: the lexicon, the defaults of training and
    network, the checkpoint format, the product's version.

    A change of code that shows in none of them is not seen: measure it with another results file.
    """
    parts = (lexicon.as_dict(), TrainConfig(), signature(NetworkConfig), FORMAT, version("tagloom"))
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def steps(
    gold_families: Sequence[int], seeds: Sequence[int], names: Sequence[str] | None
) -> list[tuple[int, int, str]]:
    """Gold families, seed and method of each result, in order; without gold only what needs none.

    Raises ValueError for an unknown method.
    """
    available = list(methods())
    unknown = set(names or ()) - set(available)
    if unknown:
        raise ValueError(f"unknown methods {sorted(unknown)}; use some of {sorted(available)}")
    every = product(gold_families, seeds, names or available)
    return [(size, seed, name) for size, seed, name in every if size or name in WITHOUT_GOLD]


def read(path: Path) -> list[Result]:
    """Results of an earlier run; a line that was cut off by a kill is left out."""
    results = []
    for line in path.read_bytes().splitlines() if path.exists() else ():  # it may be cut off within a character
        try:
            results.append(_parsed(json.loads(line)))
        except (ValueError, TypeError, KeyError):
            continue
    return results


def _keep(result: Result, path: Path) -> None:
    """Append a line of its own, also behind one that was cut off."""
    with path.open("ab+") as file:
        file.seek(max(0, file.tell() - 1))
        cut_off = file.read() not in (b"", b"\n")
        file.write(b"\n" * cut_off + json.dumps(asdict(result), ensure_ascii=False).encode() + b"\n")


def _parsed(fields: dict[str, Any]) -> Result:
    boxes = {
        name: BoxResult(**{**entry, "effort": Effort(**entry["effort"])}) for name, entry in fields["boxes"].items()
    }
    return Result(**{**fields, "boxes": boxes})


def _measure(drawn: Split, name: str, method: Method, families: int, prices: Seconds) -> Result:
    corpus = drawn.corpus
    started = time.monotonic()
    answers = method(drawn)
    told_NK = corpus.truth(drawn.test).numpy()
    known_NK = ~np.isnan(told_NK)
    truth_NK, probability_NK = np.nan_to_num(told_NK), answers.probability_NK.numpy()
    given_NK = answers.given_NK.numpy() & known_NK  # an answer to what nobody knows counts neither way
    scores = dict(zip(corpus.labels, class_scores(truth_NK, given_NK), strict=True))
    precisions = [
        average_precision(truth_NK[known_N, k], probability_NK[known_N, k]) for k, known_N in enumerate(known_NK.T)
    ]
    return Result(
        method=name,
        gold_families=families,
        seed=drawn.seed,
        gold_items=len(drawn.gold),
        macro_f1=macro_f1(truth_NK, given_NK),
        weighted_f1=weighted_f1(truth_NK, given_NK),
        mean_average_precision=float(np.mean(precisions)),
        class_f1={label: score.f1 for label, score in scores.items()},
        class_precision={label: score.precision for label, score in scores.items()},
        class_recall={label: score.recall for label, score in scores.items()},
        seconds=time.monotonic() - started,
        data=corpus.fingerprint,
        prices=asdict(prices),
        boxes=box_results(answers.drawn, drawn, prices),
        reliability=reliability(truth_NK[known_NK], probability_NK[known_NK]),
        sources=heard(answers.opinions, told_NK, corpus.labels) if answers.opinions else {},
        tagger=tagger_fingerprint(corpus.lexicon),
    )


def reliability(truth: Floats, probability: Floats) -> list[list[float]]:
    """Mean probability, share right and number of the answers in each tenth that has any (DeGroot and Fienberg)."""
    place = (probability * BINS).astype(int).clip(0, BINS - 1)
    cells = [place == number for number in range(BINS)]
    return [
        [float(probability[cell].mean()), float(truth[cell].mean()), int(cell.sum())] for cell in cells if cell.any()
    ]


def heard(opinions: Opinions, truth_NK: Floats, labels: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """For each source and label: on how many items it spoke at all, and on how many of them it was right.

    Items of which nobody knows (NaN) are left out.
    """
    said_SNK = opinions.log_odds_SNK.numpy()
    told: dict[str, dict[str, list[int]]] = {}
    for name, said_NK in zip(opinions.names, said_SNK, strict=True):
        right_NK = (said_NK > 0) == (truth_NK > 0)
        for k, label in enumerate(labels):
            spoke_N = (said_NK[:, k] != 0) & ~np.isnan(truth_NK[:, k])
            if spoke_N.any():
                told.setdefault(name, {})[label] = [int(spoke_N.sum()), int((spoke_N & right_NK[:, k]).sum())]
    return told
