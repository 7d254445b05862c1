"""The gate: a version may serve only if it is not worse than the served one on gold on which neither was trained.

Non-inferiority by a paired bootstrap over families: the one-sided 90 % lower bound of the difference in macro-F1
must not fall below -0.02. (It is the lower end of a two-sided 80 % interval.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.metrics import GoldLabels, macro_f1, paired_bootstrap

MARGIN = 0.02
LEVEL = 0.8
DRAWS = 300
FEWEST_ITEMS = 40
FEWEST_POSITIVES = 5

Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class JudgedAnswers:
    """Answers of both versions to gold items on which neither was trained, items × classes.

    ``known_NK`` is False where the gold is unknown; answers do not count there. ``by_hand_N`` is True for items whose
    gold differs from the proposal, or for which nothing was proposed.
    """

    basis: str
    gold_NK: Booleans
    known_NK: Booleans
    served_NK: Booleans
    candidate_NK: Booleans
    families: Sequence[str]
    by_hand_N: Booleans

    def scores(self, rows_N: Booleans) -> tuple[float, float]:
        """Return the macro-F1 of the served version and of the candidate on these items."""
        known_NK = self.known_NK[rows_N]
        gold_NK = self.gold_NK[rows_N] & known_NK
        return (
            macro_f1(gold_NK, self.served_NK[rows_N] & known_NK),
            macro_f1(gold_NK, self.candidate_NK[rows_N] & known_NK),
        )


@dataclass(frozen=True)
class Verdict:
    """The decision of the gate, with a reason for `tagloom versions` and the figures behind it."""

    accepted: bool
    reason: str
    metrics: dict[str, Any]


def is_enough(held_out_NK: Booleans, all_NK: Booleans) -> bool:
    """Return whether held-out gold alone may decide: it needs enough items, and enough positives of each used class."""
    used_K = all_NK.sum(0) >= FEWEST_POSITIVES
    return len(held_out_NK) >= FEWEST_ITEMS and bool((held_out_NK.sum(0) >= FEWEST_POSITIVES)[used_K].all())


def judge(evidence: JudgedAnswers, *, must_gain: bool, seed: int = 0) -> Verdict:
    """Compare a candidate with the served version; with `must_gain` it must be better, not only not worse.

    The verdict's metrics say on how many items it is based, and how many points of macro-F1 the candidate is better
    than the served version on the same items. With fewer than FEWEST_ITEMS the reason names no macro-F1.
    """
    if not evidence.known_NK.any():
        return Verdict(False, "no gold to judge it by", {"basis": evidence.basis, "items": 0})
    comparison = paired_bootstrap(
        GoldLabels(evidence.gold_NK, evidence.known_NK, evidence.families),
        evidence.served_NK,
        evidence.candidate_NK,
        draws=DRAWS,
        level=LEVEL,
        seed=seed,
    )
    served, candidate = evidence.scores(np.ones(len(evidence.gold_NK), dtype=bool))
    count, changed = len(evidence.gold_NK), int(evidence.by_hand_N.sum())
    metrics: dict[str, Any] = {
        "basis": evidence.basis,
        "items": count,
        "macro_f1": candidate,
        "served_macro_f1": served,
        "difference": comparison.difference,
        "lower_bound": comparison.low,
    }
    figures = f"macro-F1 {candidate:.3f} after {served:.3f} on {count} {evidence.basis} items"
    if count < FEWEST_ITEMS:
        figures = f"{count} {evidence.basis} items, too few for a macro-F1"
    if changed < count:
        served_by_hand, by_hand = evidence.scores(evidence.by_hand_N)
        metrics |= {"items_by_hand": changed, "macro_f1_by_hand": by_hand, "served_macro_f1_by_hand": served_by_hand}
        if changed >= FEWEST_ITEMS:
            figures += f" ({by_hand:.3f} after {served_by_hand:.3f} on the {changed} that people changed)"
        else:
            figures += f" ({changed} of them changed by people)"
    if comparison.low < -MARGIN:
        return Verdict(False, f"may be worse: {figures}, lower bound {comparison.low:+.3f}", metrics)
    if must_gain and comparison.difference <= 0:
        return Verdict(False, f"no gain: {figures}", metrics)
    return Verdict(True, f"{figures}, lower bound {comparison.low:+.3f}", metrics)
