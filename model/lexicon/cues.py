"""Cues: what the read text, its places and the title say about each element class, with no training at all.

Shape suffixes: N items, K classes, B blocks of one item, F cues.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.items import TextBlock
from model.lexicon.lexicon import Cue, Kind, Lexicon
from model.lexicon.pattern import LONGEST

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_WORD_END = re.compile(r"[\s/|·]+")
_LATIN = re.compile(r"[a-z]{3,}")
_RUN = re.compile(r"[a-z]{3,}|[\u4e00-\u9fff]{2,}")
_CAMPAIGN = re.compile(r"^(\s*【[^】]*】)+")
KEPT = 4096  # items' texts whose cues are kept, at some 5 kB each
OPENING = 12
"""So many characters of a title may hold its brand."""
NAME_LENGTH = 14
"""A text longer than this is a sentence, not a name."""


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
    def has_cues_K(self) -> Tensor:  # noqa: N802  (shape suffix)
        """True for each class that some cue speaks for."""
        return torch.tensor([bool(kind.cues) for kind in self.kinds])

    @cached_property
    def prior_K(self) -> Tensor:  # noqa: N802  (shape suffix)
        """Log-odds of each class when no cue speaks."""
        return torch.logit(torch.tensor([kind.share for kind in self.kinds], dtype=torch.float64))

    def opinions(self, items: Sequence[ItemFeatures]) -> Tensor:
        """(F, N, K) log-odds that each cue adds; 0 where it has nothing to say."""
        opinions_FNK = torch.zeros(len(self.cues), len(items), len(self.labels), dtype=torch.float64)
        speaks_for = [k for k, _ in self.cues]
        for n, item in enumerate(items):
            opinion_F = self._facts_of(item).opinion_F + self._seen(item)
            opinions_FNK[range(len(self.cues)), n, speaks_for] = opinion_F
        return opinions_FNK

    def probabilities(self, items: Sequence[ItemFeatures]) -> Tensor:
        """(N, K) probabilities of the cues alone: the cold start."""
        return torch.sigmoid(self.prior_K + self.opinions(items).sum(0))

    def block_flags(self, item: ItemFeatures) -> Tensor:
        """(B, F) 1 where a read block by itself meets a cue's conditions (counts over the whole picture aside)."""
        return self._facts_of(item).flag_BF

    def block_support(self, item: ItemFeatures) -> Tensor:
        """(B, K) log-odds for each class that cues which fire on the picture add because of a read block."""
        facts = self._facts_of(item)
        support_BK = torch.zeros(len(item.blocks), len(self.labels), dtype=torch.float64)
        for f, (k, cue) in enumerate(self.cues):
            if cue.where == "reading" and facts.fires_F[f] and cue.weight > 0:
                support_BK[:, k] += cue.weight * facts.flag_BF[:, f]
        return support_BK

    def _seen(self, item: ItemFeatures) -> Tensor:
        """(F,) log-odds of the cues that look at the picture itself; 0 for the others, and without a picture."""
        contrast = item.contrast
        seen = [
            0.0
            if contrast is None or cue.where != "picture"
            else (cue.weight if contrast < cue.contrast_below else cue.otherwise)
            for _, cue in self.cues
        ]
        return torch.tensor(seen, dtype=torch.float64)

    def _facts_of(self, item: ItemFeatures) -> "_Facts":
        return self._facts(item.title[:LONGEST], item.blocks)  # what is kept holds no more of a title than is looked at

    @cached_property
    def _facts(self) -> "Callable[[str, tuple[TextBlock, ...]], _Facts]":
        """What cues find in an item's texts, kept: one training asks for it a dozen times."""
        return lru_cache(KEPT)(self._look)

    def _look(self, title: str, blocks: tuple[TextBlock, ...]) -> "_Facts":
        reading = _Reading(title, blocks)
        fires = [reading.fires(cue, self.kinds[k]) for k, cue in self.cues]
        read = [
            0.0 if cue.where == "picture" else cue.weight if fired else cue.otherwise
            for fired, (_, cue) in zip(fires, self.cues, strict=True)
        ]
        flag_BF = torch.zeros(len(blocks), len(self.cues))
        for f, (k, cue) in enumerate(self.cues):
            if cue.where == "reading":
                flag_BF[:, f] = torch.tensor([reading.meets(b, cue, self.kinds[k]) for b in range(len(blocks))])
        return _Facts(torch.tensor(read, dtype=torch.float64), tuple(fires), flag_BF)


