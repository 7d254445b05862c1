"""What a project's labels mean: a label's name is matched to a kind of the lexicon.

A name that is an alias as it stands always wins. Otherwise the aliases' words are looked for in the name, whatever
their case, number, order and punctuation; Chinese is cut into known words. The last word of a name says what it is, so
words that end in an unknown one (gift card, 商品标题) tell nothing surely. A name that is still open is guessed: by its
meaning where there is a sentence encoder, else by the known words in it.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from model.encoders.sentences import SentenceEncoder
from model.lexicon.lexicon import Lexicon
from model.lexicon.meaning import nearest, words_of_kinds

MOST = 6
"""At most so many names of one label are read word by word."""
LONGEST = 60
"""A longer name is a sentence, and is not read word by word."""
MOST_ENCODED = 50
"""At most so many names of a project are encoded; the others are guessed by their words alone."""
PRODUCT = "product"
SHORTEST_PART = 4
"""A compound such as Verkaufspreis ends in a known word of at least so many letters."""

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
NAME = "its name"
WORDS = "its words"


@dataclass(frozen=True)
class Guess:
    """The kind that an open label was taken for once, "" for none, and by what: its words, or an encoder's name.

    ``names`` are the names that the labelling config gave to the label; a guess holds as long as these do.
    """

    names: tuple[str, ...]
    kind: str
    by: str


@dataclass(frozen=True)
class Meaning:
    """What a label is taken for: ``kind`` is the kind's name, empty if it is taken for nothing; ``by`` says by what.

    ``others`` are the kinds between which the name leaves the choice. ``rivals`` are other labels of the project whose
    names mean the same kind at least as well.
    """

    kind: str = ""
    others: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    by: str = ""

    def told(self, lexicon: Lexicon) -> str:
        """Return the meaning in words, for people."""
        if self.kind:
            taken = f"taken for {_shown(lexicon, self.kind)} by {self.by}"
            return taken if self.by in (NAME, WORDS) else f"{taken}. If that is wrong, name a kind by predicted_values"
        if self.rivals:
            named = ", ".join(self.rivals)
            why = f"not taken for {_shown(lexicon, self.others[0])}, since these labels may mean the same: {named}"
        elif self.others:
            why = "ambiguous: it may be " + " or ".join(_shown(lexicon, kind) for kind in self.others)
        else:
            by = f" by {self.by}" if self.by else ""
            why = f"not known{by}; names known are " + ", ".join(_shown(lexicon, kind) for kind in lexicon.kinds)
        return f"{why}. Add it to a kind's aliases by TAGLOOM_LEXICON, or name one by predicted_values"


def _shown(lexicon: Lexicon, kind: str) -> str:
    """Return a kind with the first of its aliases: product (主体)."""
    first = next(iter(lexicon.kinds[kind].aliases), kind)
    return kind if first.casefold() == kind.casefold() else f"{kind} ({first})"


def open_labels(lexicon: Lexicon, names: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the labels about which neither names nor words tell anything surely, each with its names."""
    reader = _Reader(lexicon)
    every = {label: tuple(dict.fromkeys((label, *others))) for label, others in names.items()}
    return {
        label: each
        for label, each in every.items()
        if not any(lexicon.kind_of(name).name for name in each)
        and not any(reader.kinds(name) for name in each[:MOST])
        and any(reader.is_open(name) for name in each[:MOST])
    }


