"""The guard against collapse: a version that gives a label to far fewer or far more items needs gold that shows why.

Misread gold teaches that a label never applies, and F1 on the same gold does not show the error. So the label's share
of the pool is compared as well. It may fall below a third of the served version's share, or rise above three times that
share, only if people have removed (or added) the label on enough gold items.

Shape suffixes: N items, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.promotion.gate import Booleans

FACTOR = 3
# Least change of a label, in items of the pool; smaller changes happen by chance.
FEWEST_CHANGED = 5
# Least number of gold items that show that people removed or added the label.
FEWEST_SEEN = 10


@dataclass(frozen=True)
class Shift:
    """The answers of the served version and of a candidate to items of the pool."""

    labels: Sequence[str]
    served_NK: Booleans
    candidate_NK: Booleans

    def suspects(self) -> list[int]:
        """Return the indices of labels whose share has collapsed or exploded.

        A label that the served version never gives has no share to compare with: gold alone judges it.
        """
        served_K, candidate_K = self.served_NK.sum(0).tolist(), self.candidate_NK.sum(0).tolist()
        return [
            k
            for k, (served, candidate) in enumerate(zip(served_K, candidate_K, strict=True))
            if served
            and abs(candidate - served) >= FEWEST_CHANGED
            and (FACTOR * candidate < served or candidate > FACTOR * served)
        ]

    def reason(self, k: int, seen: int) -> str:
        """Return why a version is refused for label ``k``, for which only ``seen`` gold items justify the change."""
        items = len(self.served_NK)
        served, candidate = int(self.served_NK[:, k].sum()), int(self.candidate_NK[:, k].sum())
        did = "removed" if candidate < served else "added"
        return (
            f"{self.labels[k]} would be given to {candidate} of {items} items after {served}, and only {seen} fully "
            f"read gold items show that people {did} it (needed: {FEWEST_SEEN}); "
            "`tagloom promote` makes it serve all the same"
        )


def collapse(shift: Shift, gold_NK: Booleans, served_NK: Booleans) -> str:
    """Return why the candidate is refused; empty if it is not.

    ``gold_NK`` are the labels of fully read gold items that people have changed, ``served_NK`` the served version's
    answers to these items.
    """
    for k in shift.suspects():
        fell = shift.candidate_NK[:, k].sum() < shift.served_NK[:, k].sum()
        wanted_N = ~gold_NK[:, k] & served_NK[:, k] if fell else gold_NK[:, k] & ~served_NK[:, k]
        if (seen := int(wanted_N.sum())) < FEWEST_SEEN:
            return shift.reason(k, seen)
    return ""
