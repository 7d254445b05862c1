"""Looks: crops of gold rectangles as prototypes, by which a mark or a gift that was seen before is found again.

    margin(c) = max_p  v(c)·v(p) − rival_p,     v = √½ [grid ; grey]

``grid`` is the mean of the encoder's grid over the crop, centred on the pool's mean cell and of unit length; ``grey``
is the crop at 16 × 8 grey pixels, centred and of unit length. ``rival_p`` is the largest similarity of prototype p to a
candidate that gold says is something else. So a crop has a margin above 0 only where it is more like the prototype than
anything that only resembles it (a nearest neighbour with a radius of its own; Reilly et al., 1982). A picture is looked
at without the prototypes and the rivals of its own product family.

Shape suffixes: N candidates, P prototypes, D width of a crop's vector, C image width, L labels, R rows and S columns of
the grey raster; 4 edges.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.boxes.describe import box_sums
from model.boxes.forest import Floats
from model.boxes.head import QUALITY_FROM
from model.boxes.nms import ious, to_tensor
from model.features.item import ItemFeatures
from model.items import Box
from model.state import State, prefixed

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int_]

ROWS, COLUMNS = 8, 16
"""The raster of a crop's grey pixels."""
MOST = 400
"""The most prototypes of one label; of more, every n-th is kept."""
OTHER_INDUSTRY = 0.05
"""What the margin to a gift of another industry (its first level) loses: sets belong to industries, logos do not."""
PROPOSED = 3
"""The most places at which a picture is looked at because a prototype stood there, for each label."""
NOTHING = -0.5
"""The margin without any prototype; the least margin that counts."""
UNLIKE = -2.0


@dataclass(frozen=True)
class Shown:
    """One gold rectangle: the row of its item, the column of its label, and its place."""

    row: int
    column: int
    box: Box


