"""Groups of look-alikes, for people who label them together.

Leader clustering (Hartigan, Clustering Algorithms, 1975, chapter 3): an item joins the group whose first item, the
leader, is most similar to it, if the similarity reaches a limit; else it leads a group of its own. A group never
changes when items are added, so adding costs only the comparison of new items with the leaders.

Shape suffixes: N items, L leaders, D width of the vectors.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

ALIKE = 0.7
"""Least cosine of two look-alikes. Of 450 pictures of real shops 270 pairs reach it: 68 % show one product, and 79 %
have exactly the same labels (at .6: 564 pairs, 50 %, 68 %; 30 November 2026)."""
BLOCK = 4096  # leaders of one product, which bounds the memory


@dataclass(frozen=True, eq=False)
class LookAlikes:
    """The groups so far, by their leaders: (L, D) float16 vectors of unit length. ``join`` returns a new object."""

    leaders_LD: Tensor

    @classmethod
    def empty(cls, width: int) -> "LookAlikes":
        """Return no groups, of items whose vectors are this wide."""
        return cls(torch.zeros(0, width, dtype=torch.float16))

    def __len__(self) -> int:
        return len(self.leaders_LD)

    def join(self, vectors_ND: Tensor) -> "tuple[LookAlikes, list[int]]":
        """Return the groups with these items, and for each item, in order, the number of its group.

        Groups are numbered in the order in which they began. ``vectors_ND`` are float32 and of unit length, or zero for
        an item of which nothing is known; such an item leads a group of its own.
        """
        best_N, group_N = torch.full((len(vectors_ND),), -2.0), torch.full((len(vectors_ND),), -1)
        for start in range(0, len(self), BLOCK):
            found_NL = vectors_ND @ self.leaders_LD[start : start + BLOCK].float().T
            most_N, at_N = found_NL.max(1)
            group_N = torch.where(most_N > best_N, at_N + start, group_N)
            best_N = torch.maximum(most_N, best_N)
        groups: list[int] = []
        new: list[int] = []
        for row, vector_D in enumerate(vectors_ND):
            group, best = int(group_N[row]), float(best_N[row])
            if new:
                most, at = (vectors_ND[new] @ vector_D).max(0)
                group, best = (len(self) + int(at), float(most)) if most > best else (group, best)
            if best < ALIKE:
                group = len(self) + len(new)
                new.append(row)
            groups.append(group)
        return LookAlikes(torch.cat([self.leaders_LD, vectors_ND[new].half()])), groups
