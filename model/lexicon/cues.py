"""Cues: conditions on the read text, the title or the pixels that give log-odds for labels without any training.

Shape suffixes: N items, K classes, B blocks of one item, F cues.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
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
# Letters whose bar is no accent that could be taken off.
_BARRED = str.maketrans("łđøħŧı", "ldohti")
_CAMPAIGN = re.compile(r"^(\s*【[^】]*】)+")
KEPT = 4096
"""Items whose cues are kept in memory, at some 5 kB each."""
OPENING = 12
"""The brand is looked for in this many characters at the start of a title."""
NAME_LENGTH = 14
"""A text of more characters than this is taken for a sentence, not for a name."""


@dataclass(frozen=True)
class CueSet:
    """The cues of a project's labels, in the order of the labels and of the lexicon.

    cues = CueSet(("LOGO", "PRICE"), Lexicon.load())
    probability_NK = cues.probabilities(items)
    """

    labels: tuple[str, ...]
    lexicon: Lexicon

    def __getstate__(self) -> dict[str, object]:
        # Another process works the rest out again; the memory of `_facts` cannot be pickled.
        return {"labels": self.labels, "lexicon": self.lexicon}

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of each label."""
        return self.lexicon.kinds_of(self.labels)

    @cached_property
    def cues(self) -> tuple[tuple[int, Cue], ...]:
        """Each cue with the index of the class that it is about."""
        return tuple((k, cue) for k, kind in enumerate(self.kinds) for cue in kind.cues)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each cue, with its label before it."""
        return tuple(f"{self.labels[k]}: {cue.name}" for k, cue in self.cues)

    @cached_property
    def has_cues_K(self) -> Tensor:  # noqa: N802  (shape suffix)
        """(K,) booleans, true for each class that has cues."""
        return torch.tensor([bool(kind.cues) for kind in self.kinds])

    @cached_property
    def prior_K(self) -> Tensor:  # noqa: N802  (shape suffix)
        """The (K,) log-odds of the classes by their prior shares."""
        return torch.logit(torch.tensor([kind.share for kind in self.kinds], dtype=torch.float64))

    def opinions(self, items: Sequence[ItemFeatures]) -> Tensor:
        """Return the (F, N, K) log-odds that each cue adds; 0 for all classes but its own."""
        opinions_FNK = torch.zeros(len(self.cues), len(items), len(self.labels), dtype=torch.float64)
        class_F = [k for k, _ in self.cues]
        for n, item in enumerate(items):
            # The memory of `_facts` knows an item by its texts alone, so cues on the pixels are computed each time.
            contrast = item.contrast
            seen = [
                0.0
                if contrast is None or cue.where != "picture"
                else (cue.weight if contrast < cue.contrast_below else cue.otherwise)
                for _, cue in self.cues
            ]
            opinion_F = self._facts_of(item).opinion_F + torch.tensor(seen, dtype=torch.float64)
            opinions_FNK[range(len(self.cues)), n, class_F] = opinion_F
        return opinions_FNK

    def probabilities(self, items: Sequence[ItemFeatures]) -> Tensor:
        """Return the (N, K) probabilities of the cues alone, as in the cold start."""
        return torch.sigmoid(self.prior_K + self.opinions(items).sum(0))

    def block_flags(self, item: ItemFeatures) -> Tensor:
        """Return (B, F) flags: 1 where a read block meets a cue's conditions on a single block, otherwise 0."""
        return self._facts_of(item).flag_BF

    def fired(self, item: ItemFeatures) -> list[tuple[int, str, float, tuple[str, ...]]]:
        """Return the cues that fire on an item: class, name, log-odds that it adds, and the read texts that meet it."""
        facts, contrast = self._facts_of(item), item.contrast
        found = []
        for f, (k, cue) in enumerate(self.cues):
            seen = cue.where == "picture" and contrast is not None and contrast < cue.contrast_below
            if facts.fires_F[f] or seen:
                texts = [
                    block.text for block, met in zip(item.blocks, facts.flag_BF[:, f].tolist(), strict=True) if met
                ]
                found.append((k, cue.name, cue.weight, tuple(texts)))
        return found

    def block_support(self, item: ItemFeatures) -> Tensor:
        """Return the (B, K) log-odds that firing cues of positive weight add because of each read block."""
        facts = self._facts_of(item)
        support_BK = torch.zeros(len(item.blocks), len(self.labels), dtype=torch.float64)
        for f, (k, cue) in enumerate(self.cues):
            if cue.where == "reading" and facts.fires_F[f] and cue.weight > 0:
                support_BK[:, k] += cue.weight * facts.flag_BF[:, f]
        return support_BK

    def _facts_of(self, item: ItemFeatures) -> "_Facts":
        # The rest of a longer title is never searched, so it is not kept in memory either.
        return self._facts(item.title[:LONGEST], item.blocks_on_screens)

    @cached_property
    def _facts(self) -> "Callable[[str, tuple[TextBlock, ...]], _Facts]":
        """`_look` with a memory, because one training needs its results a dozen times."""
        return lru_cache(KEPT)(self._look)

    def _look(self, title: str, blocks: tuple[TextBlock, ...]) -> "_Facts":
        """Return the results of the cues on a title and read blocks."""
        reading = _Reading(title, blocks)
        met = [reading.met(cue, self.kinds[k]) for k, cue in self.cues]
        fires = [reading.fires(cue, self.kinds[k], met[f]) for f, (k, cue) in enumerate(self.cues)]
        read = [
            0.0 if cue.where == "picture" else cue.weight if fired else cue.otherwise
            for fired, (_, cue) in zip(fires, self.cues, strict=True)
        ]
        flags = [[float(b in blocks_met) for blocks_met in met] for b in range(len(blocks))]
        flag_BF = torch.tensor(flags).reshape(len(blocks), len(self.cues))
        return _Facts(torch.tensor(read, dtype=torch.float64), tuple(fires), flag_BF)