def guessed(
    lexicon: Lexicon,
    labels: Mapping[str, Sequence[str]],
    encoder: SentenceEncoder | None,
    claimed: Collection[str] = (),
) -> dict[str, Guess]:
    """Return a guess for each of the ``open_labels``, by its meaning where there is an encoder, else by known words.

    ``claimed`` are the kinds that the project's other labels are taken for. Raises OSError if the encoder fails.
    """
    reader = _Reader(lexicon)
    usable = {label: [name for name in names[:MOST] if reader.is_open(name)] for label, names in labels.items()}
    asked = list(dict.fromkeys(name for names in usable.values() for name in names))[:MOST_ENCODED] if encoder else []
    near = dict(zip(asked, nearest(lexicon, encoder, asked), strict=True)) if encoder else {}
    found = {}
    for label, names in usable.items():
        meant = {near[name].kind for name in names if name in near and near[name].is_meant}
        said = {kind for name in names for kind in reader.loose_kinds(name)}
        kinds = meant or said
        by = encoder.name if encoder and (meant or not kinds) and near.keys() & set(names) else WORDS
        found[label] = Guess(tuple(labels[label]), kinds.pop() if len(kinds) == 1 else "", by)
    left = set(lexicon.kinds) - {guess.kind for guess in found.values()} - set(claimed)
    if encoder and len(left) == 1:
        # Of a project that names all kinds but one, a label that is a little near to this one probably means it.
        (kind,) = left
        last = [
            label
            for label, guess in found.items()
            if not guess.kind and any(near[name].is_left(kind) for name in usable[label] if name in near)
        ]
        if len(last) == 1:
            found[last[0]] = Guess(found[last[0]].names, kind, encoder.name)
    return found


def meanings(
    lexicon: Lexicon, names: Mapping[str, Sequence[str]], guesses: Mapping[str, Guess] | None = None
) -> dict[str, Meaning]:
    """Return what each label means; ``names`` holds all names that the labelling config gives to each label.

    A label with a known name is taken for that kind. A label that its words tell is taken for their kind, and then one
    that is guessed, if no other label of the project may be meant. Without ``guesses``, open labels are guessed by
    words.
    """
    if guesses is None:
        guesses = guessed(lexicon, open_labels(lexicon, names), None)
    found: dict[str, Meaning] = {}
    by_words: dict[str, list[str]] = {}
    by_guess: dict[str, list[str]] = {}
    reader = _Reader(lexicon)
    for label, others in names.items():
        every = tuple(dict.fromkeys((label, *others)))
        exact = next((kind for name in every if (kind := lexicon.kind_of(name).name)), "")
        read = {} if exact else {name: reader.kinds(name) for name in every[:MOST]}
        certain = {kind for kinds in read.values() if len(kinds) == 1 for kind in kinds}
        kinds = sorted(certain or {kind for kinds in read.values() for kind in kinds})
        found[label] = Meaning(exact, by=NAME) if exact else Meaning(others=tuple(kinds))
        guess = guesses.get(label)
        if len(kinds) == 1:
            by_words.setdefault(kinds[0], []).append(label)
        elif guess and not exact and not kinds:
            found[label] = Meaning(by=guess.by if guess.by != WORDS else "")
            if guess.kind in lexicon.kinds:
                by_guess.setdefault(guess.kind, []).append(label)
    # What is surer goes first: a guess gives way to what names and words tell.
    for candidates in (by_words, by_guess):
        for kind, labels in candidates.items():
            known = [label for label, meaning in found.items() if meaning.kind == kind and label not in labels]
            for label in labels:
                rivals = known or [other for other in labels if other != label]
                by = found[label].by or WORDS
                found[label] = Meaning(others=(kind,), rivals=tuple(rivals)) if rivals else Meaning(kind, by=by)
    return found


def with_names(
    lexicon: Lexicon, names: Mapping[str, Sequence[str]], guesses: Mapping[str, Guess] | None = None
) -> Lexicon:
    """Return the lexicon with the project's labels as aliases of the kinds that they mean (see ``meanings``)."""
    kinds = dict(lexicon.kinds)
    for label, meaning in meanings(lexicon, names, guesses).items():
        if meaning.kind and not lexicon.kind_of(label).name:
            kinds[meaning.kind] = replace(kinds[meaning.kind], aliases=(*kinds[meaning.kind].aliases, label))
    return Lexicon(kinds)


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
class _Reader:
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


def told(
    lexicon: Lexicon, names: Mapping[str, Sequence[str]], guesses: Mapping[str, Guess] | None = None
) -> dict[str, str]:
    """Return for people what each label is taken for."""
    return {label: meaning.told(lexicon) for label, meaning in meanings(lexicon, names, guesses).items()}
