"""What one view is going to show, decided before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_SUBJECTS = ("whole",) * 11 + ("crop",) * 3 + ("pair",) * 2 + ("chart", "texture", "parts")
_MAIN = ("whole",) * 12 + ("pair",) * 2 + ("crop",)


@dataclass(frozen=True)
class Plan:
    """The elements of a view: how the product is seen, and which marks, copy, price and gift come with it."""

    subject: str
    logo: bool
    foreign: bool
    platform: bool
    copies: int
    price: str
    figure: bool
    gift: str
    parts: bool
    badge: bool


def plan(rng: Random, main: bool, poise: str, marked: bool) -> Plan:
    """A main view is rich, later views are plain; a calm shop says little."""
    loud = {"loud": 1.2, "calm": 0.85, "photo": 0.75}[poise]
    speaks = rng.random() < (0.95 if main else 0.38) * min(loud, 1.04)
    return Plan(
        subject=rng.choice(_MAIN if main else _SUBJECTS),
        logo=marked and rng.random() < (0.84 if main else 0.62),
        foreign=rng.random() < 0.22,
        platform=rng.random() < (0.14 if main else 0.03) * loud,
        copies=_copies(rng, loud) if speaks else 0,
        price=_price(rng, (0.62 if main else 0.17) * loud),
        figure=rng.random() < (0.3 if speaks else 0.05),
        gift=_gift(rng, (0.52 if main else 0.155) * loud),
        parts=rng.random() < (0.16 if main else 0.08),
        badge=speaks and rng.random() < 0.26 * loud,
    )


def _copies(rng: Random, loud: float) -> int:
    return 1 + sum(rng.random() < chance * loud for chance in (0.24, 0.1))


def _price(rng: Random, chance: float) -> str:
    """How a price is said: with its sign, bare, or as a reduction; empty for none."""
    if rng.random() > chance:
        return ""
    return rng.choice(("signed", "signed", "yuan", "bare", "bare", "bare", "labelled", "labelled", "cut"))


def _gift(rng: Random, chance: float) -> str:
    """How a gift comes: shown, or only told; empty for none."""
    if rng.random() > chance:
        return ""
    return rng.choice(("shown", "shown", "shown", "told"))
