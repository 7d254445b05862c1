"""Which read block and which region of a picture shows which label, learned from gold rectangles and from tags.

The states of the network are its inputs: what a block says and where it stands, after picture and text attended to each
other. A logistic regression for each label answers every block and every region. A gold rectangle tells which places
lie inside it. Tags alone are bags: a denied tag denies all places, a given tag wants at least one of them (noisy-or).

    P(block b shows k) = sigmoid(w_k · t_b + c_k)      P(region r shows k) = sigmoid(v_k · x_r + d_k)
    P(k from its places) = sigmoid(e_k + a_k · the largest logit of a block + b_k · that of a region)

The network's own attention is not taught by rectangles: that made the tags worse (docs/results.md).

Sources: Maron and Lozano-Pérez, A framework for multiple-instance learning, 1998; Ilse et al., Attention-based deep
multiple instance learning, 2018.

Shape suffixes: N items, T segments, R regions, P places (segments, then regions), D width, K classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, logsigmoid

from model.attention.batching import GRID, Batch, kept_blocks
from model.attention.network import Network
from model.features.item import ItemFeatures
from model.items import Box, Gold
from model.state import State, prefixed

INSIDE, OUTSIDE = 0.5, 0.2
"""A block with more than this share inside a gold rectangle shows its label; one with less than the other does not."""
STEPS = 200
RATE = 0.03
PENALTY = 1e-3
"""Steps and learning rate of Adam over all gold, and the weight of the squared coefficients in the loss."""
BAGS = 0.3
"""The weight of the tags' loss beside that of the rectangles."""
FIRST = -3.0
"""The first bias: a place shows a label rarely."""
LEAST = 1e-4
MOST = 2000
"""The most gold items that are learned from: those with rectangles first."""


@dataclass(frozen=True)
class Places:
    """Probabilities that each segment (N, T, K) and each region (N, R, K) shows each label; 0 for padding.

    Segment 0 is the title, which has no place: its probability is 0.
    """

    block_NTK: Tensor
    region_NRK: Tensor

    def strongest(self) -> Tensor:
        """Return the (N, K, 2) logits of the strongest block and the strongest region for each label."""
        pairs = (self.block_NTK.amax(1), self.region_NRK.amax(1))
        return torch.stack([pair_NK.clamp(LEAST, 1 - LEAST).logit() for pair_NK in pairs], dim=2)


@dataclass(frozen=True)
class BlockReader:
    """The coefficients of all labels: for segments and for regions, with the means and scales of the states.

    ``tag_K3`` are those of the tags: the bias, the strongest block, the strongest region.

        reader = BlockReader.fit(network, batch, items, gold, labels)
        places = reader.places(network, batch)
    """

    mean_D: Tensor
    scale_D: Tensor
    region_mean_D: Tensor
    region_scale_D: Tensor
    block_DK: Tensor
    block_bias_K: Tensor
    region_DK: Tensor
    region_bias_K: Tensor
    tag_K3: Tensor

    @classmethod
    def fit(
        cls, network: Network, batch: Batch, items: Sequence[ItemFeatures], gold: Sequence[Gold], labels: Sequence[str]
    ) -> "BlockReader":
        """Learn from gold items. ``batch`` are the network's inputs of the items."""
        block_NTD, region_NRD = network.states(batch)
        text_NT, cell_NR = _masks(batch)
        target_NTK, cover_NRK, drawn_NK, tag_NK = _targets(items, gold, labels, text_NT.shape[1])
        block_mean_D, block_scale_D = _spread(block_NTD[text_NT])
        region_mean_D, region_scale_D = _spread(region_NRD[cell_NR])
        inputs_NTD = (block_NTD - block_mean_D) / block_scale_D
        cells_NRD = (region_NRD - region_mean_D) / region_scale_D
        width, classes = block_NTD.shape[2], len(labels)
        weights = [torch.zeros(width, classes, requires_grad=True) for _ in range(2)]
        biases = [torch.full((classes,), FIRST, requires_grad=True) for _ in range(2)]
        adam = torch.optim.Adam([*weights, *biases], lr=RATE)
        known_NTK = text_NT[..., None] & drawn_NK[:, None] & ~target_NTK.isnan()
        known_NRK = cell_NR[..., None] & drawn_NK[:, None].expand(-1, cell_NR.shape[1], -1)
        tagged_NK = ~tag_NK.isnan()
        for _ in range(STEPS):
            block_NTK = inputs_NTD @ weights[0] + biases[0]
            region_NRK = cells_NRD @ weights[1] + biases[1]
            loss = PENALTY * sum(weight.square().sum() for weight in weights)
            for logit, target, known in (
                (block_NTK, target_NTK.nan_to_num(0.0), known_NTK),
                (region_NRK, cover_NRK, known_NRK),
            ):
                lost = binary_cross_entropy_with_logits(logit, target, reduction="none") * known
                loss = loss + lost.sum() / known.sum().clamp(min=1)
            nothing_NTK = logsigmoid(-block_NTK) * text_NT[..., None]
            nothing_NRK = logsigmoid(-region_NRK) * cell_NR[..., None]
            some_NK = (1 - (nothing_NTK.sum(1) + nothing_NRK.sum(1)).exp()).clamp(LEAST, 1 - LEAST)
            bag_NK = binary_cross_entropy(some_NK, tag_NK.nan_to_num(0.0), reduction="none") * tagged_NK
            loss = loss + BAGS * bag_NK.sum() / tagged_NK.sum().clamp(min=1)
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
        reader = cls(
            block_mean_D,
            block_scale_D,
            region_mean_D,
            region_scale_D,
            weights[0].detach(),
            biases[0].detach(),
            weights[1].detach(),
            biases[1].detach(),
            torch.zeros(classes, 3),
        )
        strongest_NK2 = reader.places(network, batch).strongest()
        return replace(reader, tag_K3=_tag_coefficients(strongest_NK2, tag_NK))

    def places(self, network: Network, batch: Batch) -> Places:
        """Return which places show which labels."""
        return self.shown(batch, *network.states(batch))

    def shown(self, batch: Batch, block_NTD: Tensor, region_NRD: Tensor) -> Places:
        """Return which places show which labels, from the network's states of the batch."""
        text_NT, cell_NR = _masks(batch)
        block_NTK = ((block_NTD - self.mean_D) / self.scale_D) @ self.block_DK + self.block_bias_K
        region_NRK = ((region_NRD - self.region_mean_D) / self.region_scale_D) @ self.region_DK + self.region_bias_K
        return Places(block_NTK.sigmoid() * text_NT[..., None], region_NRK.sigmoid() * cell_NR[..., None])

    def tags(self, places: Places) -> Tensor:
        """Return the (N, K) probability of each label that follows from the places."""
        logit_NK = self.tag_K3[:, 0] + (places.strongest() * self.tag_K3[:, 1:]).sum(2)
        return logit_NK.sigmoid()

    def state(self) -> State:
        return State(prefixed("blocks.", vars(self)))

    @classmethod
    def from_state(cls, state: State) -> "BlockReader | None":
        """Make the reader again from the tagger's ``state()``. Return None if none was trained."""
        tensors = state.under("blocks.")
        return cls(**tensors) if tensors else None


