"""Run methods over gold fractions and seeds, and write each result to a file as soon as it is computed.

A killed run continues where it stopped: a result in the file is not computed again, unless the data, the encoders or
the product have changed.

Shape suffixes: N items, K classes, S sources.
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

import numpy as np
from numpy.typing import NDArray

from model.attention.network import NetworkConfig
from model.boxes.effort import Effort, Seconds
from model.checkpoint import FORMAT
from model.evaluation.boxes import BoxResult, box_results
from model.evaluation.corpus import OTHERS, LabelledCorpus, Split, split
from model.evaluation.methods import WITHOUT_GOLD, Method, methods
from model.lexicon.lexicon import Lexicon
from model.metrics import average_precision, class_scores, log_loss, macro_f1, weighted_f1
from model.training.config import TrainConfig
from model.weak_supervision.label_model import Opinions

# The number of equal intervals of probability in the reliability.
BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """The result of one method on one part of the test items of one draw.

    ``class_*`` are by label. ``seconds`` is the time of training and answering. ``reliability`` is what
    ``reliability()`` returns, ``sources`` what ``heard()`` returns. ``data`` and ``tagger`` are fingerprints and
    ``prices`` the seconds of an annotator's actions: the result is valid for these alone.
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
    log_loss: float
    seconds: float
    data: str = ""
    prices: dict[str, float] = field(default_factory=dict)
    boxes: dict[str, BoxResult] = field(default_factory=dict)
    reliability: list[list[float]] = field(default_factory=list)
    sources: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    tagger: str = ""
    part: str = OTHERS


def nothing_to_tell(_: Sequence[Result]) -> None:
    """Do nothing with results; for callers that need the list at the end only."""


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
    corpus: LabelledCorpus, plan: RunPlan, *, on_results: Callable[[Sequence[Result]], None] = nothing_to_tell
) -> list[Result]:
    """Run the plan's methods on the corpus and return all results, those that the file held already included.

    ``on_results`` is called with the results of each method on each draw.

    A result in the file is used again only if it was made from the same data, with the same ``tagger_fingerprint`` and
    the same prices. Raises ValueError for an unknown method.
    """
    prices, results = plan.prices, plan.results
    same = (corpus.fingerprint, tagger_fingerprint(corpus.lexicon), asdict(prices))
    available = methods()
    known = [r for r in (read(results) if results else []) if (r.data, r.tagger, r.prices) == same]
    done: dict[tuple[str, int, int], list[Result]] = {}
    for result in known:
        done.setdefault((result.method, result.gold_families, result.seed), []).append(result)
    found = []
    wanted = steps(plan.gold_families, plan.seeds, plan.names)
    for (families, seed), steps_of in groupby(wanted, key=itemgetter(0, 1)):
        # The methods of a draw share its learned boxes.
        drawn = split(corpus, families=families, seed=seed)
        for _, _, name in steps_of:
            measured = done.get((name, families, seed), [])
            # A kill may have cut off the line of a draw's last part.
            if {result.part for result in measured} != set(drawn.parts):
                measured = _measure(drawn, name, available[name], families, prices)
                if results:
                    _append(results, measured)
            found += measured
            on_results(measured)
    return found


def _append(path: Path, results: Sequence[Result]) -> None:
    """Append results to a file. If a kill has cut off the file's last line, that line is ended first."""
    lines = [json.dumps(asdict(result), ensure_ascii=False).encode() + b"\n" for result in results]
    with path.open("ab+") as file:
        file.seek(max(0, file.tell() - 1))
        cut_off = file.read() not in (b"", b"\n")
        file.write(b"\n" * cut_off + b"".join(lines))


