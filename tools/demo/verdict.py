"""Judge whether the demo showed what it promises, condition by condition."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.demo.table import Row
from tools.demo.traffic import Tally

NEEDED_VERSIONS = 3


@dataclass(frozen=True)
class Condition:
    """One promise and whether it is kept. ``text`` gives the figures."""

    holds: bool
    text: str


@dataclass(frozen=True)
class DemoVerdict:
    conditions: tuple[Condition, ...]

    @property
    def passed(self) -> bool:
        return all(condition.holds for condition in self.conditions)

    def lines(self) -> list[str]:
        """Return a line for each condition, then one for all."""
        lines = [f"  {'yes' if condition.holds else 'NO '}  {condition.text}" for condition in self.conditions]
        failed = sum(not condition.holds for condition in self.conditions)
        return [*lines, "All of it holds." if self.passed else f"{failed} of {len(lines)} conditions do not hold."]


def judge(rows: Sequence[Row], baseline: float, versions: Sequence[str], tally: Tally, stop: str = "") -> DemoVerdict:
    """Return the verdict on the table's rows (cold start first), the published versions in answers, and all requests.

    ``stop`` says why the run ended too early; empty if it did not.
    """
    conditions = [Condition(False, stop)] if stop else []
    if len(rows) < 2:
        conditions.append(Condition(False, "served predictions could be measured before and after gold"))
    else:
        cold, final = rows[0].scores.macro_f1, rows[-1].scores.macro_f1
        conditions += [
            Condition(final > cold, f"final macro-F1 {final:.3f} beats the cold start's {cold:.3f}"),
            Condition(
                final > baseline,
                f"final macro-F1 {final:.3f} beats {baseline:.3f} of always giving the majority's labels",
            ),
        ]
    seen = f"{len(versions)} published versions seen in answers ({', '.join(versions) or 'none'})"
    conditions.append(Condition(len(versions) >= NEEDED_VERSIONS, f"{seen}, at least {NEEDED_VERSIONS} wanted"))
    none_failed = "no request failed"
    if tally.failures:
        text = f"{none_failed}: {len(tally.failures)} of {tally.sent} did, the first: {tally.failures[0]}"
        conditions.append(Condition(False, text))
    else:
        conditions.append(Condition(tally.sent > 0, f"{none_failed} ({tally.sent} sent)"))
    return DemoVerdict(tuple(conditions))
