"""Money: sums that a text names, in the currencies and the ways of writing of many countries.

Codes and local signs of currencies are CLDR's, by way of Babel. Names of daily use (руб, บาท, dollars) are this
module's own, because CLDR has official names alone ("российский рубль").
"""

from datetime import date
from functools import cache

import regex  # type: ignore[import-untyped]
from babel.core import get_global
from babel.numbers import get_currency_symbol, get_territory_currencies

# Countries without a sign of their own (₽, ₺) that is no letter, and whose letters stand for nothing else (R, L, K).
_LOCALES = """
    ar_AE ar_EG ar_KW ar_MA ar_QA ar_SA bg_BG cs_CZ da_DK en_KE en_PK es_PA es_PE fa_IR fr_CI id_ID ms_MY nb_NO pl_PL
    ru_KG sr_RS sv_SE uz_UZ
"""
# Codes that mean other things on a product, too: a mop, a gel, wire of 24 AWG, the top 10.
_WORDS = """
    ALL AMD AWG BAM BOB CAD COP CUP DOP ERN GEL LAK MAD MOP MUR NAD PEN SCR SDG SOS TOP TRY
"""
# Currencies that were in use at some time between these days: the same ones whatever day it is.
_SINCE, _UNTIL = date(2020, 1, 1), date(2026, 1, 1)
# Characters before a number in which its currency is looked for.
_FARTHEST = 8
# Marks that say which way a text runs, and are not to be seen.
_MARKS = dict.fromkeys(map(ord, "\u200e\u200f"))
_NUMBER = regex.compile(r"\d+(?:[.,]\d+)*+")
# A letter that a word goes on with. Scripts without blanks may begin a word anywhere: 售价AED49起.
_LETTER = r"[^\W\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]"
_BEFORE = r"rmb|usd|eur|gbp|rs|vn[đd]|रु|درهم|ريال|جنيه"
# 元 also starts words such as 元旦, 円 such as 円形, 원 such as 원피스.
_JOINED = (
    r"[万萬千百]?(?:元(?![气氣素旦宵月年件])|[円圓](?![形型盤筒桌柱滑周弧])|人民[币幣])",
    r"[만천백]?\s?원(?:(?![가-힣])|(?=대|부터|짜리|에|의|이|할인))",
    r"บาท|บ\.|درهم|ريال|جنيه|دينار|تومان|टका|रु[.प]|(?![$¥￥£])\p{Sc}|[a-z]{1,3}\$",
)
_WHOLE = (
    r"đ|đồng|vn[đd]|р(?:уб(?:\.|л\w{1,3})?)?|грн|лв|тг|тенге|रु",
    r"tl|lira|rmb|usd|eur|gbp|dollars?|euros?|yuan|yen|rupees|dirhams?|pesos|soles|reais",
    r"z[łl](?:ot(?:y|e|ych))?|rupiah|ribu|rb|ringgit|baht|lei|kronor|kroner",
)
_WRITTEN = (
    # 9块9   59,-   199/-   29,99 $
    r"[块塊]\d(?!\d)|[.,/]\s?[-–—](?!\w)|(?<=[.,]\d\d)\s?\p{Sc}",
    # 1 990 Ft, but not 6 Ft. A reader may lose the bar of đ, and ł wholly or take it
    # for another letter: 199.000d, 19,99 z, 19,99 zć.
    rf"(?:\s?(?:(?<=[\s.,]\d{{3}}\s?)(?-i:Ft)|(?<=[.,]\d\d\s?)z\p{{L}}?|kc)|(?<=\.\d00)d)(?!{_LETTER})",
)


def names_sum(text: str) -> bool:
    """Return whether a text names a sum of money: a number beside a currency, or one as 59,- or 199/-.

    A number alone is none, whatever stands before it: that is for the words of a lexicon to say.
    """
    before, after = _patterns()
    text = text.translate(_MARKS)
    # Each number is looked at by itself, so that a text without one takes no time and a long one no more than its part.
    return any(
        before.search(text, max(0, number.start() - _FARTHEST), number.start()) or after.match(text, number.end() - 1)
        for number in _NUMBER.finditer(text)
    )


@cache
def _patterns() -> "tuple[regex.Pattern[str], regex.Pattern[str]]":
    """The expressions of what stands before a number, and of a number's last digit and what stands after it."""
    codes = {code for territory in get_global("territory_currencies") for code in _currencies(territory)}
    signs = {get_currency_symbol(code, place) for place in _LOCALES.split() for code in _currencies(place[-2:])}
    # Letters of a sign may be drawn with or without its points and blanks. A sign such as ₪ needs no list.
    letters = sorted(sign.translate(_MARKS).strip(".") for sign in signs - codes if not regex.search(r"\p{Sc}", sign))
    local = "|".join(r"\.?\s?".join(map(regex.escape, regex.split(r"[.\s]+", sign))) for sign in letters)
    known = codes.difference(_WORDS.split())
    before = rf"(?:\p{{Sc}}|(?<!{_LETTER})(?:\L<codes>|(?i:{local}|{_BEFORE})))[\s.:：]{{0,3}}$"
    whole = rf"(?:\L<codes>|(?i:{local}|{'|'.join(_WHOLE)}))(?!{_LETTER})"
    after = rf"\d(?:\s?(?:(?i:{'|'.join(_JOINED)})|{whole})|(?i:{'|'.join(_WRITTEN)}))"
    return regex.compile(before, codes=known), regex.compile(after, codes=known)


def _currencies(territory: str) -> list[str]:
    return get_territory_currencies(territory, _SINCE, _UNTIL)