def _tag_coefficients(strongest_NK2: Tensor, tag_NK: Tensor) -> Tensor:
    """Return the (K, 3) coefficients with which tags follow from the strongest places.

    A label whose gold is all yes or all no has its share as probability, whatever the places show.
    """
    coefficient_K3 = torch.zeros(tag_NK.shape[1], 3)
    for k, tag_N in enumerate(tag_NK.T):
        known_N = ~tag_N.isnan()
        yes, count = int(tag_N[known_N].sum()), int(known_N.sum())
        if 0 < yes < count:
            fitted = LogisticRegression().fit(strongest_NK2[known_N, k].numpy(), tag_N[known_N].numpy())
            coefficient_K3[k] = torch.from_numpy(np.concatenate([fitted.intercept_, fitted.coef_[0]]))
        else:
            coefficient_K3[k, 0] = math.log((yes + 1) / (count - yes + 1))
    return coefficient_K3


def _masks(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return which segments are read blocks, and which regions are there."""
    text_NT = batch.segment_mask_NT.clone()
    text_NT[:, 0] = False
    return text_NT, batch.region_mask_NR


def _spread(states_ND: Tensor) -> tuple[Tensor, Tensor]:
    if not len(states_ND):
        return torch.zeros(states_ND.shape[1]), torch.ones(states_ND.shape[1])
    return states_ND.mean(0), states_ND.std(0, correction=0) + 1e-3


def _targets(
    items: Sequence[ItemFeatures], gold: Sequence[Gold], labels: Sequence[str], segments: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what the gold says of places, and of whole items.

    These are: whether each segment shows each label (NaN for in between), the share of each region that gold covers,
    for which items the rectangles of a label are known, and the tags (NaN for unknown).
    """
    target_NTK = torch.zeros(len(items), segments, len(labels))
    cover_NRK = torch.zeros(len(items), GRID * GRID, len(labels))
    drawn_NK = torch.zeros(len(items), len(labels), dtype=torch.bool)
    tag_NK = torch.full((len(items), len(labels)), torch.nan)
    cells = [
        Box(column / GRID, row / GRID, (column + 1) / GRID, (row + 1) / GRID)
        for row in range(GRID)
        for column in range(GRID)
    ]
    for n, (item, entry) in enumerate(zip(items, gold, strict=True)):
        blocks = [item.blocks[b].box for b in kept_blocks(item)]
        for k, label in enumerate(labels):
            said = entry.says(label)
            tag_NK[n, k] = torch.nan if said is None else float(said)
            # Nobody drew in a picture without rectangles that has tags; without tags it is known to have no element.
            drawn_NK[n, k] = (bool(entry.boxes) or not said) and label not in entry.unknown_boxes and said is not None
            gold_boxes = [one.box for one in entry.boxes or () if one.label == label]
            for place, box in enumerate(blocks, start=1):
                share = max((box.share_inside(drawn) for drawn in gold_boxes), default=0.0)
                target_NTK[n, place, k] = 1.0 if share > INSIDE else 0.0 if share < OUTSIDE else torch.nan
            for place, cell in enumerate(cells):
                cover_NRK[n, place, k] = max((cell.share_inside(drawn) for drawn in gold_boxes), default=0.0)
    return target_NTK, cover_NRK, drawn_NK, tag_NK
