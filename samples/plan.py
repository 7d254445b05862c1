"""What one view is going to show, decided before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_SUBJECTS = ("whole", "whole", "whole", "whole", "crop", "pair", "chart", "texture", "parts")
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


def plan(rng: Random, main: bool, poise: str, habit_of_logo: bool) -> Plan:
    """A main view is rich, later views are plain; a calm shop says little."""
    loud = {"loud": 1.0, "calm": 0.55, "photo": 0.35}[poise]
    subject = rng.choice(_MAIN if main else _SUBJECTS)
    rich = (1.0 if main else 0.42) * loud
    return Plan(
        subject=subject,
        logo=habit_of_logo and rng.random() < (0.88 if main else 0.68),
        foreign=rng.random() < 0.3,
        platform=rng.random() < 0.16 * rich,
        copies=_copies(rng, main, loud),
        price=_price(rng, 0.84 * rich),
        figure=rng.random() < (0.34 if main else 0.22),
        gift=_gift(rng, 0.74 * rich),
        parts=rng.random() < (0.2 if main else 0.15),
        badge=rng.random() < 0.3 * loud,
    )


def _copies(rng: Random, main: bool, loud: float) -> int:
    chances = (0.95, 0.7, 0.3) if main else (0.52, 0.3, 0.12)
    return sum(rng.random() < chance * loud**0.5 for chance in chances)


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
