"""Run methods over gold fractions and seeds, keep every result at once, and tell what came out.

A run that was killed goes on: a result that stands in the file is not computed again.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.evaluation.corpus import LabelledCorpus, split
from model.evaluation.methods import Method, methods
from model.metrics import average_precision, class_scores, macro_f1, weighted_f1


@dataclass(frozen=True)
class Result:
    """One method on one draw."""

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


def nothing_to_tell(_: Result) -> None:
    """For callers that wait for the end."""


def run(
    corpus: LabelledCorpus,
    *,
    gold_families: Sequence[int],
    seeds: Sequence[int],
    names: Sequence[str] | None = None,
    results: Path | None = None,
    on_result: Callable[[Result], None] = nothing_to_tell,
) -> list[Result]:
    """Every method at every number of gold families and seed. ``results`` is a file of one JSON line a result."""
    available = methods()
    unknown = set(names or ()) - set(available)
    if unknown:
        raise ValueError(f"unknown methods {sorted(unknown)}; use some of {sorted(available)}")
    chosen = {name: available[name] for name in (names or available)}
    done = {(r.method, r.gold_families, r.seed): r for r in read(results)} if results else {}
    found = []
    for families in gold_families:
        for seed in seeds:
            for name, method in chosen.items():
                result = done.get((name, families, seed)) or _measure(corpus, name, method, families, seed)
                if results and (name, families, seed) not in done:
                    with results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
                found.append(result)
                on_result(result)
    return found


def read(path: Path) -> list[Result]:
    """Results of an earlier run; a line that was cut off by a kill is left out."""
    results = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            results.append(Result(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return results


def _measure(corpus: LabelledCorpus, name: str, method: Method, families: int, seed: int) -> Result:
    drawn = split(corpus, families=families, seed=seed)
    started = time.monotonic()
    answers = method(drawn)
    truth_NK = corpus.truth(drawn.test).numpy()
    given_NK, probability_NK = answers.given_NK.numpy(), answers.probability_NK.numpy()
    scores = dict(zip(corpus.labels, class_scores(truth_NK, given_NK), strict=True))
    precisions = [average_precision(truth_NK[:, k], probability_NK[:, k]) for k in range(len(corpus.labels))]
    return Result(
        method=name,
        gold_families=families,
        seed=seed,
        gold_items=len(drawn.gold),
        macro_f1=macro_f1(truth_NK, given_NK),
        weighted_f1=weighted_f1(truth_NK, given_NK),
        mean_average_precision=float(np.mean(precisions)),
        class_f1={label: score.f1 for label, score in scores.items()},
        class_precision={label: score.precision for label, score in scores.items()},
        class_recall={label: score.recall for label, score in scores.items()},
        seconds=time.monotonic() - started,
    )


def table(results: Sequence[Result], against: str = "Tagloom") -> str:
    """Markdown: macro-F1 with spread and weighted-F1 by method and gold, with the paired difference to ``against``."""
    sizes = sorted({result.gold_families for result in results})
    names = list(dict.fromkeys(result.method for result in results))
    by_place = _by_place(results)
    lines = [
        "| method | " + " | ".join(f"{size} gold products" for size in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for name in names:
        cells = [_cell(by_place.get((name, size), {}), by_place.get((against, size), {})) for size in sizes]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_place(results: Sequence[Result]) -> dict[tuple[str, int], dict[int, Result]]:
    places: dict[tuple[str, int], dict[int, Result]] = {}
    for result in results:
        places.setdefault((result.method, result.gold_families), {})[result.seed] = result
    return places


def _cell(mine: Mapping[int, Result], reference: Mapping[int, Result]) -> str:
    if not mine:
        return ""
    macro = np.array([result.macro_f1 for result in mine.values()])
    weighted = np.mean([result.weighted_f1 for result in mine.values()])
    cell = f"{macro.mean():.3f} ± {macro.std():.3f} / {weighted:.3f}"
    paired = [mine[seed].macro_f1 - reference[seed].macro_f1 for seed in mine.keys() & reference.keys()]
    return cell if not any(paired) else f"{cell} ({np.mean(paired):+.3f})"
