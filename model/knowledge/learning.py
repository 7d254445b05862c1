"""Learn facts about a shop from its gold: names and looks of brands, gift sets, elements, and the copy of seasons."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from model.boxes.described import RECENT
from model.boxes.looks import Looks, Shown, crops
from model.boxes.roles import RoleReader
from model.features.item import ItemFeatures
from model.items import Box, Gold, TextBlock
from model.knowledge.facts import PLACED, Contradiction, Fact, Learned, Relation, industry_name, place_of
from model.knowledge.words import gift_name, names_read, season_of, title_names
from model.lexicon.cues import names_brand
from model.lexicon.lexicon import Lexicon
from model.lexicon.pattern import LONGEST

LOOKED = ("logo", "gift")
"""The kinds whose labels have looks."""
NEAR = 0.03
"""A text this far from a rectangle, in sides of the picture, still belongs to it."""
ALIKE = 0.9
"""Crops this similar show the same thing: an unnamed gift takes the name of such a one, and two names are told."""
NEWEST = 2000
"""The most logos that are compared for contradictions, those of the newest tasks."""
LONGEST_COPY = 40
LONGEST_TITLE = 80


@dataclass(frozen=True, eq=False)
class ShopGold:
    """The gold of a shop: ``pool`` and ``families`` as in a `Problem`, and the task of each row."""

    pool: Sequence[ItemFeatures]
    gold: Mapping[int, Gold]
    families: Sequence[str]
    tasks: Sequence[int]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the gold of a shop teaches about the labels that are taken for logos, gifts and copy.

    lesson = Lesson(shop, labels, lexicon)
    knowledge, looks = Knowledge(lesson.facts(), said), lesson.looks(said)
    """

    shop: ShopGold
    labels: tuple[str, ...]
    lexicon: Lexicon

    def facts(self) -> dict[Fact, Learned]:
        """Return all facts, each with the tasks that say so."""
        shop, taught = self.shop, dict[Fact, list[int]]()
        for one, (brand, names) in self._logos.items():
            facts = [Fact(Relation.LOGO, brand, self._place(one))]
            facts += [Fact(Relation.ALIAS, brand, name) for name in names if name != brand]
            for fact in facts:
                taught.setdefault(fact, []).append(shop.tasks[one.row])
        for one, gift in self._gifts.items():
            item = shop.pool[one.row]
            product = (item.title or shop.families[one.row])[:LONGEST_TITLE]
            facts = [Fact(Relation.GIFT_LOOK, gift, self._place(one)), Fact(Relation.FAMILY_GIFT, product, gift)]
            facts += [Fact(Relation.INDUSTRY_GIFT, industry_name(item.industry), gift)] if item.industry else []
            for fact in facts:
                taught.setdefault(fact, []).append(shop.tasks[one.row])
        for row, gold in sorted(shop.gold.items()):
            if any(kind == "copy" and gold.says(label) for kind, label in zip(self._kinds, self.labels, strict=True)):
                for block in shop.pool[row].blocks:
                    if season := season_of(block.text):
                        words = " ".join(block.text[:LONGEST].split())[:LONGEST_COPY]
                        taught.setdefault(Fact(Relation.COPY, season, words), []).append(shop.tasks[row])
        learned = {fact: Learned(tuple(sorted(set(tasks)))) for fact, tasks in taught.items()}
        return learned | _elements(shop, self.labels)

    def looks(self, said: Mapping[Fact, bool]) -> Looks | None:
        """Return the looks of logos and gifts without those that people deny; None where gold has no rectangle."""
        shop, kept = self.shop, {fact.object for fact, holds in said.items() if holds}
        columns = [k for k, kind in enumerate(self._kinds) if kind in LOOKED]
        # A look that people gave to another brand or gift is denied of the one that gold names.
        gone = {fact.object for fact, holds in said.items() if fact.relation in PLACED and not holds} - kept
        shown = [one for one in self._shown if self._place(one) not in gone]
        if not shown:
            return None
        reader = RoleReader(self.lexicon)
        others = {
            row: (
                RECENT.of(shop.pool[row], reader).boxes_N4,
                frozenset(k for k in columns if _knows(gold, self.labels[k])),
            )
            for row, gold in sorted(shop.gold.items())
        }
        gifts = [k for k in columns if self._kinds[k] == "gift"]
        return Looks.learn(shop.pool, shown, others, shop.families, columns, gifts)

    def contradictions(self) -> tuple[Contradiction, ...]:
        """Return logos that look the same under two names, and pictures that look like a logo that gold denies."""
        seen = [(one, brand) for one, (brand, _) in self._logos.items() if len(self.shop.pool[one.row].grid_RC)]
        if not seen:
            return ()
        seen = seen[-NEWEST:]
        look_PD = torch.stack([_look(self.shop, one) for one, _ in seen])
        return (*self._two_names(seen, look_PD), *self._denied(seen, look_PD))

    @cached_property
    def _kinds(self) -> list[str]:
        return [kind.name for kind in self.lexicon.kinds_of(self.labels)]

    @cached_property
    def _shown(self) -> list[Shown]:
        """The gold rectangles of logos and gifts."""
        column_of = {label: k for k, label in enumerate(self.labels) if self._kinds[k] in LOOKED}
        return [
            Shown(row, column_of[entry.label], entry.box)
            for row, gold in sorted(self.shop.gold.items())
            for entry in gold.boxes or ()
            if entry.label in column_of
        ]

    @cached_property
    def _logos(self) -> dict[Shown, tuple[str, tuple[str, ...]]]:
        return _brands(self.shop, [one for one in self._shown if self._kinds[one.column] == "logo"])

    @cached_property
    def _gifts(self) -> dict[Shown, str]:
        shown = [one for one in self._shown if self._kinds[one.column] == "gift"]
        negation = self.lexicon.kinds["gift"].negation if shown else None
        return _gifts(self.shop, shown, negation.taken_out_of if negation else str)

    def _place(self, one: Shown) -> str:
        return place_of(self.shop.tasks[one.row], _edges(one.box))

    def _two_names(self, seen: Sequence[tuple[Shown, str]], look_PD: Tensor) -> list[Contradiction]:
        told: dict[tuple[str, str], set[int]] = {}
        for pair in ((look_PD @ look_PD.T) >= ALIKE).triu(1).nonzero().tolist():
            first, second = sorted({seen[place][1] for place in pair} | {""})[-2:]
            if first:
                told.setdefault((first, second), set()).update(self.shop.tasks[seen[place][0].row] for place in pair)
        return [
            Contradiction(f"{Relation.LOGO}: one look with two names, {one} and {other}", tuple(sorted(tasks)))
            for (one, other), tasks in sorted(told.items())
        ]

    def _denied(self, seen: Sequence[tuple[Shown, str]], look_PD: Tensor) -> list[Contradiction]:
        shop, reader, found = self.shop, RoleReader(self.lexicon), []
        for row, gold in sorted(shop.gold.items()):
            item = shop.pool[row]
            own = [p for p, (one, _) in enumerate(seen) if gold.says(self.labels[one.column]) is False]
            boxes_N4 = RECENT.of(item, reader).boxes_N4 if own and len(item.grid_RC) else torch.zeros(0, 4)
            if not len(boxes_N4):
                continue
            crop_ND = crops(item, boxes_N4, torch.zeros(item.grid_RC.shape[1]))
            alike_P = (crop_ND @ look_PD[own].T).max(0).values
            if float(alike_P.max()) >= ALIKE:
                one, brand = seen[own[int(alike_P.argmax())]]
                words = f"gold denies {self.labels[one.column]}, but something looks like {brand} of task"
                told = f"{Relation.LOGO}: {words} {shop.tasks[one.row]}"
                found.append(Contradiction(told, (shop.tasks[row],)))
        return found