def tagger_fingerprint(lexicon: Lexicon) -> str:
    """Return 16 hex digits that change with the lexicon, the defaults of training and network, and the versions.

    The versions are those of the checkpoint format and of the product. Other changes of code do not change the digits:
    measure them with another results file.
    """
    parts = (lexicon.as_dict(), TrainConfig(), signature(NetworkConfig), FORMAT, version("tagloom"))
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def steps(
    gold_families: Sequence[int], seeds: Sequence[int], names: Sequence[str] | None
) -> list[tuple[int, int, str]]:
    """Return gold families, seed and method of each result, in order.

    Without gold families, only the methods in ``WITHOUT_GOLD`` are run. Raises ValueError for an unknown method.
    """
    available = list(methods())
    unknown = set(names or ()) - set(available)
    if unknown:
        raise ValueError(f"unknown methods {sorted(unknown)}; use some of {sorted(available)}")
    every = product(gold_families, seeds, names or available)
    return [(size, seed, name) for size, seed, name in every if size or name in WITHOUT_GOLD]


def read(path: Path) -> list[Result]:
    """Return the results of earlier runs in a file; a line that was cut off when a run was killed is left out."""
    results = []
    # As bytes, because a line may be cut off within a character.
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            fields = json.loads(line)
            boxes = {
                name: BoxResult(**{**entry, "effort": Effort(**entry["effort"])})
                for name, entry in fields["boxes"].items()
            }
            results.append(Result(**{**fields, "boxes": boxes}))
        except (ValueError, TypeError, KeyError):
            continue
    return results


def _measure(drawn: Split, name: str, method: Method, families: int, prices: Seconds) -> list[Result]:
    """Return the results of one method on one draw, one for each part of its test items."""
    corpus = drawn.corpus
    started = time.monotonic()
    answers = method(drawn)
    seconds = time.monotonic() - started
    results = []
    for part, places in drawn.parts.items():
        gold_NK = corpus.truth(drawn.test).numpy()[places]
        known_NK = ~np.isnan(gold_NK)
        truth_NK, probability_NK = np.nan_to_num(gold_NK), answers.probability_NK.numpy()[places]
        # A label that the gold does not know counts neither as right nor as wrong.
        given_NK = answers.given_NK.numpy()[places] & known_NK
        scores = dict(zip(corpus.labels, class_scores(truth_NK, given_NK), strict=True))
        precisions = [
            average_precision(truth_NK[known_N, k], probability_NK[known_N, k]) for k, known_N in enumerate(known_NK.T)
        ]
        opinions = answers.opinions.rows(places) if answers.opinions else None
        results.append(
            Result(
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
                log_loss=log_loss(truth_NK[known_NK], probability_NK[known_NK]),
                seconds=seconds,
                data=corpus.fingerprint,
                prices=asdict(prices),
                boxes=box_results(answers.drawn, drawn, places, prices),
                reliability=reliability(truth_NK[known_NK], probability_NK[known_NK]),
                sources=heard(opinions, gold_NK, corpus.labels) if opinions else {},
                tagger=tagger_fingerprint(corpus.lexicon),
                part=part,
            )
        )
    return results


def reliability(truth: Floats, probability: Floats) -> list[list[float]]:
    """Return the reliability of probabilities (DeGroot and Fienberg, 1983): one row for each tenth that has answers.

    A row is the mean probability, the share of yes in the gold, and the number of answers.
    """
    place = (probability * BINS).astype(int).clip(0, BINS - 1)
    cells = [place == number for number in range(BINS)]
    return [
        [float(probability[cell].mean()), float(truth[cell].mean()), int(cell.sum())] for cell in cells if cell.any()
    ]


def heard(opinions: Opinions, truth_NK: Floats, labels: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """Return for each source and label the number of items with an opinion, and how many of these opinions are right.

    Items whose gold is unknown (NaN) are left out, and so are sources and labels without any opinion.
    """
    opinion_SNK = opinions.log_odds_SNK.numpy()
    counts: dict[str, dict[str, list[int]]] = {}
    for name, opinion_NK in zip(opinions.names, opinion_SNK, strict=True):
        right_NK = (opinion_NK > 0) == (truth_NK > 0)
        for k, label in enumerate(labels):
            with_opinion_N = (opinion_NK[:, k] != 0) & ~np.isnan(truth_NK[:, k])
            if with_opinion_N.any():
                counts.setdefault(name, {})[label] = [
                    int(with_opinion_N.sum()),
                    int((with_opinion_N & right_NK[:, k]).sum()),
                ]
    return counts
