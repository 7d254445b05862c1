"""Words that a shop's gold teaches: the names of its brands, of its gifts, and of the seasons in its copy."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from model.features.item import ItemFeatures
from model.items import TextBlock
from model.lexicon.pattern import LONGEST

SHORT = 14
"""A text of more characters is a sentence: a brand that it names is no logo."""
_LATIN = re.compile(r"[a-z0-9]{2,}")
_CAMPAIGN = re.compile(r"^(\s*【[^】]*】)+")
_FIRST = re.compile(r"[\s/|·()（）]+")
_RUN = re.compile(r"[a-z]{3,}|[\u4e00-\u9fff]{2,}")
_GIFT = re.compile(r"(?:赠品|赠送|好礼|[送赠贈]|gifts?\b|free\b)[:：！!]?\s*", re.IGNORECASE)
_NO_NAME = re.compile(r"[¥￥]?\d+元?|[\W_]+")
_OFFER = re.compile(r"^(下单|随单|随机|拍下?|买|咨询|客服|免费|[即就再附得享立加领])+|(免费|[即就再得享领发])+$")
_SHOP = re.compile(r"(官方)?(旗舰店?|专卖店|专营店|直营|自营|授权)$")
SEASONS = (
    *("双11", "双十一", "双12", "双十二", "618", "年货节", "春节", "新年", "元旦", "情人节", "女神节", "妇女节"),
    *("母亲节", "父亲节", "儿童节", "端午", "七夕", "中秋", "国庆", "开学季", "圣诞", "春季", "夏季", "秋季", "冬季"),
    *("black friday", "cyber monday", "christmas", "new year", "easter", "valentine", "halloween"),
)
"""Names of seasons in which shops write copy of their own. A text belongs to the first one that it holds."""


@dataclass(frozen=True)
class Words:
    """Words that speak for one label, each with the product families whose gold taught it; "" stands for people.

    With ``alone`` a word counts only in a short text.
    """

    families: Mapping[str, frozenset[str]] = field(default_factory=dict)
    alone: bool = False

    def read_in(self, item: ItemFeatures, without: Collection[str] = ()) -> str:
        """Return a word that is read in the item and that other families than ``without`` taught; "" for none."""
        for block in item.blocks:
            text = folded(block.text)
            if not block.is_text or (self.alone and len(text) > SHORT):
                continue
            latin = set(_LATIN.findall(text))
            for word, families in self.families.items():
                if (word in latin or (not _LATIN.fullmatch(word) and word in text)) and families.difference(without):
                    return word
        return ""


def folded(text: str) -> str:
    """Return a text as words are compared: at most `LONGEST` characters, without case, accents and outer spaces."""
    decomposed = unicodedata.normalize("NFKD", text[:LONGEST].casefold().strip())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def title_names(title: str) -> tuple[str, ...]:
    """Return the names of the brand at the start of a title, one for each script: ``"Konka/康佳 LED"`` gives both.

    A first word that is too long for a name gives none: many Chinese titles have no spaces.
    """
    first = _CAMPAIGN.sub("", folded(title)).strip().split(" ")[0]
    parts = [part for part in _FIRST.split(first) if part]
    return tuple(part for part in parts if 2 <= len(part) <= (SHORT if _LATIN.fullmatch(part) else 5))


def names_read(blocks: Collection[TextBlock]) -> tuple[str, ...]:
    """Return the names in short texts, in the order in which they stand."""
    texts = [folded(block.text) for block in blocks if block.is_text]
    runs = [_SHOP.sub("", run) for text in texts if len(text) <= SHORT for run in _RUN.findall(text)]
    return tuple(dict.fromkeys(run for run in runs if len(run) > 1))


def gift_name(blocks: Collection[TextBlock], left: Callable[[str], str] = str) -> str:
    """Return what a gift is called by the texts on it, without words such as "free gift"; "" if they do not say.

    ``left`` takes out of a text what is no gift, such as free shipping (`Kind.negation`).
    """
    for block in blocks:
        text = folded(block.text)
        offer = left(text)
        # A text that lost some words and has no word for gifts left was about something else.
        is_offer = offer == text or _GIFT.search(offer)
        if block.is_text and is_offer and len(text) <= 2 * SHORT:
            name = _OFFER.sub("", _NO_NAME.sub("", _GIFT.sub("", offer)))
            if 2 <= len(name) <= SHORT:
                return name
    return ""


def season_of(text: str) -> str:
    """Return the season that a text names; "" for none."""
    found = folded(text)
    return next((season for season in SEASONS if season in found), "")
