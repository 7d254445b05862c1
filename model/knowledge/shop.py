"""What is known of a shop as sources of opinions: brand memory, gift sets, and what people say.

    brand memory   o = z(m) + 2 · [a known name of a brand is read],     z(m) = (m − mean m) / deviation of m, within ±3
    gift sets      the same with gifts: their looks, and what they are called
    shop rules     o = ±2 where people say that an industry has or has not an element, +1 for a product or an industry
                   that people give a gift, +2 where the known copy of a season is read

with m the largest margin of a candidate to a look of the label (`model.boxes.looks`), and its mean and deviation over
the pool. An opinion on a gold item comes without the looks and the words of its own product family.

Shape suffixes: F sources, N items, K classes, L labels with looks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from model.boxes.described import RECENT
from model.boxes.looks import Looks
from model.boxes.roles import RoleReader
from model.features.item import ItemFeatures
from model.knowledge.facts import Fact, Knowledge, Relation, industry_name
from model.knowledge.words import Words, folded
from model.lexicon.lexicon import Lexicon
from model.state import State, prefixed

BRANDS, GIFTS, RULES = SOURCES = ("brand memory", "gift sets", "shop rules")
"""The names of the sources."""
SHOP_TRUST = 0.3
"""Prior trust in each of them, that of other sources which gold has not measured yet."""
READ = 2.0
RULE = 2.0
SET = 1.0
MOST = 3.0

_SPEAKER = {"logo": BRANDS, "gift": GIFTS, "copy": RULES}
_PEOPLE = frozenset([""])


@dataclass(frozen=True, eq=False)
class Shop:
    """The knowledge of one shop as sources of opinions on ``labels``.

    ``centre_L`` and ``scale_L`` are mean and standard deviation of the pool's best margins. ``words`` are those that
    speak for each label, ``rules`` what people said of industries and products, ``hidden`` families that
    must not speak.

        shop = Shop.of(lesson, labels, lexicon, families_by_task).measured(pool, families, gold_rows)
        opinion_FNK = shop.opinions(items)
    """

    labels: tuple[str, ...]
    lexicon: Lexicon
    looks: Looks | None = None
    centre_L: Tensor = field(default_factory=lambda: torch.zeros(0))
    scale_L: Tensor = field(default_factory=lambda: torch.zeros(0))
    words: Mapping[str, Words] = field(default_factory=dict)
    rules: Mapping[Fact, bool] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        looks: Looks | None,
        knowledge: Knowledge,
        labels: Sequence[str],
        lexicon: Lexicon,
        families: Mapping[int, str],
    ) -> "Shop":
        """Return the shop of these facts; ``families`` are the product families of the tasks that taught them."""
        by_kind: dict[str, dict[str, frozenset[str]]] = {}

        def add(kind: str, word: str, teachers: frozenset[str]) -> None:
            if len(word) > 1:
                words = by_kind.setdefault(kind, {})
                words[word] = words.get(word, frozenset()) | teachers

        # What the subject is called is said by all of its facts.
        spoken = {Relation.ALIAS: "logo", Relation.LOGO: "logo", Relation.INDUSTRY_GIFT: "gift",
                  Relation.FAMILY_GIFT: "gift", Relation.COPY: "copy"}  # fmt: skip
        for fact in sorted({*knowledge.learned, *knowledge.said}):
            kind = spoken.get(fact.relation)
            if kind is None or not knowledge.holds(fact):
                continue
            learned = knowledge.learned.get(fact)
            tasks = learned.tasks if learned else ()
            teachers = frozenset(families[task] for task in tasks if task in families)
            teachers |= _PEOPLE if knowledge.said.get(fact) else frozenset()
            for word in {
                Relation.ALIAS: (fact.subject, fact.object),
                Relation.LOGO: (fact.subject,),
            }.get(fact.relation, (fact.object,)):
                add(kind, folded(word), teachers)
        words = {
            label: Words(by_kind[kind.name], alone=kind.name == "logo")
            for label, kind in zip(labels, lexicon.kinds_of(labels), strict=True)
            if kind.name in by_kind
        }
        ruling = (Relation.ELEMENT, Relation.FAMILY_GIFT, Relation.INDUSTRY_GIFT)
        rules = {fact: holds for fact, holds in knowledge.said.items() if fact.relation in ruling}
        return cls(tuple(labels), lexicon, looks, words=words, rules=rules)

    def measured(
        self, pool: Sequence[ItemFeatures], families: Sequence[str], gold: Sequence[int]
    ) -> tuple["Shop", Tensor]:
        """Return the shop with the margins of a pool as measure, and the (F, N, K) opinions on the pool.

        ``gold`` are the rows whose own families must not speak for them.
        """
        rows = set(gold)
        hidden = [{families[row]} if row in rows else set[str]() for row in range(len(pool))]
        best_NL = self._best(pool, hidden)
        known_NL = best_NL.nan_to_num(0.0)
        count_L = (~best_NL.isnan()).sum(0).clamp(min=1)
        centre_L = known_NL.sum(0) / count_L
        spread_NL = torch.where(best_NL.isnan(), 0.0, (best_NL - centre_L) ** 2)
        scale_L = (spread_NL.sum(0) / count_L).sqrt().clamp(min=1e-3)
        shop = replace(self, centre_L=centre_L, scale_L=scale_L)
        return shop, shop._opinions(pool, hidden, best_NL)

    def opinions(self, items: Sequence[ItemFeatures]) -> Tensor:
        """Return the (F, N, K) float64 log-odds of the sources on new items; 0 where one says nothing."""
        hidden = [self.hidden] * len(items)
        return self._opinions(items, hidden, self._best(items, hidden))

    def without(self, families: Collection[str]) -> "Shop":
        """Return the shop without what these product families have taught."""
        return replace(self, hidden=frozenset(families))

    def _best(self, items: Sequence[ItemFeatures], hidden: Sequence[Collection[str]]) -> Tensor:
        """Return the best margin (N, L) of each item's candidates; NaN without any."""
        if self.looks is None:
            return torch.zeros(len(items), 0)
        best_NL = torch.full((len(items), len(self.looks.columns)), torch.nan)
        for n, (item, families) in enumerate(zip(items, hidden, strict=True)):
            boxes_N4 = RECENT.of(item, self._reader).boxes_N4
            if len(boxes_N4) and len(item.grid_RC):
                best_NL[n] = torch.from_numpy(self.looks.without(families).margins(item, boxes_N4)).max(0).values
        return best_NL

    def _opinions(self, items: Sequence[ItemFeatures], hidden: Sequence[Collection[str]], best_NL: Tensor) -> Tensor:
        opinion_FNK = torch.zeros(len(SOURCES), len(items), len(self.labels), dtype=torch.float64)
        if self.looks is not None:
            z_NL = ((best_NL - self.centre_L) / self.scale_L).clamp(-MOST, MOST).nan_to_num(0.0)
            for place, column in enumerate(self.looks.columns):
                opinion_FNK[self._speakers[column], :, column] = z_NL[:, place].double()
        for n, (item, families) in enumerate(zip(items, hidden, strict=True)):
            for k, label in enumerate(self.labels):
                if label in self.words and self.words[label].read_in(item, families):
                    opinion_FNK[self._speakers[k], n, k] += READ
                opinion_FNK[2, n, k] += self._ruled(item, k)
        return opinion_FNK

    def _ruled(self, item: ItemFeatures, k: int) -> float:
        """Return what people say of a label of the item, by its industry and its product."""
        if not self.rules:
            return 0.0
        answer = 0.0
        for depth in range(len(item.industry), 0, -1):
            said = self.rules.get(Fact(Relation.ELEMENT, industry_name(item.industry[:depth]), self.labels[k]))
            if said is not None:
                # What is said of the deepest level counts.
                answer = RULE if said else -RULE
                break
        if self._kinds[k] == "gift":
            paths = {industry_name(item.industry[:depth]) for depth in range(1, len(item.industry) + 1)}
            given = any(
                holds
                and (
                    (fact.relation is Relation.INDUSTRY_GIFT and fact.subject in paths)
                    or (fact.relation is Relation.FAMILY_GIFT and item.title.startswith(fact.subject))
                )
                for fact, holds in self.rules.items()
            )
            answer += SET if given else 0.0
        return answer

    @cached_property
    def _kinds(self) -> list[str]:
        return [kind.name for kind in self.lexicon.kinds_of(self.labels)]

    @cached_property
    def _speakers(self) -> list[int]:
        """The source that speaks for each label with looks or words."""
        return [SOURCES.index(_SPEAKER.get(kind, RULES)) for kind in self._kinds]

    @cached_property
    def _reader(self) -> RoleReader:
        return RoleReader(self.lexicon)

    def state(self) -> State:
        """Return what served answers depend on: which family taught a word is left out."""
        tensors = prefixed("shop.", {"centre_L": self.centre_L, "scale_L": self.scale_L})
        facts = {
            "words": {
                label: {"alone": words.alone, "words": sorted(words.families)} for label, words in self.words.items()
            },
            "rules": sorted([fact.relation, fact.subject, fact.object, holds] for fact, holds in self.rules.items()),
        }
        return State.joined([State(tensors, {"shop": facts}), *([self.looks.state()] if self.looks else [])])

    @classmethod
    def from_state(cls, state: State) -> "Shop | None":
        """Make the shop again from the tagger's ``state()``. Return None if the tagger had none."""
        facts = state.facts.get("shop")
        if facts is None:
            return None
        words = {
            label: Words(dict.fromkeys(one["words"], _PEOPLE), one["alone"]) for label, one in facts["words"].items()
        }
        rules = {Fact(Relation(relation), subject, told): holds for relation, subject, told, holds in facts["rules"]}
        own, lexicon = state.under("shop."), Lexicon.from_dict(state.facts["lexicon"])
        return cls(
            tuple(state.facts["labels"]),
            lexicon,
            Looks.from_state(state),
            own["centre_L"],
            own["scale_L"],
            words,
            rules,
        )
