"""Invented brands and titles. A seed's brands end in characters that only seeds of its class (seed mod 7) use."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tools.samples.catalogue import Industry

CLASSES = 7
_FIRST = "棠栖澜岑雾砚苒芷淮槿霁沐稚禾枫屿瑾溪皓岚绮珞琅昕暮辰芮葵霖榕朔笙荻筠珂翎"
_MIDDLE = "木里川弦舟汀原野鹭禅语朴帆谷砂夏朵蔓维"
_LAST = ("坊朵氏", "莱诺阁", "轩纳斯", "舍蒂拉", "匠格曼", "堂依罗", "记妮克")
_SOUND = [
    "Vel",
    "Qor",
    "Zun",
    "Tyl",
    "Bre",
    "Mav",
    "Nio",
    "Fex",
    "Lum",
    "Ost",
    "Kri",
    "Dav",
    "Oru",
    "Pex",
    "Syl",
    "Jun",
    "Wex",
    "Hal",
    "Ilo",
    "Gry",
]
_CODA = ("mira tan", "dor vix", "nell ska", "bria fon", "quist lo", "rano deth", "zelle um")
_PROMISES = ("包邮", "送{gift}", "正品", "买一送一", "特价", "赠{gift}", "官方旗舰", "送运费险", "清仓", "送礼佳品")


@dataclass(frozen=True)
class Brand:
    latin: str
    chinese: str
    symbol: int


def brand(rng: Random, seed: int) -> Brand:
    """A brand of that seed's class."""
    group = seed % CLASSES
    chinese = rng.choice(_FIRST) + (rng.choice(_MIDDLE) if rng.random() < 0.5 else "") + rng.choice(_LAST[group])
    latin = (
        rng.choice(_SOUND)
        + (rng.choice(_SOUND).lower() if rng.random() < 0.3 else "")
        + rng.choice(_CODA[group].split())
    )
    return Brand(latin, chinese, rng.randrange(12))


def title(rng: Random, name: Brand, industry: Industry) -> str:
    """A shop title: brand, model, words, noun, and now and then a promise that no picture has to keep."""
    words = rng.sample(industry.words, rng.randint(3, 6))
    half = rng.randint(1, len(words))
    noun = rng.choice((industry.level2, *industry.nouns))
    parts = [_opening(rng, name), *words[:half], noun, *words[half:], rng.choice(industry.nouns)]
    if rng.random() < 0.3:
        parts.insert(1, f" {rng.choice('ABDKLRSTX')}{rng.randint(10, 990)}{rng.choice(('', 'S', '-T', 'Pro'))} ")
    if rng.random() < 0.25:
        parts.append(" " + rng.choice(industry.specs))
    if rng.random() < 0.34:
        parts.append(" " + rng.choice(_PROMISES).format(gift=rng.choice(industry.gifts)[0]))
    return " ".join("".join(parts).split())


def _opening(rng: Random, name: Brand) -> str:
    return rng.choice(
        (
            f"{name.latin}/{name.chinese} ",
            f"{name.chinese} ",
            f"{name.latin} ",
            f"{name.chinese}{name.latin} ",
            f"{name.latin}/{name.chinese} ",
            "",
        )
    )