def _edges(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _knows(gold: Gold, label: str) -> bool:
    """Return whether all rectangles of a label are known: they were drawn, or the item does not have the label."""
    if gold.says(label) is False:
        return True
    return bool(gold.boxes) and label not in gold.unknown_boxes and gold.says(label) is not None


def _beside(blocks: Sequence[TextBlock], box: Box) -> list[TextBlock]:
    """Return the read blocks in a rectangle and near it."""
    wide = Box(box.left - NEAR, box.top - NEAR, box.right + NEAR, box.bottom + NEAR)
    return [block for block in blocks if block.box.share_inside(wide) > 0.5]


def _brands(shop: ShopGold, shown: Sequence[Shown]) -> dict[Shown, tuple[str, tuple[str, ...]]]:
    """Return the brand of each logo, and the names under which it was read or stands in the title.

    A logo belongs to the title's brand if its text names that brand, or if it has no text that can be read. Otherwise
    it is called by its text: it may be the mark of a shop. So is a name on the logos of several titles' brands.
    """
    seen: dict[Shown, tuple[tuple[str, ...], tuple[str, ...], bool]] = {}
    owners: dict[str, set[str]] = {}
    for one in shown:
        item = shop.pool[one.row]
        title, near = title_names(item.title), _beside(item.blocks, one.box)
        read = names_read(near)
        own = bool(title) and (not read or any(names_brand(block.text, item.title, title) for block in near))
        seen[one] = title, read, own
        for name in read if own else ():
            owners.setdefault(name, set()).add(title[0])
    found: dict[Shown, tuple[str, tuple[str, ...]]] = {}
    for one, (title, read, own) in seen.items():
        proper = tuple(name for name in read if len(owners.get(name, ())) < 2)
        if own:
            found[one] = title[0], tuple(dict.fromkeys((*title, *proper)))
        elif read:
            found[one] = read[0], read[:1]
        else:
            found[one] = f"logo of task {shop.tasks[one.row]}", ()
    # A brand that is another brand's second name is that brand.
    first = {name: brand for brand, names in found.values() for name in names if name != brand}
    return {
        one: (first.get(brand, brand), tuple(dict.fromkeys((brand, *names)))) if brand in first else (brand, names)
        for one, (brand, names) in found.items()
    }


def _gifts(shop: ShopGold, shown: Sequence[Shown], left: Callable[[str], str]) -> dict[Shown, str]:
    """Return what each gift is called: by the text on it, by that of a gift that looks the same, or by its task."""
    named = {one: gift_name(_beside(shop.pool[one.row].blocks, one.box), left) for one in shown}
    known = [one for one in shown if named[one] and len(shop.pool[one.row].grid_RC)]
    known_PD = torch.stack([_look(shop, one) for one in known]) if known else None
    found: dict[Shown, str] = {}
    for one in shown:
        found[one] = named[one] or f"gift of task {shop.tasks[one.row]}"
        if not named[one] and known_PD is not None and len(shop.pool[one.row].grid_RC):
            alike_P = known_PD @ _look(shop, one)
            if float(alike_P.max()) >= ALIKE:
                found[one] = named[known[int(alike_P.argmax())]]
    return found


def _look(shop: ShopGold, one: Shown) -> torch.Tensor:
    """Return the (D,) vector of a rectangle by itself, centred on nothing: for comparing whole looks only."""
    item = shop.pool[one.row]
    return crops(item, torch.tensor([_edges(one.box)]), torch.zeros(item.grid_RC.shape[1]))[0]


def _elements(shop: ShopGold, labels: Sequence[str]) -> dict[Fact, Learned]:
    """Return for each industry path, and each level above, the tasks with each label that occurs there."""
    tasks: dict[Fact, list[int]] = {}
    known: dict[tuple[str, str], int] = {}
    for row, gold in sorted(shop.gold.items()):
        path = shop.pool[row].industry
        for depth in range(1, len(path) + 1):
            subject = industry_name(path[:depth])
            for label in labels:
                if (says := gold.says(label)) is not None:
                    known[subject, label] = known.get((subject, label), 0) + 1
                    if says:
                        tasks.setdefault(Fact(Relation.ELEMENT, subject, label), []).append(shop.tasks[row])
    return {fact: Learned(tuple(ids), known[fact.subject, fact.object]) for fact, ids in tasks.items()}
