"""The box model that a tagger calls: pre-annotated rectangles from the first task on, learning from gold rectangles.

    model = BoxModel.cold_start(labels, lexicon)
    boxes = model.predict(features, probabilities_NK)      # one tuple of PredictedBox an item, best first
    model, unseen = model.fit(features, gold, families=families, seed=7)    # unseen[family]: what has not seen it
    best_NK = model.best(model.see(features))              # how well the best candidate shows each label
    answers = model.classify_regions(item, [Drawn(box, labels)])   # label and tightened box of what an annotator drew
    state = model.state()                                  # what a tagger keeps of it (model.tagger)

``gold[i]`` without boxes teaches by its tags alone. ``probabilities_NK`` are the tagger's, one column a label; the
boxes of a picture are made consistent with them. A model is immutable: ``fit`` gives a new one.

Shape suffixes: N items or candidates, K labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from model.boxes.candidates import candidates
from model.boxes.decode import MOST_JUDGED, NEUTRAL, best_thresholds, decode, given
from model.boxes.described import RECENT, Described
from model.boxes.drawn import Drawn, clicked, label_of, tightened
from model.boxes.forest import Floats
from model.boxes.head import MOST_BAGS, Bag, BoxHead, Example
from model.boxes.pooling import Pooling
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.item import ItemFeatures
from model.items import Gold, PredictedBox
from model.lexicon.lexicon import Lexicon
from model.state import State, prefixed

UNKNOWN = 0.5


@dataclass(frozen=True, eq=False)
class Seen:
    """The candidates of one picture, and how well each shows each label."""

    boxes_N4: Tensor
    quality_NK: Floats


@dataclass(frozen=True, eq=False)
class BoxModel:
    """Predicts boxes of ``labels``; immutable and safe to call from several threads."""

    labels: tuple[str, ...]
    lexicon: Lexicon
    threshold_K: Tensor
    head: BoxHead | None = None
    pooling: Pooling | None = None

    @classmethod
    def cold_start(cls, labels: Sequence[str], lexicon: Lexicon) -> "BoxModel":
        """The model before any gold rectangle: cues on the read text and the picture's pixels."""
        return cls(tuple(labels), lexicon, torch.full((len(labels),), NEUTRAL))

    @classmethod
    def from_state(cls, state: State) -> "BoxModel | None":
        """The model whose ``state()`` this is, with its tagger's labels and lexicon; None where there was none."""
        if not state.facts["with_boxes"]:
            return None
        own = state.under("boxes.")
        head = BoxHead.from_state(own) if "trust" in own else None
        labels, lexicon = tuple(state.facts["labels"]), Lexicon.from_dict(state.facts["lexicon"])
        return cls(labels, lexicon, own["threshold"], head, Pooling.from_state(own))

    def state(self) -> State:
        """All that was learned."""
        learned = {**(self.head.state() if self.head else {}), **(self.pooling.state() if self.pooling else {})}
        return State(prefixed("boxes.", {"threshold": self.threshold_K, **learned}), {"with_boxes": True})

    def see(self, features: Sequence[ItemFeatures]) -> list[Seen]:
        """All candidates of each item, with how well they show each label."""
        return [self._seen(item) for item in features]

    def best(self, seen: Sequence[Seen]) -> Tensor:
        """(N, K) quality of the best candidate for each label; NaN for an item without candidates."""
        nothing_K = np.full(len(self.labels), np.nan, dtype=np.float32)
        rows = [one.quality_NK.max(0) if len(one.quality_NK) else nothing_K for one in seen]
        return torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, len(self.labels))

    def predict(
        self,
        features: Sequence[ItemFeatures],
        probabilities_NK: Tensor | None = None,
        given_NK: Tensor | None = None,
        *,
        faint: bool = False,
    ) -> list[tuple[PredictedBox, ...]]:
        """Boxes of each item, best first. Without probabilities every label counts as possible.

        Each label that is given as a tag (``given_NK``, none without it) has its best box, however faint. ``faint``
        gives the boxes under their label's threshold too (average precision needs them).
        """
        return self.drawn(self.see(features), probabilities_NK, given_NK, faint=faint)

    def drawn(
        self,
        seen: Sequence[Seen],
        probabilities_NK: Tensor | None = None,
        given_NK: Tensor | None = None,
        *,
        faint: bool = False,
    ) -> list[tuple[PredictedBox, ...]]:
        """``predict`` for items that were seen before."""
        unknown_NK = torch.full((len(seen), len(self.labels)), UNKNOWN)
        likely_NK = unknown_NK if probabilities_NK is None else probabilities_NK
        tags_NK = torch.zeros_like(unknown_NK) if given_NK is None else given_NK
        rows = zip(seen, likely_NK.tolist(), tags_NK.tolist(), strict=True)
        return [self._boxes(one, likely, tags, faint) for one, likely, tags in rows]

    def fit(
        self,
        features: Sequence[ItemFeatures],
        gold: Sequence[Gold],
        *,
        families: Sequence[str] | None = None,
        seed: int = 7,
    ) -> tuple["BoxModel", dict[str, "BoxModel"]]:
        """A model learned from all gold rectangles given, itself when there is nothing to learn from; and for each
        family in the gold the model as it would be without that family.

        Pictures with tags and no gold rectangles teach by their tags: their annotators did not draw, so that they say
        nothing of places. What gold does not know of a label's boxes or tag teaches nothing of it.
        ``families`` names each item's product: a product's pictures are held out together.
        """
        names = families or [str(position) for position in range(len(features))]
        drawn = [i for i, said in enumerate(gold) if said.boxes or (said.boxes == () and not said.labels)]
        told = [i for i, said in enumerate(gold) if i not in set(drawn) and said.says_something(self.labels)][
            :MOST_BAGS
        ]
        learner = replace(self, pooling=Pooling.fit([features[i] for i in (*drawn, *told)], seed=seed))
        examples = [learner._example(features[i], gold[i], names[i]) for i in drawn]
        bags = [learner._bag(features[i], gold[i], names[i]) for i in told]
        if not sum(len(example.inputs_ND) for example in examples) + sum(len(bag.inputs_ND) for bag in bags):
            return self, {}
        head, unseen = BoxHead.fit(examples, self.labels, seed=seed, bags=bags)
        judged = examples[:MOST_JUDGED]
        found = [
            decode(entry.boxes_N4, unseen[entry.family].quality(entry.inputs_ND, entry.cold_NK), self.labels)
            for entry in judged
        ]
        thresholds = best_thresholds(
            found, [entry.gold for entry in judged], self.labels, unknown=[entry.unknown for entry in judged]
        )
        learned = replace(learner, head=head, threshold_K=thresholds)
        return learned, {family: replace(learned, head=part) for family, part in unseen.items()}

    def classify_regions(
        self, item: ItemFeatures, drawn: Sequence[Drawn], probabilities_K: Tensor | None = None
    ) -> list[PredictedBox | None]:
        """The label of each region that somebody drew, and the box of the element that was most likely meant.

        A chosen label that is not known here keeps its box as drawn. None: a click on nothing, or no known label.
        """
        found = candidates(Scene.of(item, self._reader)).with_boxes([region.box for region in drawn])
        quality_NK = self._quality(item, Described.of(found))
        likely_K = torch.ones(len(self.labels)) if probabilities_K is None else probabilities_K
        boxes_N4, first = found.boxes_N4.numpy(), -len(drawn)
        return [
            self._meant(region, boxes_N4[:first], quality_NK[:first], quality_NK[first + place], likely_K.numpy())
            for place, region in enumerate(drawn)
        ]

    def _meant(
        self, region: Drawn, boxes_N4: Floats, quality_NK: Floats, own_K: Floats, likely_K: Floats
    ) -> PredictedBox | None:
        known = [column for column, label in enumerate(self.labels) if label in region.labels]
        if not known:
            chosen = len(region.labels) == 1 and region.box.area > 0
            return PredictedBox(region.labels[0], region.box, 0.0) if chosen else None
        if region.box.area == 0:
            return clicked(region.box, boxes_N4, quality_NK[:, known], [self.labels[column] for column in known])
        column = known[label_of(own_K[known], likely_K[known])]
        box = tightened(region.box, boxes_N4, quality_NK[:, column], float(own_K[column]))
        return PredictedBox(self.labels[column], box, float(own_K[column]))

    def _seen(self, item: ItemFeatures) -> Seen:
        described = RECENT.of(item, self._reader)
        if not len(described.boxes_N4):
            return Seen(described.boxes_N4, np.zeros((0, len(self.labels)), dtype=np.float32))
        return Seen(described.boxes_N4, self._quality(item, described))

    def _boxes(
        self, seen: Seen, likely: Sequence[float], tags: Sequence[float], faint: bool
    ) -> tuple[PredictedBox, ...]:
        boxes = decode(seen.boxes_N4, seen.quality_NK, self.labels) if len(seen.boxes_N4) else []
        said = frozenset(label for label, tag in zip(self.labels, tags, strict=True) if tag)
        return tuple(boxes) if faint else given(boxes, self.labels, self.threshold_K.tolist(), likely, said)

    @cached_property
    def _reader(self) -> RoleReader:
        return RoleReader(self.lexicon)

    def _quality(self, item: ItemFeatures, described: Described) -> Floats:
        """(N, K) how well each candidate shows each label."""
        cold_NK = self._cold(described)
        return self.head.quality(self._inputs(item, described), cold_NK) if self.head else cold_NK

    def _example(self, item: ItemFeatures, gold: Gold, family: str) -> Example:
        described = RECENT.of(item, self._reader)
        inputs_ND = self._inputs(item, described)
        boxes = gold.boxes or ()
        return Example(described.boxes_N4, inputs_ND, self._cold(described), boxes, family, gold.unknown_boxes)

    def _bag(self, item: ItemFeatures, gold: Gold, family: str) -> Bag:
        described = RECENT.of(item, self._reader)
        told = [gold.says(label) for label in self.labels]
        there_K = np.array([np.nan if yes is None else float(yes) for yes in told], dtype=np.float32)
        return Bag(self._inputs(item, described), self._cold(described), there_K, family)

    def _inputs(self, item: ItemFeatures, described: Described) -> Floats:
        """(N, D) descriptors, with pooled features once something was learned."""
        if self.pooling is None:
            return described.inputs_ND
        return np.concatenate([described.inputs_ND, self.pooling.pooled(item, described.boxes_N4)], axis=1)

    def _cold(self, described: Described) -> Floats:
        """(N, K) the cold start's opinion of each label; 0 for a label of no known kind."""
        kinds = self._reader.kinds
        columns = [described.cold(kinds, self.lexicon.kind_of(label).name) for label in self.labels]
        return np.stack(columns, axis=1)