@dataclass(frozen=True, eq=False)
class Looks:
    """Prototypes of some of a box model's labels; ``columns`` are these labels' places among all.

    ``rival_P2`` are the largest similarities in two product families, ``rival_family_P`` the first of the two;
    ``hidden`` are families whose prototypes and rivals are left out.

        looks = Looks.learn(pool, shown, denied, families, columns=(2,))
        margin_NL = looks.without({"shirt"}).margins(item, boxes_N4)
    """

    columns: tuple[int, ...]
    gifts: frozenset[int]
    mean_C: Tensor
    vector_PD: Tensor
    place_P4: Tensor
    column_P: tuple[int, ...]
    industry_P: tuple[str, ...]
    rival_P2: Tensor
    family_P: tuple[str, ...] = ()
    rival_family_P: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()

    @classmethod
    def learn(
        cls,
        pool: Sequence[ItemFeatures],
        shown: Sequence[Shown],
        others: Mapping[int, tuple[Tensor, frozenset[int]]],
        families: Sequence[str],
        columns: Sequence[int],
        gifts: Collection[int] = (),
    ) -> "Looks | None":
        """Return the prototypes of gold rectangles; None where there are none that can be learned from.

        ``others`` are the candidates of each gold item, and the columns of the labels whose rectangles (or absence) the
        gold of the item knows: all candidates that overlap no rectangle of such a label are its rivals.
        """
        usable = [one for one in shown if one.column in columns and len(pool[one.row].grid_RC)]
        kept: list[Shown] = []
        for column in columns:
            own = [one for one in usable if one.column == column]
            kept += own[:: max(1, -(-len(own) // MOST))]
        if not kept:
            return None
        cells = [normalize(pool[row].grid_RC.float(), dim=1).mean(0) for row in sorted({one.row for one in kept})]
        mean_C = torch.stack(cells).mean(0)
        found = cls(
            tuple(columns),
            frozenset(gifts),
            mean_C,
            torch.cat([crops(pool[one.row], to_tensor([one.box]), mean_C) for one in kept]),
            to_tensor([one.box for one in kept]),
            tuple(one.column for one in kept),
            tuple("".join(pool[one.row].industry[:1]) for one in kept),
            torch.full((len(kept), 2), UNLIKE),
            tuple(families[one.row] for one in kept),
            ("",) * len(kept),
        )
        drawn: dict[tuple[int, int], list[Box]] = {}
        for one in shown:
            drawn.setdefault((one.row, one.column), []).append(one.box)
        best: dict[str, Tensor] = {}
        column_P = torch.tensor(found.column_P)
        for row, (boxes_N4, known) in others.items():
            if not len(boxes_N4) or not len(pool[row].grid_RC):
                continue
            similarity_NP = crops(pool[row], boxes_N4, mean_C) @ found.vector_PD.T
            for column in columns:
                rectangles = drawn.get((row, column), [])
                if column not in known:
                    is_other_N = torch.zeros(len(boxes_N4), dtype=torch.bool)
                elif rectangles:
                    is_other_N = ious(boxes_N4, to_tensor(rectangles)).max(1).values < QUALITY_FROM
                else:
                    is_other_N = torch.ones(len(boxes_N4), dtype=torch.bool)
                similarity_NP[~is_other_N[:, None] & (column_P == column)] = UNLIKE
            of_family = best.setdefault(families[row], torch.full((len(kept),), UNLIKE))
            best[families[row]] = torch.maximum(of_family, similarity_NP.max(0).values)
        if not best:
            return found
        names = list(best)
        top_PJ, place_PJ = torch.stack([best[name] for name in names], dim=1).topk(min(2, len(names)), dim=1)
        rival_P2 = torch.cat([top_PJ, torch.full((len(kept), 2 - top_PJ.shape[1]), UNLIKE)], dim=1)
        return replace(
            found, rival_P2=rival_P2, rival_family_P=tuple(names[place] for place in place_PJ[:, 0].tolist())
        )

    def without(self, families: Collection[str]) -> "Looks":
        """Return the looks without what these product families have taught."""
        return replace(self, hidden=frozenset(families))

    def margins(self, item: ItemFeatures, boxes_N4: Tensor) -> Floats:
        """Return the largest margin (N, L) of each candidate over the prototypes of each label, at least -.5."""
        margins_NL = np.full((len(boxes_N4), len(self.columns)), NOTHING, dtype=np.float32)
        if not len(boxes_N4) or not len(item.grid_RC):
            return margins_NL
        margin_NP = crops(item, boxes_N4, self.mean_C) @ self.vector_PD.T - self._radius(item)
        for place, column in enumerate(self.columns):
            own = [p for p, other in enumerate(self.column_P) if other == column]
            if own:
                margins_NL[:, place] = margin_NP[:, own].max(1).values.clamp(min=NOTHING).numpy()
        return margins_NL

    def proposing(self, item: ItemFeatures) -> ItemFeatures:
        """Return the item with boxes where a prototype stood in its own picture and the item shows the same there."""
        if not len(item.grid_RC):
            return item
        alike_P = (crops(item, self.place_P4, self.mean_C) * self.vector_PD).sum(1) - self._radius(item)
        boxes: list[Box] = []
        for column in self.columns:
            own = [p for p, other in enumerate(self.column_P) if other == column and float(alike_P[p]) > 0]
            best = sorted(own, key=lambda p: -float(alike_P[p]))[:PROPOSED]
            boxes += [Box(*(round(edge, 4) for edge in self.place_P4[p].tolist())) for p in best]
        if not boxes:
            return item
        return replace(item, said=replace(item.said, boxes=(*item.said.boxes, *dict.fromkeys(boxes))))

    def _radius(self, item: ItemFeatures) -> Tensor:
        """Return the similarity (P,) above which a crop of this item counts as the prototype; 2 for none."""
        industry = "".join(item.industry[:1])
        radius_P = self.rival_P2[:, 0].clone()
        for p, column in enumerate(self.column_P):
            if self.hidden and self.rival_family_P[p] in self.hidden:
                radius_P[p] = self.rival_P2[p, 1]
            if column in self.gifts and self.industry_P[p] != industry:
                radius_P[p] += OTHER_INDUSTRY
            if self.hidden and self.family_P[p] in self.hidden:
                radius_P[p] = -UNLIKE
        return radius_P

    def state(self) -> State:
        """Return what served answers depend on: families are left out."""
        tensors = {
            "mean_C": self.mean_C,
            "vector_PD": self.vector_PD.half(),
            "place_P4": self.place_P4,
            "rival_P2": self.rival_P2,
        }
        facts = {
            "columns": self.columns,
            "gifts": sorted(self.gifts),
            "column_P": self.column_P,
            "industry_P": self.industry_P,
        }
        return State(prefixed("looks.", tensors), {"looks": facts})

    @classmethod
    def from_state(cls, state: State) -> "Looks | None":
        """Make the looks again from the tagger's ``state()``. Return None if the tagger had none."""
        facts = state.facts.get("looks")
        if facts is None:
            return None
        own = state.under("looks.")
        return cls(
            tuple(facts["columns"]),
            frozenset(facts["gifts"]),
            own["mean_C"],
            own["vector_PD"].float(),
            own["place_P4"],
            tuple(facts["column_P"]),
            tuple(facts["industry_P"]),
            own["rival_P2"],
        )


def crops(item: ItemFeatures, boxes_N4: Tensor, mean_C: Tensor) -> Tensor:
    """Return the (N, D) unit vectors of crops of an item that has a grid."""
    plane = (normalize(item.grid_RC.float(), dim=1) - mean_C).reshape(*item.grid_shape, -1).numpy()
    sums_NC, cells_N = box_sums(plane, boxes_N4.numpy())
    grid_NC = normalize(torch.from_numpy(sums_NC / cells_N[:, None]).float(), dim=1)
    grey_ND = normalize(_grey(item.thumbnail_HW3, boxes_N4), dim=1)
    return torch.cat([grid_NC, grey_ND], dim=1) / 2**0.5


def _grey(thumbnail_HW3: Tensor, boxes_N4: Tensor) -> Tensor:
    """Return the (N, R · S) grey pixels of each crop, less their mean."""
    grey = thumbnail_HW3.numpy().astype(np.float64).mean(2) / 255
    height, width = grey.shape
    total = np.zeros((height + 1, width + 1))
    total[1:, 1:] = grey.cumsum(0).cumsum(1)
    left, top, right, bottom = boxes_N4.numpy().astype(np.float64).T[:, :, None]
    low_NR, high_NR = _edges(top, bottom, ROWS, height)
    low_NS, high_NS = _edges(left, right, COLUMNS, width)
    up, down, west, east = low_NR[:, :, None], high_NR[:, :, None], low_NS[:, None], high_NS[:, None]
    sums_NRS = total[down, east] - total[up, east] - total[down, west] + total[up, west]
    cells_ND = (sums_NRS / ((down - up) * (east - west))).reshape(len(boxes_N4), -1)
    return torch.from_numpy(cells_ND - cells_ND.mean(1, keepdims=True)).float()


def _edges(start_N1: Doubles, end_N1: Doubles, parts: int, pixels: int) -> tuple[Places, Places]:
    """Return the first and the last pixel edge of each part of a side; each part touches at least one pixel."""
    step_N1, number = (end_N1 - start_N1) / parts, np.arange(parts)
    low = np.floor((start_N1 + number * step_N1) * pixels).astype(int).clip(0, pixels - 1)
    high = np.ceil((start_N1 + (number + 1) * step_N1) * pixels).astype(int).clip(1, pixels)
    return low, np.maximum(high, low + 1)
