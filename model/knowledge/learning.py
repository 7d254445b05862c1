"""Learn facts about a shop from its gold: names and looks of brands, gift sets, elements, and the copy of seasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from model.boxes.described import RECENT
from model.boxes.looks import Looks, Shown, crops
from model.boxes.roles import RoleReader
from model.features.item import ItemFeatures
from model.items import Box, Gold, TextBlock
from model.knowledge.facts import Contradiction, Fact, Knowledge, Learned, Relation, disputes, industry_name, place_of
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
    """What gold taught: the looks of logos and gifts, None without any rectangle, and facts about the shop."""

    looks: Looks | None
    knowledge: Knowledge


def learn(shop: ShopGold, labels: Sequence[str], lexicon: Lexicon, said: Mapping[Fact, bool]) -> Lesson:
    """Return what the gold of a shop teaches about labels that are taken for logos, gifts and copy.

    ``said`` is what people said: a look that they deny is no prototype.
    """
    kinds = [kind.name for kind in lexicon.kinds_of(labels)]
    shown = [
        Shown(row, labels.index(entry.label), entry.box)
        for row, gold in sorted(shop.gold.items())
        for entry in gold.boxes or ()
        if entry.label in labels and kinds[labels.index(entry.label)] in LOOKED
    ]
    logos = _brands(shop, [one for one in shown if kinds[one.column] == "logo"])
    gifts = _gifts(shop, [one for one in shown if kinds[one.column] == "gift"])
    learned: dict[Fact, list[int]] = {}
    denied = set()
    for one, (brand, names) in logos.items():
        task = shop.tasks[one.row]
        look = Fact(Relation.LOGO, brand, place_of(task, _edges(one.box)))
        for fact in (look, *(Fact(Relation.ALIAS, brand, name) for name in names if name != brand)):
            learned.setdefault(fact, []).append(task)
        if said.get(look) is False:
            denied.add(one)
    for one, gift in gifts.items():
        item, task = shop.pool[one.row], shop.tasks[one.row]
        look = Fact(Relation.GIFT_LOOK, gift, place_of(task, _edges(one.box)))
        product = (item.title or shop.families[one.row])[:LONGEST_TITLE]
        facts = [look, Fact(Relation.FAMILY_GIFT, product, gift)]
        facts += [Fact(Relation.INDUSTRY_GIFT, industry_name(item.industry), gift)] if item.industry else []
        for fact in facts:
            learned.setdefault(fact, []).append(task)
        if said.get(look) is False:
            denied.add(one)
    counted = _elements(shop, labels)
    for row, gold in sorted(shop.gold.items()):
        if any(kind == "copy" and gold.says(label) for kind, label in zip(kinds, labels, strict=True)):
            for block in shop.pool[row].blocks:
                if season := season_of(block.text):
                    words = " ".join(block.text[:LONGEST].split())[:LONGEST_COPY]
                    learned.setdefault(Fact(Relation.COPY, season, words), []).append(shop.tasks[row])
    facts = {fact: Learned(tuple(sorted(set(tasks)))) for fact, tasks in learned.items()}
    knowledge = Knowledge(facts | counted, said)
    columns = [k for k, kind in enumerate(kinds) if kind in LOOKED]
    reader = RoleReader(lexicon)
    others = {
        row: (RECENT.of(shop.pool[row], reader).boxes_N4, frozenset(k for k in columns if _knows(gold, labels[k])))
        for row, gold in sorted(shop.gold.items())
        if columns and shown
    }
    kept = [one for one in shown if one not in denied]
    looks = Looks.learn(shop.pool, kept, others, shop.families, columns, [k for k in columns if kinds[k] == "gift"])
    found = (*disputes(knowledge), *_two_names(shop, logos), *_denied_looks(shop, labels, logos, reader))
    return Lesson(looks, Knowledge(knowledge.learned, said, found))


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


def _gifts(shop: ShopGold, shown: Sequence[Shown]) -> dict[Shown, str]:
    """Return what each gift is called: by the text on it, by that of a gift that looks the same, or by its task."""
    named = {one: gift_name(_beside(shop.pool[one.row].blocks, one.box)) for one in shown}
    seen = {one: _look(shop, one) for one in shown if len(shop.pool[one.row].grid_RC)}
    found: dict[Shown, str] = {}
    for one in shown:
        alike = [
            (float(seen[one] @ seen[other]), name)
            for other, name in (named | found).items()
            if name and other is not one and one in seen and other in seen
        ]
        nearest = max(alike, default=(0.0, ""))
        borrowed = nearest[1] if nearest[0] >= ALIKE else f"gift of task {shop.tasks[one.row]}"
        found[one] = named[one] or borrowed
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


def _two_names(shop: ShopGold, logos: Mapping[Shown, tuple[str, tuple[str, ...]]]) -> list[Contradiction]:
    """Return pairs of logos that look the same and have the names of different brands."""
    seen = [(one, brand) for one, (brand, _) in logos.items() if len(shop.pool[one.row].grid_RC)]
    if not seen:
        return []
    look_PD = torch.stack([_look(shop, one) for one, _ in seen])
    pairs = ((look_PD @ look_PD.T) >= ALIKE).triu(1).nonzero().tolist()
    told: dict[tuple[str, str], set[int]] = {}
    for one, other in pairs:
        names = sorted({seen[one][1], seen[other][1]})
        if len(names) == 2:
            tasks = {shop.tasks[seen[one][0].row], shop.tasks[seen[other][0].row]}
            told.setdefault((names[0], names[1]), set()).update(tasks)
    return [
        Contradiction(f"{Relation.LOGO}: one look with two names, {one} and {other}", tuple(sorted(tasks)))
        for (one, other), tasks in sorted(told.items())
    ]


def _denied_looks(
    shop: ShopGold,
    labels: Sequence[str],
    logos: Mapping[Shown, tuple[str, tuple[str, ...]]],
    reader: RoleReader,
) -> list[Contradiction]:
    """Return pictures of which gold denies a logo although something in them looks like a known one."""
    seen = [(one, brand) for one, (brand, _) in logos.items() if len(shop.pool[one.row].grid_RC)]
    if not seen:
        return []
    look_PD = torch.stack([_look(shop, one) for one, _ in seen])
    found = []
    for row, gold in sorted(shop.gold.items()):
        item = shop.pool[row]
        columns = {one.column for one, _ in seen if gold.says(labels[one.column]) is False}
        if not columns or not len(item.grid_RC):
            continue
        boxes_N4 = RECENT.of(item, reader).boxes_N4
        if not len(boxes_N4):
            continue
        alike_P = (crops(item, boxes_N4, torch.zeros(item.grid_RC.shape[1])) @ look_PD.T).max(0).values
        places = [p for p, (one, _) in enumerate(seen) if one.column in columns and float(alike_P[p]) >= ALIKE]
        if places:
            one, brand = seen[max(places, key=lambda p: float(alike_P[p]))]
            words = (
                f"{Relation.LOGO}: gold denies {labels[one.column]}, but something looks like {brand} "
                f"of task {shop.tasks[one.row]}"
            )
            found.append(Contradiction(words, (shop.tasks[row],)))
    return found
