"""Money: sums that a text names, in the currencies and the ways of writing of many countries.

Codes and local signs of currencies are CLDR's, by way of Babel. Names of daily use (руб, บาท, dollars) are this
module's own, because CLDR has official names alone ("российский рубль").
"""

from functools import cache

import regex  # type: ignore[import-untyped]
from babel.core import get_global
from babel.numbers import get_currency_symbol, get_territory_currencies

LOCALES = (
    *("ar_AE", "ar_EG", "ar_KW", "ar_MA", "ar_QA", "ar_SA", "bg_BG", "cs_CZ", "da_DK", "en_KE", "en_PK", "es_PA"),
    *("es_PE", "fa_IR", "fr_CI", "he_IL", "id_ID", "ms_MY", "nb_NO", "pl_PL", "ru_KG", "sr_RS", "sv_SE", "uz_UZ"),
)
"""Places whose currency is written by letters. Left out are places whose letters also stand for measures: Ft, R, L."""
WORDS = frozenset("ALL AMD AWG BAM BOB CAD COP CUP DOP ERN GEL LAK MAD MOP MUR NAD PEN SCR SDG SOS TOP TRY".split())
"""Codes of currencies that are words or other things on a product: a mop, a gel, wire of 24 AWG, the top 10."""
FARTHEST = 8
"""Characters before a number in which its currency is looked for."""
_NUMBER = regex.compile(r"\d+(?:[.,]\d+)*+")
_BEFORE = r"rmb|usd|eur|gbp|rs|vn[đd]|रु|درهم|ريال|جنيه"
_AFTER = (
    # 元 also starts words such as 元旦, 円 such as 円形, 원 such as 원피스.
    r"\s?[万萬千百]?(?:元(?![气氣素旦宵月年件])|[円圓](?![形型盤筒桌柱滑周弧])|人民[币幣])",
    r"\s?[만천백]?\s?원(?:(?![가-힣])|(?=대|부터|짜리|에|의|이|할인))",
    r"\s?(?:đ|đồng|vn[đd])(?!\w)",
    r"\s?(?:บาท|บ\.|درهم|ريال|جنيه|دينار|تومان|टका|रु(?!\w)|रु[.प])",
    r"\s?(?:р(?:уб(?:\.|л\w{1,3})?)?|грн|лв|тг|тенге)(?!\w)",
    r"\s?(?:tl|lira|rmb|usd|eur|gbp|dollars?|euros?|yuan|yen|rupees|dirhams?)(?!\w)",
    r"\s?(?:pesos|soles|reais|z[łl](?:ot(?:y|e|ych))?|rupiah|ribu|rb|ringgit|baht|lei|kronor|kroner)(?!\w)",
    # 9块9 49€95 59,- 199/-
    r"[块塊]\d(?!\d)|\s?(?![$¥￥£])\p{Sc}|[.,/]\s?[-–—](?!\w)",
    # 29,99 $   29 NT$   1 990 Ft   199.000d, since a reader may lose the bar of đ.
    r"(?<=[.,]\d\d)\s?\p{Sc}|\s?[a-z]{1,3}\$|(?<=[ .,]\d{3})\s?(?-i:Ft)(?!\w)|(?<=[.,]\d{3})\s?[dk](?!\w)",
)


def names_sum(text: str) -> bool:
    """Return whether a text names a sum of money: a number beside a currency, or one as 59,- or 199/-.

    A number alone is none, whatever stands before it: that is for the words of a lexicon to say.
    """
    before, after = _patterns()
    # Each number is looked at by itself, so that a text without one takes no time and a long one no more than its part.
    return any(
        before.search(text, max(0, number.start() - FARTHEST), number.start()) or after.match(text, number.end() - 1)
        for number in _NUMBER.finditer(text)
    )


@cache
def _patterns() -> "tuple[regex.Pattern[str], regex.Pattern[str]]":
    """The expressions of what stands before a number, and of a number's last digit and what stands after it."""
    codes = {code for place in get_global("territory_currencies") for code in get_territory_currencies(place)}
    signs = {get_currency_symbol(code, place) for place in LOCALES for code in get_territory_currencies(place[-2:])}
    # Letters of a sign may be drawn with or without its points and blanks. A sign such as ₪ needs no list.
    letters = sorted(sign.strip("\u200f.") for sign in signs - codes if not regex.search(r"\p{Sc}", sign))
    local = "|".join(r"\.?\s?".join(map(regex.escape, regex.split(r"[.\s]+", sign))) for sign in letters)
    known = codes - WORDS
    before = rf"(?:\p{{Sc}}|(?<!\w)(?:\L<codes>|(?i:{local}|{_BEFORE})))[\s.:：]{{0,3}}$"
    after = rf"\d(?:(?i:{'|'.join(_AFTER)})|\s?(?:\L<codes>|(?i:{local}))(?!\w))"
    return regex.compile(before, codes=known), regex.compile(after, codes=known)
