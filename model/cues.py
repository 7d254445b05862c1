"""Cues: what the read text, its places and the title say about each element class, with no training at all.

Shape suffixes: N items, K classes, B blocks of one item, F cues.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from model.features import ItemFeatures
from model.items import TextBlock
from model.lexicon import Cue, Kind, Lexicon

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_BRAND_END = re.compile(r"[\s/|,,·\-]+")


@dataclass(frozen=True)
class CueSet:
    """The cues of a project's labels, in the order of the labels and of the lexicon."""

    labels: tuple[str, ...]
    lexicon: Lexicon

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        return self.lexicon.kinds_of(self.labels)

    @cached_property
    def cues(self) -> tuple[tuple[int, Cue], ...]:
        """Each cue with the index of the class it speaks for."""
        return tuple((k, cue) for k, kind in enumerate(self.kinds) for cue in kind.cues)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.labels[k]}: {cue.name}" for k, cue in self.cues)

    @cached_property
    def prior_K(self) -> Tensor:
        """Log-odds of each class when no cue speaks."""
        return torch.logit(torch.tensor([kind.share for kind in self.kinds], dtype=torch.float64))

    def opinions(self, items: Sequence[ItemFeatures]) -> Tensor:
        """(F, N, K) log-odds that each cue adds; 0 where it has nothing to say."""
        opinions_FNK = torch.zeros(len(self.cues), len(items), len(self.labels), dtype=torch.float64)
        for n, item in enumerate(items):
            reading = _Reading(item)
            for f, (k, cue) in enumerate(self.cues):
                opinions_FNK[f, n, k] = cue.weight if reading.fires(cue, self.kinds[k]) else cue.otherwise
        return opinions_FNK

    def probabilities(self, items: Sequence[ItemFeatures]) -> Tensor:
        """(N, K) probabilities of the cues alone: the cold start."""
        return torch.sigmoid(self.prior_K + self.opinions(items).sum(0))

    def block_flags(self, item: ItemFeatures) -> Tensor:
        """(B, F) 1 where a read block by itself meets a cue's conditions (counts over the whole picture aside)."""
        reading = _Reading(item)
        flags_BF = torch.zeros(len(item.blocks), len(self.cues))
        for f, (k, cue) in enumerate(self.cues):
            if cue.where == "reading":
                flags_BF[:, f] = torch.tensor([reading.meets(block, cue, self.kinds[k]) for block in item.blocks])
        return flags_BF


def brand_names(title: str) -> tuple[str, ...]:
    """The brand that a shop title starts with, in each of its writings: ``"Konka/康佳 LED…"`` gives konka and 康佳."""
    first = [part.casefold() for part in _BRAND_END.split(title)[:2]]
    return tuple(part for part in first if len(part) > 1)


class _Reading:
    """One item's texts, as the cues look at them."""

    def __init__(self, item: ItemFeatures) -> None:
        self.item = item
        self.brands = brand_names(item.title)

    def fires(self, cue: Cue, kind: Kind) -> bool:
        if cue.where == "title":
            return _text_meets(_left(self.item.title, kind), cue, ())
        if not self.item.blocks:
            return False
        met = [block for block in self.item.blocks if self.meets(block, cue, kind)]
        if len(met) < cue.blocks:
            return False
        return sum(len(_CHINESE.findall(block.text)) for block in met) >= cue.chinese

    def meets(self, block: TextBlock, cue: Cue, kind: Kind) -> bool:
        placed = cue.below <= block.box.top <= cue.above
        return placed and block.box.height >= cue.taller and _text_meets(_left(block.text, kind), cue, self.brands)


def _left(text: str, kind: Kind) -> str:
    return kind.negation.sub("", text) if kind.negation else text


def _text_meets(text: str, cue: Cue, brands: tuple[str, ...]) -> bool:
    if not cue.shortest <= len(text) or (cue.longest is not None and len(text) > cue.longest):
        return False
    if cue.brand and not any(brand in text.casefold() for brand in brands):
        return False
    if cue.pattern and not cue.search.search(text):
        return False
    return cue.whole is None or cue.whole.fullmatch(text.strip()) is not None
