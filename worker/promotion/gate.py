"""The gate: a version may serve only if gold on which neither was trained does not speak for the served one.

Two scores of the same items are compared, because each sees what the other misses. The log loss of the probabilities
shows with a dozen items what macro-F1 shows with a hundred. Macro-F1 is what people get, thresholds included. A
candidate is refused if

- its macro-F1 is more than .02 lower,
- or its log loss, the mean of all known labels, is more than .03 nats higher,
- or the log loss of one label is more than .05 nats higher, and more of its answers are wrong. Ten items of no
  difference are added to the gold here: few items of one label often differ by chance.

How often a worse version is let through and a good one refused: docs/results.md, "Few gold labels". The limits are
those on estimates, not on bounds of intervals: with few items, a bound refuses most good versions. The lower end of a
paired bootstrap over families is given for information.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.metrics import GoldLabels, macro_f1, paired_bootstrap

MARGIN = 0.02
LOSS_MARGIN = 0.03
LABEL_LOSS_MARGIN = 0.1
# Items of no difference that are added to the gold before the log loss of one label is judged.
PRIOR_ITEMS = 10
# Probabilities are kept this far from 0 and 1 in the log loss, so that one sure error does not decide.
LEAST = 1e-3
LEVEL = 0.8
DRAWS = 300
FEWEST_ITEMS = 40
FEWEST_POSITIVES = 5

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int_]


@dataclass(frozen=True)
class Answers:
    """Answers of one version to N items: which labels it gives, and the probabilities of all, both (N, K)."""

    given_NK: Booleans
    probability_NK: Floats


@dataclass(frozen=True)
class JudgedAnswers:
    """Answers of both versions to gold items on which neither was trained, items × classes.

    ``known_NK`` is False where the gold is unknown; answers do not count there. ``by_hand_N`` is True for items whose
    gold differs from the proposal, or for which nothing was proposed.
    """

    basis: str
    labels: Sequence[str]
    gold_NK: Booleans
    known_NK: Booleans
    served: Answers
    candidate: Answers
    families: Sequence[str]
    by_hand_N: Booleans

    def scores(self, rows_N: Booleans) -> tuple[float, float]:
        """Return the macro-F1 of the served version and of the candidate on these items."""
        known_NK = self.known_NK[rows_N]
        gold_NK = self.gold_NK[rows_N] & known_NK
        return (
            macro_f1(gold_NK, self.served.given_NK[rows_N] & known_NK),
            macro_f1(gold_NK, self.candidate.given_NK[rows_N] & known_NK),
        )

    def errors(self) -> tuple[Integers, Integers]:
        """Return how many answers of each label are wrong: the (K,) counts of the served version and the candidate."""
        served_NK, candidate_NK = (answers.given_NK != self.gold_NK for answers in (self.served, self.candidate))
        return (served_NK & self.known_NK).sum(0), (candidate_NK & self.known_NK).sum(0)

    def losses(self) -> tuple[Floats, Floats]:
        """Return the (N, K) log loss in nats of the served version and of the candidate; 0 where gold is unknown."""
        losses = []
        for answers in (self.served, self.candidate):
            right_NK = np.where(self.gold_NK, answers.probability_NK, 1 - answers.probability_NK)
            losses.append(-np.log(right_NK.clip(LEAST, 1)) * self.known_NK)
        return losses[0], losses[1]


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
    than the served version on the same items. With fewer than FEWEST_ITEMS the reason names no macro-F1 of a version.
    """
    if not evidence.known_NK.any():
        return Verdict(False, "no gold to judge it by", {"basis": evidence.basis, "items": 0})
    comparison = paired_bootstrap(
        GoldLabels(evidence.gold_NK, evidence.known_NK, evidence.families),
        evidence.served.given_NK,
        evidence.candidate.given_NK,
        draws=DRAWS,
        level=LEVEL,
        seed=seed,
    )
    served, candidate = evidence.scores(np.ones(len(evidence.gold_NK), dtype=bool))
    count, changed, known = len(evidence.gold_NK), int(evidence.by_hand_N.sum()), int(evidence.known_NK.sum())
    served_loss_NK, loss_NK = evidence.losses()
    served_loss, loss = float(served_loss_NK.sum()) / known, float(loss_NK.sum()) / known
    metrics: dict[str, Any] = {
        "basis": evidence.basis,
        "items": count,
        "macro_f1": candidate,
        "served_macro_f1": served,
        "difference": comparison.difference,
        "lower_bound": comparison.low,
        "log_loss": loss,
        "served_log_loss": served_loss,
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
    figures += f", log loss {loss:.3f} after {served_loss:.3f}"
    rise_K = (loss_NK - served_loss_NK).sum(0) / (evidence.known_NK.sum(0) + PRIOR_ITEMS)
    served_errors_K, errors_K = evidence.errors()
    spoilt_K = (rise_K > LABEL_LOSS_MARGIN) & (errors_K > served_errors_K)
    faults = []
    if comparison.difference < -MARGIN:
        faults.append(f"macro-F1 falls by {-comparison.difference:.3f}")
    if loss - served_loss > LOSS_MARGIN:
        faults.append("the log loss rises")
    if spoilt_K.any():
        faults.append(f"{evidence.labels[int((rise_K * spoilt_K).argmax())]} is given wrongly more often")
    if faults:
        return Verdict(False, f"may be worse, {' and '.join(faults)}: {figures}", metrics)
    if must_gain and comparison.difference <= 0:
        return Verdict(False, f"no gain: {figures}", metrics)
    return Verdict(True, figures, metrics)
