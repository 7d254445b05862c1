"""What a read block may be: the role that its words give it, before its place is looked at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

import torch

from model.calibration import USUAL
from model.features.item import ItemFeatures
from model.items import TextBlock
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Kind, Lexicon
from model.lexicon.pattern import LONGEST

CURRENCY = re.compile(
    r"^[¥￥夫]$|^(rmb|元|圆|起|/?[枚件个只台套盒瓶])[¥￥]?$", re.IGNORECASE
)  # 夫: ¥ as readers see it
AMOUNT = re.compile(r"^[¥￥]?\s*\d{1,6}([.,]\d{1,2})?\s*(元|rmb|起)?[¥￥]?$", re.IGNORECASE)
MONEY = re.compile(r"[¥￥]\s*\d|\d\s*元|rmb", re.IGNORECASE)
PRICE_WORD = re.compile(r"(价|拍下|低至|仅需|只要|立减|直降|券后|付款)[:：]?\s*(rmb)?[¥￥]?$", re.IGNORECASE)
MARK = re.compile(r"旗舰店?|天猫|聚划算|juhuasuan|淘抢购|tmall|专营店|专卖店|官方授权|[®™]", re.IGNORECASE)
CHINESE = re.compile(r"[一-鿿]")
LATIN = re.compile(r"[^\W\d_一-鿿]")
LATIN_NAME = re.compile(r"[a-zà-ÿ]{3,}")
DIGIT = re.compile(r"\d")
OPENING = 200  # characters of a title in which its brand is looked for, brackets included
GIFT_STICKER = re.compile(r"^[送赠贈加]+$")


@dataclass(frozen=True)
class Role:
    """Flags of one block. ``amount``: a number that can stand for a price; ``sticker``: a lone 送 or 赠."""

    gift: bool
    sticker: bool
    money: bool
    amount: bool
    currency: bool
    price_word: bool
    mark: bool
    brand: bool
    chinese: int
    latin: int
    digits: int
    length: int


@dataclass(frozen=True)
class Told:
    """What cues say of a picture, by names of kinds.

    ``reasons`` holds for each read block the kinds whose tag it is the reason for, with the probability that it gives
    alone. A tag has a reason: the blocks that are enough for it, or the strongest where none is enough. ``denied`` are
    the kinds whose tag is not given.
    """

    reasons: tuple[Mapping[str, float], ...]
    denied: frozenset[str]


class RoleReader:
    """Reads roles with the patterns of a lexicon's gift and price kinds, and what its cues say of each block."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._gift = lexicon.kinds.get("gift")
        self._price = lexicon.kinds.get("price")
        self.kinds = tuple(sorted(lexicon.kinds))
        """Names of all kinds, in the order of what is told of each."""
        self._cues = CueSet(self.kinds, lexicon)

    @cached_property
    def words(self) -> tuple[Kind, ...]:
        """What of the lexicon the roles hang on."""
        return self._cues.kinds

    def told(self, item: ItemFeatures) -> Told:
        """What the cues of the lexicon say of a picture and of its blocks."""
        prior_K, support_BK = self._cues.prior_K, self._cues.block_support(item)
        alone_BK = prior_K + support_BK
        enough_K = torch.logit(torch.tensor(USUAL, dtype=torch.float64)).expand(len(self.kinds))
        if len(alone_BK):
            enough_K = torch.minimum(alone_BK.max(0).values, enough_K)
        given_K = self._cues.probabilities([item])[0] >= USUAL
        reason_BK = given_K & (support_BK > 0) & (alone_BK >= enough_K)
        reasons = tuple(
            {kind: p for kind, p, is_reason in zip(self.kinds, p_K, reason_K, strict=True) if is_reason}
            for p_K, reason_K in zip(alone_BK.sigmoid().tolist(), reason_BK.tolist(), strict=True)
        )
        return Told(reasons, frozenset(kind for kind, given in zip(self.kinds, given_K, strict=True) if not given))

    def roles(self, item: ItemFeatures) -> list[Role]:
        """One role per read block."""
        return [self._role(block, item.title) for block in item.blocks]

    def _role(self, block: TextBlock, title: str) -> Role:
        text = block.text[:LONGEST].strip()
        return Role(
            gift=_speaks(self._gift, text),
            sticker=bool(GIFT_STICKER.match(text)),
            money=bool(MONEY.search(text)) or _speaks(self._price, text),
            amount=bool(AMOUNT.match(text)),
            currency=bool(CURRENCY.match(text)),
            price_word=bool(PRICE_WORD.search(text)),
            mark=bool(MARK.search(text)),
            brand=names_brand(text, title),
            latin=len(LATIN.findall(text)),
            digits=len(DIGIT.findall(text)),
            chinese=len(CHINESE.findall(text)),
            length=len(text),
        )


def names_brand(text: str, title: str) -> bool:
    """Whether a read text holds the name that the title opens with: a Latin word (nearly) or its Chinese beginning."""
    head = re.sub(r"[【\[(（].*?[】\])）]", "", title[:OPENING]).strip().lower()[:20]
    latin = LATIN_NAME.findall(head)
    words = LATIN_NAME.findall(text.lower())
    if any(_alike(word, name) for word in words for name in latin):
        return True
    opening = re.sub(r"^[^一-鿿]+", "", text)[:2]
    return len(CHINESE.findall(opening)) == 2 and opening in head[:12]


def _alike(word: str, name: str) -> bool:
    return word == name or SequenceMatcher(None, word, name, autojunk=False).ratio() >= 0.8


def _speaks(kind: Kind | None, text: str) -> bool:
    if kind is None:
        return False
    if kind.negation is not None:
        text = kind.negation.taken_out_of(text)
    return any(cue.pattern and cue.search.is_in(text) for cue in kind.cues)
