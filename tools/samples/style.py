"""A shop's habits: which plate its price stands on, where its logo sits, how it hands over a gift."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tools.samples.brands import Brand
from tools.samples.catalogue import LEVEL1, Industry
from tools.samples.ink import Rgb, hue

_REDS: tuple[Rgb, ...] = ((214, 20, 40), (232, 60, 30), (190, 10, 60), (230, 0, 18))
_YELLOWS: tuple[Rgb, ...] = ((255, 220, 0), (255, 196, 40), (250, 240, 90))


@dataclass(frozen=True)
class Habit:
    """One convention, shared by many shops."""

    price: str
    price_at: str
    logo: str
    logo_at: str
    gift_at: str
    ribbon: str
    copy: str


HABITS: tuple[Habit, ...] = (
    Habit("block", "bottom-left", "plate", "top-left", "bottom-right", "sticker", "left"),
    Habit("disc", "bottom-left", "line", "top-left", "bottom-right", "bow", "right"),
    Habit("strip", "bottom", "stack", "top-left", "right", "plus", "top"),
    Habit("plain", "left", "line", "top-right", "bottom-left", "sticker", "left"),
    Habit("burst", "top-right", "plate", "bottom-right", "bottom-left", "frame", "left"),
    Habit("tag", "bottom-right", "stack", "top", "bottom-left", "bow", "right"),
    Habit("plain", "right", "symbol", "bottom-right", "bottom-left", "frame", "top"),
    Habit("block", "bottom-right", "line", "bottom-left", "left", "plus", "left"),
    Habit("disc", "right", "symbol", "top-right", "bottom", "sticker", "top"),
    Habit("tag", "left", "plate", "bottom-left", "bottom-right", "plus", "bottom"),
)


@dataclass(frozen=True)
class Style:
    """One family's look: its habit, its colours, its type."""

    habit: Habit
    tone: Rgb
    strong: Rgb
    bright: Rgb
    head: str
    body: str
    figures: str
    poise: str


def style(rng: Random, industry: Industry, name: Brand) -> Style:
    """Mostly the habit of its industry, sometimes one of the shop's own."""
    place = LEVEL1.index(industry.level1)
    habit = HABITS[place % len(HABITS)] if rng.random() < 0.55 else rng.choice(HABITS)
    return Style(
        habit,
        hue(rng, (0.3, 1), (0.35, 1)),
        rng.choice((*_REDS, *_REDS, hue(rng, (0.6, 1), (0.3, 0.8)))),
        rng.choice((*_YELLOWS, (255, 255, 255))),
        rng.choice(("black", "bold", "songheavy", "black", "hei")),
        rng.choice(("bold", "medium", "hei", "kai", "song", "micro", "light")),
        rng.choice(("lato", "italic", "condensed", "slanted", "roboto", "black")),
        rng.choice(("loud", "loud", "calm", "photo")),
    )