@dataclass(frozen=True)
class _Facts:
    """The results of the cues on the texts of one item.

    For each cue: the log-odds for its class, whether it fires, and the read blocks that meet its conditions.
    """

    opinion_F: Tensor
    fires_F: tuple[bool, ...]
    flag_BF: Tensor


def brand_names(title: str) -> tuple[str, ...]:
    """Return the names of the brand that a shop title starts with: ``"Konka/康佳 LED…"`` gives konka and 康佳.

    The name of a campaign in brackets before the brand is skipped.
    """
    # The second word may be the same brand in the other script.
    words = _WORD_END.split(_folded(_CAMPAIGN.sub("", title)))[:2]
    names = [name for word in words for name in (word, *_LATIN.findall(word))]
    return tuple(dict.fromkeys(name for name in names if len(name) > 1))


def names_brand(text: str, title: str, brands: Sequence[str]) -> bool:
    """Return whether a read text shows the title's brand, whose names are ``brands``.

    A text shows the brand if it contains one of the names, if it is short and has a word in common with the start of
    the title, or if one of its Latin words is nearly a name.
    """
    folded = _folded(text)
    if any(brand in folded for brand in brands):
        return True
    # Chinese titles have no spaces between words, so that `brand_names` may miss where the brand ends.
    start = _folded(_CAMPAIGN.sub("", title))[:OPENING]
    if len(folded) <= NAME_LENGTH and any(run in start for run in _RUN.findall(folded)):
        return True
    # Readers drop or change a letter of a name in fancy type, so that four fifths of the letters are enough.
    latin = [brand for brand in brands if _LATIN.fullmatch(brand)]
    return any(
        abs(len(word) - len(brand)) <= 2
        and min(len(word), len(brand)) >= 4
        and SequenceMatcher(None, word, brand).ratio() >= 0.8
        for word in _LATIN.findall(folded)
        for brand in latin
    )


def _folded(text: str) -> str:
    """Return the text without case and accents, because readers may take an I for an Í."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().strip()).translate(_BARRED)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


class _Reading:
    """The title and the read blocks of one item, prepared for the cues."""

    def __init__(self, title: str, blocks: tuple[TextBlock, ...]) -> None:
        self.title = title[:LONGEST]
        self.blocks = [replace(block, text=block.text[:LONGEST]) for block in blocks]
        brands = brand_names(self.title)
        self.is_brand = [names_brand(block.text, self.title, brands) for block in self.blocks]
        # By kind: what its ``without`` leaves of the title and of each block.
        self._left: dict[str, tuple[str, list[str]]] = {}

    def met(self, cue: Cue, kind: Kind) -> set[int]:
        """Return the indices of the read blocks that meet the cue's conditions on a single block."""
        if cue.where != "reading":
            return set()
        return {b for b in range(len(self.blocks)) if self._meets(b, cue, kind)}

    def fires(self, cue: Cue, kind: Kind, met: Collection[int]) -> bool:
        """Return whether a cue on texts fires, given the blocks that meet its conditions; False for a cue on pixels."""
        if cue.where == "picture":
            return False
        if cue.where == "title":
            return _text_meets(self._left_by(kind)[0], cue)
        # ``blocks`` and ``chinese`` are conditions on all blocks together, the others on a single block.
        if len(met) < cue.blocks:
            return False
        return sum(len(_CHINESE.findall(self.blocks[b].text)) for b in met) >= cue.chinese

    def _meets(self, b: int, cue: Cue, kind: Kind) -> bool:
        block, box = self.blocks[b], self.blocks[b].box
        if not block.is_text or (cue.brand is not None and cue.brand != self.is_brand[b]):
            return False
        at_edge = box.left <= cue.edge or box.right >= 1 - cue.edge
        in_place = at_edge and cue.below <= box.top <= cue.above and box.height >= cue.taller
        # The place is checked first, because the search of the text takes longer.
        return in_place and _text_meets(self._left_by(kind)[1][b], cue)

    def _left_by(self, kind: Kind) -> tuple[str, list[str]]:
        if kind.name not in self._left:
            left = kind.negation.taken_out_of if kind.negation else str
            self._left[kind.name] = left(self.title), [left(block.text) for block in self.blocks]
        return self._left[kind.name]


def _text_meets(text: str, cue: Cue) -> bool:
    """Return whether a text meets the cue's conditions on length and words."""
    if not cue.shortest <= len(text) or (cue.longest is not None and len(text) > cue.longest):
        return False
    return cue.says(text) and (cue.whole is None or cue.whole.is_all_of(text.strip()))