@dataclass(frozen=True)
class _Facts:
    """Each cue's log-odds for its class by texts, whether it fires on them, and the blocks on which it does."""

    opinion_F: Tensor
    fires_F: tuple[bool, ...]
    flag_BF: Tensor


def brand_names(title: str) -> tuple[str, ...]:
    """The brand that a shop title starts with, in each of its writings: ``"Konka/康佳 LED…"`` gives konka and 康佳.

    Campaigns in brackets before it are not the brand.
    """
    words = _WORD_END.split(_folded(_CAMPAIGN.sub("", title)))[:2]
    names = [name for word in words for name in (word, *_LATIN.findall(word))]
    return tuple(dict.fromkeys(name for name in names if len(name) > 1))


def names_brand(text: str, title: str, brands: Sequence[str]) -> bool:
    """Whether a read text is the title's brand: holds it, holds a name from the title's start, or nearly one in Latin.

    Chinese titles have no spaces, so that a name is also known by a short text that the title's start repeats;
    readers drop or change a letter of a drawn name, so that four fifths of the letters are enough.
    """
    folded = _folded(text)
    if any(brand in folded for brand in brands):
        return True
    start = _folded(_CAMPAIGN.sub("", title))[:OPENING]
    if len(folded) <= NAME_LENGTH and any(run in start for run in _RUN.findall(folded)):
        return True
    return any(_alike(word, brand) for word in _LATIN.findall(folded) for brand in brands if _LATIN.fullmatch(brand))


def _folded(text: str) -> str:
    """Without case and accents: readers see Í for a drawn I."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().strip())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _alike(word: str, brand: str) -> bool:
    if abs(len(word) - len(brand)) > 2 or min(len(word), len(brand)) < 4:
        return False
    return SequenceMatcher(None, word, brand).ratio() >= 0.8


class _Reading:
    """One item's texts, as the cues look at them."""

    def __init__(self, title: str, blocks: tuple[TextBlock, ...]) -> None:
        self.title = title[:LONGEST]
        self.blocks = [replace(block, text=block.text[:LONGEST]) for block in blocks]
        brands = brand_names(self.title)
        self.is_brand = [names_brand(block.text, self.title, brands) for block in self.blocks]
        self.readable = [block.is_text for block in self.blocks]

    def fires(self, cue: Cue, kind: Kind) -> bool:
        if cue.where == "picture":
            return False
        if cue.where == "title":
            return _text_meets(_left(self.title, kind), cue)
        met = [block for b, block in enumerate(self.blocks) if self.meets(b, cue, kind)]
        if len(met) < cue.blocks:
            return False
        return sum(len(_CHINESE.findall(block.text)) for block in met) >= cue.chinese

    def meets(self, b: int, cue: Cue, kind: Kind) -> bool:
        block = self.blocks[b]
        if not self.readable[b] or (cue.brand is not None and cue.brand != self.is_brand[b]):
            return False
        return _place_meets(block, cue) and _text_meets(_left(block.text, kind), cue)


def _left(text: str, kind: Kind) -> str:
    return kind.negation.taken_out_of(text) if kind.negation else text


def _place_meets(block: TextBlock, cue: Cue) -> bool:
    box = block.box
    at_edge = box.left <= cue.edge or box.right >= 1 - cue.edge
    return at_edge and cue.below <= box.top <= cue.above and box.height >= cue.taller


def _text_meets(text: str, cue: Cue) -> bool:
    if not cue.shortest <= len(text) or (cue.longest is not None and len(text) > cue.longest):
        return False
    if cue.pattern and not cue.search.is_in(text):
        return False
    return cue.whole is None or cue.whole.is_all_of(text.strip())
