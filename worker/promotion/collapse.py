"""The guard against collapse: a version that suddenly gives a label to almost no item, or to many more, must show why.

Gold that was misread teaches that a label is never there, and F1 on such gold agrees. So the label's share of the pool
is looked at, too: it may fall below a third of what the served version gives, or rise above three times that, only if
people were seen to remove (or add) the label on enough items.

Shape suffixes: N items, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.promotion.gate import Booleans

FACTOR = 3
FEWEST_CHANGED = 5  # items of the pool; fewer come and go by chance
FEWEST_SEEN = 10  # gold items that show that people removed or added the label


@dataclass(frozen=True)
class Shift:
    """How often each label is given in the pool: by the served version and by a candidate."""

    labels: Sequence[str]
    served_NK: Booleans
    candidate_NK: Booleans

    def suspects(self) -> list[int]:
        """Places of labels whose share has collapsed or exploded.

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
        """Why a version is refused for label ``k``, of which ``seen`` gold items show that people wanted it so."""
        items = len(self.served_NK)
        served, candidate = int(self.served_NK[:, k].sum()), int(self.candidate_NK[:, k].sum())
        did = "removed" if candidate < served else "added"
        return (
            f"{self.labels[k]} would be given to {candidate} of {items} items after {served}, and only {seen} fully "
            f"read gold items show that people {did} it (needed: {FEWEST_SEEN}); "
            "`tagloom promote` makes it serve all the same"
        )


def collapse(shift: Shift, gold_NK: Booleans, served_NK: Booleans) -> str:
    """Why the candidate is refused; empty when it is not. ``gold_NK`` are fully read gold items that people worked on,
    ``served_NK`` what the served version gives them."""
    for k in shift.suspects():
        fell = shift.candidate_NK[:, k].sum() < shift.served_NK[:, k].sum()
        wanted_N = ~gold_NK[:, k] & served_NK[:, k] if fell else gold_NK[:, k] & ~served_NK[:, k]
        if (seen := int(wanted_N.sum())) < FEWEST_SEEN:
            return shift.reason(k, seen)
    return ""
