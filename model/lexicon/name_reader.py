"""Reads a label's name by words: those of a lexicon's aliases, in whatever case, number, order and punctuation.

Chinese is cut into known words. The last word of a name says what it is, so words that end in an unknown one (gift
card, 商品标题) tell nothing surely.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model.lexicon.lexicon import Lexicon
from model.lexicon.meaning import words_of_kinds

LONGEST = 60
"""A longer name is a sentence, and is not read word by word."""
SHORTEST_PART = 4
"""A compound such as Verkaufspreis ends in a known word of at least so many letters."""
PRODUCT = "product"

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKEN = re.compile(r"[\u4e00-\u9fff]+|[^\W\d_\u4e00-\u9fff]+")
_POSSESSIVE = re.compile(r"(?<=[a-z])['’]s\b")
_EITHER = re.compile(r"[/|、,，;；&+和与及或]|\b(?:and|or)\b", re.IGNORECASE)
_NOTE = re.compile(r"[(\[{（【「<《]([^()（）\[\]【】]*)[)\]}）】」>》]")


def _stem(word: str) -> str:
    """Return an English word in the singular; other words mostly stay as they are."""
    if len(word) > 3:
        if word.endswith("ies"):
            return word[:-3] + "y"
        if word.endswith("ie"):
            return word[:-2] + "y"
        if re.search(r"(s|x|ch|sh)es$", word):
            return word[:-2]
        if word.endswith("s") and not word.endswith("ss"):
            return word[:-1]
    return word


def _words(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in text.split())


_NEGATIONS = _words("no not non without other 非 无 不 没 没有 不是 不含 其他 其它")
# "price of the product" is read as "product price".
_LINKS = _words("of with for from")
_PARTICLES = _words("the a an 的 之")
# The place or the picture of an element stands for the element: price area, 赠品图.
_PLACES = _words(
    "area region zone box bbox block part section element info information position location place body image picture "
    "photo pic shot 区域 区 框 位置 部分 部位 元素 信息 图 图片 本体 类"
)
# "gift box" is a package, not the box around a gift.
_NO_PLACES = (_words("gift box"),)
# Words that change nothing about what an element is.
_QUALITIES = _words(
    "main hero featured core key big small little large new old current original selling sold special extra own shop "
    "store official company manufacturer maker 主 主要 主打 主推 核心 大 小 新 原 现 单 特 售 售卖 到手 券后 折后 划线 "
    "秒杀 拼团 团购 会员 店铺 旗舰店 官方 厂商 厂家 商家 公司 企业"
)
_PROMOTION = _words(
    "promotional marketing advertising advertisement ad ads sale sales campaign discount offer "
    "促销 宣传 营销 活动 广告 优惠 推广"
)
# Known words that may also qualify another kind: product price, 商品价格, promo price.
_SOFT = _words("product item goods promo promotion 商品 产品 宝贝 单品 货品")
# Marks and texts can be of anything: a mark or text of another kind is ambiguous.
_MARKS = _words("mark 标识 标志")
_MEDIA = _MARKS | _words("text 文字")
# Words that mean their kind only beside words that are known too: 主体 but not 论证主体, 原价 but not 评价.
_WEAK = _SOFT | _MEDIA | _words("subject merchandise 主体 价")
# Words of another thing that a name may be about, however near a kind it sounds: gift card, 商品标题, 评价.
_OTHERS = _words(
    "card list ambassador name title id code link number count quantity category type group story history trend rule "
    "policy condition detail spec specification parameter review rating comment user customer date time color colour "
    "size weight shape material texture font language package packaging wrap wrapping receipt invoice ticket bag "
    "related similar recommended check energy certificate country origin range level ratio index copyright photocopy "
    "priceless versand watermark"
)
_OTHERS_CHINESE = re.compile(
    "名称|标题|名字|编号|代码|链接|数量|数目|个数|类别|分类|类型|种类|故事|历史|走势|趋势|规则|条件|参数|规格|详情"
    "|评[价论分级]|用户|顾客|代言|模特|日期|时间|颜色|尺[寸码]|重量|材质|字体|语言|包装|性价|区间|范围|推荐|相[关似]|能效|证书"
    "|产地|国家|库存|销量|水印|[代物身估]价|价值|[配运派发]送|送[货达]"
)


@dataclass(frozen=True)
class _Match:
    """An alias whose words are in a name. ``end`` is the place of the last of them."""

    kind: str
    end: int
    words: frozenset[str]

    def is_of(self, words: frozenset[str]) -> bool:
        """Return whether the alias consists of these words, apart from words that change nothing."""
        return self.words - _QUALITIES <= words

    def is_price_of(self, words: Sequence[str]) -> bool:
        """Return whether this is 价 at the end of the words, as in 折扣价."""
        return self.words == {"价"} and self.end == len(words) - 1


@dataclass(frozen=True)
class NameReader:
    """Reads names by the words of a lexicon's aliases."""

    lexicon: Lexicon

    @cached_property
    def aliases(self) -> tuple[tuple[frozenset[str], str], ...]:
        """The words of each alias with its kind, the longest first."""
        every = [
            (frozenset(_stem(word) for word in _TOKEN.findall(_plain(alias))), kind.name)
            for kind in self.lexicon.kinds.values()
            for alias in (kind.name, *kind.aliases)
        ]
        return tuple(sorted((entry for entry in every if entry[0]), key=lambda entry: (-len(entry[0]), entry[1])))

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words into which Chinese is cut."""
        known = _NEGATIONS | _PARTICLES | _PLACES | _QUALITIES | _PROMOTION
        return known.union(*(words for words, _ in self.aliases))

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """Known words that may end a compound, the longest first."""
        single = {word for words, _ in self.aliases if len(words) == 1 for word in words if word.isascii()}
        return tuple(sorted((w for w in single - _WEAK if len(w) >= SHORTEST_PART), key=lambda w: (-len(w), w)))

    def kinds(self, name: str) -> frozenset[str]:
        """Return the kinds that a name may mean: none if it means nothing known, several if it is ambiguous."""
        if len(name) > LONGEST:
            return frozenset()
        text = _plain(name)
        notes = " ".join(_NOTE.findall(text))
        head = _NOTE.sub(" ", text)
        if notes and _TOKEN.search(head):
            # What stands in brackets explains the name. If it is not understood, it counts for nothing.
            return self._of_all(f"{head} {notes}") or self._of_all(head)
        return self._of_all(notes or head)

    def is_open(self, name: str) -> bool:
        """Return whether a name may mean a kind: it has letters, denies nothing, and names no other thing."""
        text = _plain(name)
        if len(name) > LONGEST or not _TOKEN.search(text) or _OTHERS_CHINESE.search(text):
            return False
        return not (_NEGATIONS | _OTHERS).intersection(self._words_of(text))

    def loose_kinds(self, name: str) -> frozenset[str]:
        """Return the kinds of known words in an open name, whatever other words it has; several if it is ambiguous."""
        words = self._words_of(_plain(name))
        matches, _ = self._matches(words)
        if any(match.is_of(_MARKS) for match in matches) and _PROMOTION.intersection(words):
            return frozenset()
        firm = [match for match in matches if not match.is_of(_WEAK - _SOFT) or match.is_price_of(words)]
        sure = {match.kind for match in firm if not match.is_of(_SOFT)}
        every = [
            word for run in _TOKEN.findall(_plain(name)) for word in self._cut(run, self.vocabulary | set(self.hints))
        ]
        hinted = {kind for word in every if word not in _SOFT for kind in self.hints.get(word, ())}
        # Anything may be called a product or a thing: gift product, 免费的东西.
        return frozenset(sure or hinted - {PRODUCT} or {match.kind for match in firm} or hinted)

    @cached_property
    def hints(self) -> Mapping[str, frozenset[str]]:
        """Single words that speak for kinds, each with these kinds."""
        found: dict[str, frozenset[str]] = {}
        for kind, words in words_of_kinds().items():
            for word in words if kind in self.lexicon.kinds else ():
                found[_stem(word)] = found.get(_stem(word), frozenset()) | {kind}
        return found

    def _words_of(self, text: str) -> list[str]:
        return [word for run in _TOKEN.findall(text) for word in self._cut(run, self.vocabulary)]

    def _of_all(self, text: str) -> frozenset[str]:
        """Return the kinds of a text that may name several things; each of them must be known."""
        each = [self._of_one(part) for part in _EITHER.split(text) if _TOKEN.search(part)]
        return frozenset().union(*each) if all(each) else frozenset()

    def _of_one(self, text: str) -> frozenset[str]:
        words = self._words_of(text)
        if _NEGATIONS.intersection(words):
            return frozenset()
        link = next((place for place, word in enumerate(words) if word in _LINKS), None)
        words = words if link is None else [*words[link + 1 :], *words[:link]]
        is_place = _PLACES if not any(thing <= set(words) for thing in _NO_PLACES) else frozenset[str]()
        words = [word for word in words if word not in _PARTICLES and word not in is_place]
        matches, unknown = self._matches(words)
        if not matches or any(place > max(match.end for match in matches) for place in unknown):
            return frozenset()
        if len({match.kind for match in matches}) > 1:
            firm = [match for match in matches if not match.is_of(_SOFT)]
            if not firm:
                matches = [max(matches, key=lambda match: match.end)]
            elif len({match.kind for match in firm}) == 1 and not all(match.is_of(_MEDIA) for match in firm):
                matches = firm
            else:
                return frozenset(match.kind for match in matches)
        if unknown and all(match.is_of(_WEAK) for match in matches):
            return frozenset()
        # A promotional mark is a badge, not a logo.
        if all(match.is_of(_MARKS) for match in matches) and _PROMOTION.intersection(words):
            return frozenset()
        return frozenset(match.kind for match in matches)

    def _matches(self, words: list[str]) -> tuple[list[_Match], list[int]]:
        """Return the aliases in a name, each word used once, and the places of the words that are unknown."""
        left = dict(enumerate(words))
        matches = []
        every = set(words)
        for alias, kind in self.aliases:
            # Most aliases are passed over here, which saves most of the time.
            if not alias <= every:
                continue
            places = [place for place, word in left.items() if word in alias]
            if alias <= {left[place] for place in places}:
                matches.append(_Match(kind, max(places), alias))
                left = {place: word for place, word in left.items() if place not in places}
        return matches, [place for place, word in left.items() if word not in _QUALITIES | _PROMOTION]

    def _cut(self, run: str, vocabulary: Collection[str]) -> Iterator[str]:
        """Yield the words of a run of letters: a Chinese one is cut from its end into the longest known words.

        Of a compound with a known word at its end, both parts are words: Verkaufs, preis.
        """
        if not "\u4e00" <= run[0] <= "\u9fff":
            word = _stem(run)
            end = (
                ""
                if word in vocabulary or word in _OTHERS
                else next((end for end in self.ends if word.endswith(end)), "")
            )
            first = word[: -len(end)] if end else ""
            yield from (first, end) if len(first) >= 3 else (word,)
            return
        pieces: list[str] = []
        rest, unknown = run, ""
        while rest:
            word = next((rest[start:] for start in range(len(rest)) if rest[start:] in vocabulary), "")
            if word:
                pieces += [unknown, word] if unknown else [word]
                rest, unknown = rest[: -len(word)], ""
            else:
                rest, unknown = rest[:-1], rest[-1] + unknown
        yield from reversed([*pieces, unknown] if unknown else pieces)


def _plain(name: str) -> str:
    """Return the name in lower case and half-width letters, with words that capitals separate apart."""
    return _POSSESSIVE.sub("", _HUMP.sub(" ", unicodedata.normalize("NFKC", name)).casefold())
