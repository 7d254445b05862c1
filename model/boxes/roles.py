"""Roles of read blocks: what the words of a block say about its element class, before its place is looked at.

Shape suffixes: B read blocks of one picture, K kinds of the lexicon.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

import torch

from model.calibration import USUAL
from model.features.item import ItemFeatures
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Kind, Lexicon
from model.lexicon.pattern import LONGEST

# 夫 is in the list because text readers often take a drawn ¥ for it.
SIGN = "[¥￥夫$€£₩₫₱₽₹₺฿]"
CURRENCY = re.compile(
    rf"^{SIGN}$|^(rmb|元|圆|円|원|起|r[psm]\.?|z[łl]|tl|đ|руб\.?|บาท|/?[枚件个只台套盒瓶])[¥￥]?$", re.IGNORECASE
)
AMOUNT = re.compile(
    rf"^{SIGN}?\s*(\d{{1,6}}|\d{{1,3}}([.,]\d{{3}}){{1,2}})([.,]\d{{1,2}})?\s*([元円원起đ]|rmb)?{SIGN}?$", re.IGNORECASE
)
MONEY = re.compile(r"[¥￥]\s*\d|\d\s*元|rmb", re.IGNORECASE)
PRICE_WORD = re.compile(
    r"([价價]|価格|税込|拍下|低至|[仅僅]需|只要|立[减減]|直降|券[后後]|付款|ราคา"
    r"|\b(price|precio|preço|prix|preis|prezzo|cena|giá|harga|fiyat|цена))[:：]?\s*(rmb)?[¥￥]?$",
    re.IGNORECASE,
)
MARK = re.compile(r"旗舰店?|天猫|聚划算|juhuasuan|淘抢购|tmall|专营店|专卖店|官方授权|[®™]", re.IGNORECASE)
CHINESE = re.compile(r"[一-鿿]")
LATIN = re.compile(r"[^\W\d_一-鿿]")
LATIN_NAME = re.compile(r"[a-zà-ɏḁ-ỿ]{3,}")
DIGIT = re.compile(r"\d")
GIFT_STICKER = re.compile(r"^[送赠贈加]+$")
# A title's brand is searched in this many of its first characters, brackets included.
OPENING = 200


@dataclass(frozen=True)
class Role:
    """The role of one read block: eight flags, then four counts of characters.

    ``gift``: a gift cue matches. ``sticker``: the text is only 送, 赠 or the like. ``money``: the text names a sum with
    its currency, or a price cue matches. ``amount``: the text is a number that may be a price. ``currency``: the text
    is a currency sign or unit. ``price_word``: the text ends in a word that announces a price. ``mark``: the text names
    a shop or has a trademark sign. ``brand``: the text holds the title's brand.
    """

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
    """Which kinds the cues give to one picture, and which read blocks are the reasons.

    ``reasons`` has one mapping for each read block: the names of the kinds for which the block is a reason, with the
    probability of the kind given that block alone. A block is a reason for a kind when the cues give the kind's tag to
    the picture and the block alone reaches the usual threshold; where no block reaches it, the strongest block is the
    reason. ``denied`` are the kinds whose tag the cues do not give to the picture.
    """

    reasons: tuple[Mapping[str, float], ...]
    denied: frozenset[str]


class RoleReader:
    """Computes, with one lexicon, the roles of read blocks, and which kinds the cues give to a picture.

    Example::

        reader = RoleReader(Lexicon.load())
        roles = reader.roles(item)             # one Role for each of item.blocks
        reasons = reader.told(item).reasons    # for each of item.blocks, probabilities by names of kinds
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._gift = lexicon.kinds.get("gift")
        self._price = lexicon.kinds.get("price")
        # Names of all kinds in the order of the columns K.
        self.kinds = tuple(sorted(lexicon.kinds))
        self._cues = CueSet(self.kinds, lexicon)

    @cached_property
    def words(self) -> tuple[Kind, ...]:
        """The part of the lexicon on which roles and reasons depend."""
        return self._cues.kinds

    def told(self, item: ItemFeatures) -> Told:
        """Return which kinds the cues give to a picture, and which read blocks are the reasons."""
        prior_K, support_BK = self._cues.prior_K, self._cues.block_support(item)
        alone_BK = prior_K + support_BK
        # A block is a reason if it reaches the usual log-odds or, where no block does, if it is the strongest.
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
        """Return the role of each read block, in the order of ``item.blocks``."""
        # Pattern matching takes time on long texts: only the first characters of a block count.
        texts = [block.text[:LONGEST].strip() for block in item.blocks]
        return [
            Role(
                gift=_has_cue(self._gift, text),
                sticker=bool(GIFT_STICKER.match(text)),
                money=bool(MONEY.search(text)) or _has_cue(self._price, text),
                amount=bool(AMOUNT.match(text)),
                currency=bool(CURRENCY.match(text)),
                price_word=bool(PRICE_WORD.search(text)),
                mark=bool(MARK.search(text)),
                brand=repeats_brand(text, item.title),
                latin=len(LATIN.findall(text)),
                digits=len(DIGIT.findall(text)),
                chinese=len(CHINESE.findall(text)),
                length=len(text),
            )
            for text in texts
        ]


def repeats_brand(text: str, title: str) -> bool:
    """Return whether a read text holds the brand name with which the title starts.

    A Latin name may differ in a few letters; of a Chinese name the first two characters are enough.
    """
    head = re.sub(r"[【\[(（].*?[】\])）]", "", title[:OPENING]).strip().lower()[:20]
    words, names = LATIN_NAME.findall(text.lower()), LATIN_NAME.findall(head)
    # Text readers drop or change single letters of a drawn name.
    if any(
        word == name or SequenceMatcher(None, word, name, autojunk=False).ratio() >= 0.8
        for word in words
        for name in names
    ):
        return True
    opening = re.sub(r"^[^一-鿿]+", "", text)[:2]
    return len(CHINESE.findall(opening)) == 2 and opening in head[:12]


def _has_cue(kind: Kind | None, text: str) -> bool:
    """Return whether a cue of the kind has its words in the text without what the kind's ``without`` removes."""
    if kind is None:
        return False
    if kind.negation is not None:
        text = kind.negation.taken_out_of(text)
    return any((cue.pattern or cue.money) and cue.says(text) for cue in kind.cues)
