"""Contestants that do the same work in turn, so that a noisy machine disturbs all of them alike."""

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

median = statistics.median


@dataclass(frozen=True)
class Result:
    """What one contestant reached.

    ``seconds`` are those of each turn, ``amount`` is the work of one turn, in ``unit`` (such as pictures).
    """

    name: str
    seconds: Sequence[float]
    amount: float
    unit: str

    @property
    def rate(self) -> float:
        """The work in a second, by the median turn."""
        return self.amount / median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The work in a second of the slowest and of the fastest turn."""
        return self.amount / max(self.seconds), self.amount / min(self.seconds)


def in_turn(work: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each contestant's turns, after one that is not measured."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeats + 1):
        for name, each in work.items():
            began = time.perf_counter()
            each()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def report(question: str, results: Sequence[Result], machine: Mapping[str, object], **more: object) -> None:
    """Print a Markdown table, with ratios to the first result, and one line of JSON with everything.

    ``more`` are further figures of the question, such as the share of blocks that agree.
    """
    first = results[0].rate
    print(f"\n**{question}**\n\n| | {results[0].unit}/s | slowest–fastest | ratio |\n|---|---:|---:|---:|")
    for result in results:
        slowest, fastest = result.spread
        print(f"| {result.name} | {result.rate:.4g} | {slowest:.4g}–{fastest:.4g} | {result.rate / first:.2f} |")
    for name, value in more.items():
        print(f"\n{name.replace('_', ' ')}: {value}")
    rates = {result.name: round(result.rate, 4) for result in results}
    seconds = {result.name: [round(each, 5) for each in result.seconds] for result in results}
    print("\n" + json.dumps({"question": question, "rates": rates, "unit": results[0].unit, "seconds": seconds,
                             **more, "machine": dict(machine)}, ensure_ascii=False), flush=True)  # fmt: skip
