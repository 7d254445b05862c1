"""Facts about a shop: what gold taught, with the tasks that said so, and what people said, which always wins.

A fact is one line of the knowledge: a relation, a subject and an object, as in "the brand konka is also written 康佳".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Relation(StrEnum):
    """What a fact tells of its subject. The values are the sections of the file (`model.knowledge.document`)."""

    ALIAS = "brand names"
    LOGO = "brand logos"
    FAMILY_GIFT = "gifts of products"
    INDUSTRY_GIFT = "gifts of industries"
    GIFT_LOOK = "looks of gifts"
    ELEMENT = "elements of industries"
    COPY = "copy of seasons"


PLACED = (Relation.LOGO, Relation.GIFT_LOOK)
"""The relations whose objects are places in tasks."""


@dataclass(frozen=True, order=True)
class Fact:
    """One fact. ``object`` is a name, a label, words, or a place in a task (`place_of`).

    Fact(Relation.ALIAS, "konka", "康佳")
    """

    relation: Relation
    subject: str
    object: str


@dataclass(frozen=True)
class Learned:
    """How gold taught a fact: the tasks that say so, and how many could have, 0 if that means nothing."""

    tasks: tuple[int, ...]
    of: int = 0


@dataclass(frozen=True)
class Contradiction:
    """Two things that cannot both be right, in words, with the tasks in which people can see it."""

    words: str
    tasks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Knowledge:
    """All that is known of one shop.

    ``learned`` is made anew by each training. ``said`` is what people said: True where the fact holds, False where it
    does not.

        knowledge.holds(Fact(Relation.ALIAS, "konka", "康佳"))    # True, False, or None if nobody says so
    """

    learned: Mapping[Fact, Learned] = field(default_factory=dict)
    said: Mapping[Fact, bool] = field(default_factory=dict)
    contradictions: tuple[Contradiction, ...] = ()

    def holds(self, fact: Fact) -> bool | None:
        """Return whether a fact holds, people first; None for a fact that neither they nor gold tell."""
        return self.said.get(fact, True if fact in self.learned else None)

    def holding(self, relation: Relation) -> dict[str, list[str]]:
        """Return the objects of all facts of a relation that hold, by subject, in order."""
        found: dict[str, list[str]] = {}
        for fact in sorted({*self.learned, *self.said}):
            if fact.relation is relation and self.holds(fact):
                found.setdefault(fact.subject, []).append(fact.object)
        return found


def disputes(knowledge: Knowledge) -> tuple[Contradiction, ...]:
    """Return where people and gold contradict each other, and names that two brands share."""
    found = []
    for fact, holds in sorted(knowledge.said.items()):
        gold = knowledge.learned.get(fact)
        told = f"{fact.relation}, {fact.subject}: {fact.object}"
        if gold and not holds:
            found.append(Contradiction(f"{told}: people say no, gold says yes", gold.tasks))
        elif holds and not gold and fact.relation is Relation.ELEMENT:
            seen = [one for other, one in knowledge.learned.items() if other.subject == fact.subject and one.of]
            of = max((one.of for one in seen), default=0)
            if of:
                found.append(Contradiction(f"{told}: people say yes, none of {of} gold pictures has it"))
    owners: dict[str, list[str]] = {}
    for brand, names in knowledge.holding(Relation.ALIAS).items():
        for name in {brand.casefold(), *(name.casefold() for name in names)}:
            owners.setdefault(name, []).append(brand)
    for name, brands in sorted(owners.items()):
        if len(brands) > 1:
            tasks = [
                task
                for fact, one in knowledge.learned.items()
                if fact.relation is Relation.ALIAS and fact.subject in brands and fact.object.casefold() == name
                for task in one.tasks
            ]
            words = f"{Relation.ALIAS}: {name} is a name of {' and of '.join(brands)}"
            found.append(Contradiction(words, tuple(sorted(set(tasks)))))
    return tuple(found)


def place_of(task: int, edges: Sequence[float]) -> str:
    """Return the object of a look: where it was drawn, in percent of the picture (left, top, right, bottom).

    place_of(12, (0.02, 0.03, 0.2, 0.1))    # "task 12 at 2 3 20 10"
    """
    return f"task {task} at " + " ".join(f"{100 * edge:.4g}" for edge in edges)


def industry_name(path: Sequence[str]) -> str:
    """Return an industry path as one subject: ``home > pans``."""
    return " > ".join(path)


@dataclass(frozen=True)
class People:
    """What people said of a shop, and the task of each row of the pool, by which they name the places of looks.

    If it ``speaks``, what is known of the shop is a source of opinions on tags too, not only on boxes.
    """

    said: Mapping[Fact, bool]
    tasks: tuple[int, ...]
    speaks: bool = True
