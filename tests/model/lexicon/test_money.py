import time
from datetime import datetime

import pytest
from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal, format_percent, get_territory_currencies
from babel.units import format_unit

from model.lexicon.money import names_sum

LOCALES = """
    zh_CN zh_TW zh_HK ja_JP ko_KR en_US en_GB en_IN en_AE es_ES es_MX es_PE pt_BR pt_PT fr_FR fr_CA de_DE de_CH it_IT
    pl_PL vi_VN id_ID th_TH ru_RU ar_AE ar_SA ar_EG hi_IN tr_TR
"""
UNITS = """
    length-centimeter length-inch length-meter mass-gram mass-kilogram mass-pound volume-liter volume-milliliter
    duration-day duration-month duration-year duration-hour digital-gigabyte power-watt temperature-celsius
"""
NUMBERS = (1, 12, 99, 250, 1980, 19.99)


@pytest.mark.parametrize(
    "text",
    [
        "¥199",
        "￥ 1,299",
        "$19.99",
        "$.75",
        "US$:12.99",
        "29 NT$",
        "12,50 $",
        "1,980円",
        "3万円",
        "1.2万元起",
        "9块9",
        "29,900원",
        "2만원대",
        "₩45,000",
        "Rp 199.000",
        "Rp75.000",
        "25rb",
        "19,99 zł",
        "19,99 zć",
        "19,99 zl",
        "19,99 z",
        "249 Kc",
        "AED 49",
        "49 AED",
        "Rs. 1,499",
        "Rs 499/-",
        "रु. 250",
        "199.000đ",
        "199.000d",
        "\u200f25.00\u00a0\u200f₪",
        "350.000 VNĐ",
        "199 บาท",
        "499 руб.",
        "1 299 ₽",
        "99 ر.س",
        "99 ر.س.\u200f",
        "150 درهم",
        "149,90 TL",
        "39€90",
        "59,-",
        "R$ 129,90",
        "S/ 89.90",
        "1 990 Ft",
        "249 kr",
        "CHF 39.90",
        "售价AED49起",
        "25EUR包邮",
        "特价Rp199.000",
        "12 лв.",
    ],
)
def test_a_number_beside_a_currency_is_a_sum(text: str) -> None:
    assert names_sum(text)
    assert names_sum(f"abc {text} 中文")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "199",
        "1,980",
        "2024年11月11日",
        "11.11",
        "2024元旦",
        "30円形",
        "5원피스",
        "199cm",
        "500 ml",
        "12 L",
        "6 ft",
        "100 Ft",
        "24 AWG",
        "199 z",
        "TOP 10",
        "GEL 100",
        "iPhone 15",
        "WH-1000XM5",
        "+86 400-820-8820",
        "50%",
        "3件",
        "4.8 / 5",
        "USB 3.0",
        "30 Sek.",
        "AEDX 49",
        "zł",
        "元",
    ],
)
def test_other_numbers_are_no_sums(text: str) -> None:
    assert not names_sum(text)


@pytest.mark.parametrize("place", LOCALES.split())
def test_prices_are_sums_as_each_country_writes_them_and_other_amounts_and_dates_are_not(place: str) -> None:
    (currency, *_) = get_territory_currencies(place[-2:])
    prices = [format_currency(number, currency, locale=place) for number in NUMBERS]
    others = [show(number, locale=place) for number in NUMBERS for show in (format_decimal, format_percent)]
    others += [format_unit(n, unit, "long", locale=place) for n in NUMBERS for unit in UNITS.split()]
    others += [format_unit(n, unit, "short", locale=place) for n in NUMBERS for unit in UNITS.split()]
    others += [format_unit(n, unit, "narrow", locale=place) for n in NUMBERS for unit in UNITS.split()]
    others += [format_datetime(datetime(2026, 11, 29), width, locale=place) for width in ("short", "medium", "long")]
    assert [text for text in prices if not names_sum(text)] == []
    assert [text for text in others if names_sum(text)] == []


@pytest.mark.parametrize("part", ["1", "1 ", "1,", "¥", "AED", "Rp ", "1 AED", "1元月", "1 R", ". ", "1  "])
def test_it_takes_a_time_in_proportion_to_the_text(part: str) -> None:
    text = part * (20_000 // len(part))
    began = time.process_time()
    names_sum(text)
    assert time.process_time() - began < 1
