"""The box model that a tagger calls: it predicts rectangles from the first task on, and learns from gold rectangles.

    model = BoxModel.cold_start(labels, lexicon)
    boxes = model.predict(features, probabilities_NK)      # one tuple of PredictedBox for each item, best first
    model, unseen = model.fit(features, gold, families=families, seed=7)
    boxes = unseen[family].predict(features)               # by the model that was not trained on the family
    best_NK = model.best(model.see(features))              # quality of the best candidate for each label
    answers = model.classify_regions(item, [Drawn(box, labels)])   # label and tightened box of a drawn region
    state = model.state()                                  # what a checkpoint keeps of it (model.tagger)

Gold without boxes teaches by its tags alone. ``probabilities_NK`` are the tagger's, one column for each label; the
boxes of a picture are made consistent with them. A model is immutable: ``fit`` returns a new one.

Shape suffixes: N items or candidates, K labels, D descriptor entries; 4 edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from model.boxes.decode import decode, given, least_shown
from model.boxes.described import RECENT, Described, described_with
from model.boxes.drawn import Drawn, clicked, label_of, tightened
from model.boxes.effort import CAREFUL
from model.boxes.forest import Floats
from model.boxes.head import MOST_BAGS, Bag, BoxHead, Example
from model.boxes.looks import Looks
from model.boxes.pooling import Pooling
from model.boxes.roles import RoleReader
from model.boxes.worth import DRAW, thresholds
from model.features.item import ItemFeatures
from model.items import Gold, PredictedBox
from model.lexicon.lexicon import Lexicon
from model.state import State, prefixed

# Probability of a label where the tagger gives none.
UNKNOWN = 0.5
# Items whose candidates are scored together: the trees take nearly as long for one item as for several.
TOGETHER = 16
# The most gold pictures on which thresholds are chosen.
MOST_JUDGED = 400


@dataclass(frozen=True, eq=False)
class Seen:
    """The candidates of one picture, and the quality of each candidate for each label."""

    boxes_N4: Tensor
    quality_NK: Floats


@dataclass(frozen=True, eq=False)
class BoxModel:
    """Predicts boxes of ``labels``; immutable and safe to call from several threads. See the module for examples.

    ``head`` and ``pooling`` are None for the cold start, ``looks`` where what is known of a
    shop's logos and gifts is no source; ``threshold_K`` is the threshold of each label, from which a shown box saves
    time where an annotator draws a box in ``draw_seconds``.
    """

    labels: tuple[str, ...]
    lexicon: Lexicon
    threshold_K: Tensor
    head: BoxHead | None = None
    pooling: Pooling | None = None
    draw_seconds: float = DRAW
    looks: Looks | None = None

    @classmethod
    def cold_start(cls, labels: Sequence[str], lexicon: Lexicon, *, draw_seconds: float = DRAW) -> "BoxModel":
        """Return the model before any gold rectangle: it uses cues on the read text and the picture's pixels."""
        lowest = thresholds([], [], {label: lexicon.kind_of(label).name for label in labels}, draw=draw_seconds)
        return cls(tuple(labels), lexicon, torch.tensor(lowest), draw_seconds=draw_seconds)

    @classmethod
    def from_state(cls, state: State) -> "BoxModel | None":
        """Make the model again from the tagger's ``state()``. Return None if the tagger had none."""
        if not state.facts["with_boxes"]:
            return None
        own = state.under("boxes.")
        head = BoxHead.from_state(own) if "trust" in own else None
        labels, lexicon = tuple(state.facts["labels"]), Lexicon.from_dict(state.facts["lexicon"])
        # Checkpoints that do not say so were made for careful boxes.
        draw = state.facts.get("draw_seconds", CAREFUL)
        return cls(labels, lexicon, own["threshold"], head, Pooling.from_state(own), draw, Looks.from_state(state))

    def state(self) -> State:
        """Return all that was learned."""
        learned = {**(self.head.state() if self.head else {}), **(self.pooling.state() if self.pooling else {})}
        facts = {"with_boxes": True, "draw_seconds": self.draw_seconds}
        own = State(prefixed("boxes.", {"threshold": self.threshold_K, **learned}), facts)
        return State.joined([own, self.looks.state()]) if self.looks else own

    def see(self, features: Sequence[ItemFeatures]) -> list[Seen]:
        """Return all candidates of each item with their quality for each label."""
        seen: list[Seen] = []
        for first in range(0, len(features), TOGETHER):
            part = features[first : first + TOGETHER]
            described = [self._described(item) for item in part]
            quality_NK = self._quality(part, described)
            ends = np.cumsum([len(one.boxes_N4) for one in described])
            parts = np.split(quality_NK, ends[:-1])
            seen += [Seen(one.boxes_N4, own_NK) for one, own_NK in zip(described, parts, strict=True)]
        return seen

    def best(self, seen: Sequence[Seen]) -> Tensor:
        """Return the quality (N, K) of the best candidate for each label; NaN for an item without candidates."""
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
        """Return the boxes of each item, best first.

        Labels that ``probabilities_NK`` make impossible have no boxes; without probabilities all labels are possible.
        A label that is True in ``given_NK`` (a given tag) has its best box even under the threshold. With ``faint``
        all scored boxes are returned, as average precision needs them.
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
        """Return what ``predict`` returns, from the result of ``see``."""
        unknown_NK = torch.full((len(seen), len(self.labels)), UNKNOWN)
        likely_NK = unknown_NK if probabilities_NK is None else probabilities_NK
        tags_NK = torch.zeros_like(unknown_NK) if given_NK is None else given_NK
        rows = zip(seen, likely_NK.tolist(), tags_NK.tolist(), strict=True)
        answers: list[tuple[PredictedBox, ...]] = []
        lowest = self.threshold_K.tolist()
        for one, likely, tags in rows:
            if not len(one.boxes_N4):
                answers.append(())
            elif faint:
                answers.append(tuple(self._decoded(one.boxes_N4, one.quality_NK)))
            else:
                tagged = frozenset(label for label, tag in zip(self.labels, tags, strict=True) if tag)
                # What is not shown is not decoded, which takes most of the time.
                least = least_shown(one.quality_NK, self.labels, lowest, likely, tagged)
                boxes = self._decoded(one.boxes_N4, one.quality_NK, least)
                answers.append(given(boxes, self.labels, lowest, likely, tagged))
        return answers

    def fit(
        self,
        features: Sequence[ItemFeatures],
        gold: Sequence[Gold],
        *,
        families: Sequence[str] | None = None,
        seed: int = 7,
    ) -> tuple["BoxModel", dict[str, "BoxModel"]]:
        """Return a model learned from all gold, and for each family the model without the gold of that family.

        The model itself is returned when no picture has a candidate to learn from. Pictures with tags and without gold
        rectangles teach by their tags alone: their annotators did not draw, so no place is known. A label of which the
        gold does not know the tag or the boxes is not learned from that picture.

        ``gold`` is that of each item, ``families`` the product of each item: all pictures of a product are held out
        together. Without ``families`` each item is a product.
        """
        names = families or [str(position) for position in range(len(features))]
        # A picture without labels and with an empty list of boxes is known to have no element.
        drawn = [i for i, entry in enumerate(gold) if entry.boxes or (entry.boxes == () and not entry.labels)]
        others = sorted(set(range(len(gold))) - set(drawn))
        tagged = [i for i in others if gold[i].says_something(self.labels)][:MOST_BAGS]
        learner = replace(self, pooling=Pooling.fit([features[i] for i in (*drawn, *tagged)], seed=seed))
        examples = [learner._without(names[i])._example(features[i], gold[i], names[i]) for i in drawn]
        bags = [learner._without(names[i])._bag(features[i], gold[i], names[i]) for i in tagged]
        if not sum(len(example.inputs_ND) for example in examples) + sum(len(bag.inputs_ND) for bag in bags):
            return self, {}
        head, unseen = BoxHead.fit(examples, self.labels, seed=seed, bags=bags)
        judged = examples[:MOST_JUDGED]
        learned = replace(learner, head=head)
        found = [
            learned._decoded(entry.boxes_N4, unseen[entry.family].quality(entry.inputs_ND, entry.cold_NK))
            for entry in judged
        ]
        lowest = thresholds(
            found,
            [entry.gold for entry in judged],
            {label: self.lexicon.kind_of(label).name for label in self.labels},
            draw=self.draw_seconds,
            unknown=[entry.unknown for entry in judged],
        )
        learned = replace(learned, threshold_K=torch.tensor(lowest))
        return learned, {family: replace(learned, head=part)._without(family) for family, part in unseen.items()}

    def classify_regions(
        self, item: ItemFeatures, drawn: Sequence[Drawn], probabilities_K: Tensor | None = None
    ) -> list[PredictedBox | None]:
        """Return the label of each region that an annotator drew, and the box of the element most likely meant.

        A chosen label that this model does not know keeps its box as drawn. The answer is None for a click on no
        element, and for a region whose possible labels are all unknown.
        """
        found = described_with(item, self._reader, [region.box for region in drawn])
        quality_NK = self._quality([item], [found])
        likely_K = (torch.ones(len(self.labels)) if probabilities_K is None else probabilities_K).numpy()
        # The last rows are the drawn boxes themselves.
        own_NK, quality_NK = quality_NK[len(quality_NK) - len(drawn) :], quality_NK[: len(quality_NK) - len(drawn)]
        boxes_N4 = found.boxes_N4.numpy()[: len(quality_NK)]
        answers: list[PredictedBox | None] = []
        for region, own_K in zip(drawn, own_NK, strict=True):
            known = [column for column, label in enumerate(self.labels) if label in region.labels]
            if not known:
                chosen = len(region.labels) == 1 and region.box.area > 0
                answers.append(PredictedBox(region.labels[0], region.box, 0.0) if chosen else None)
            elif region.box.area == 0:
                labels = [self.labels[column] for column in known]
                answers.append(clicked(region.box, boxes_N4, quality_NK[:, known], labels))
            else:
                column = known[label_of(own_K[known], likely_K[known])]
                box = tightened(region.box, boxes_N4, quality_NK[:, column], float(own_K[column]))
                answers.append(PredictedBox(self.labels[column], box, float(own_K[column])))
        return answers

    def _without(self, family: str) -> "BoxModel":
        """Return the model without the looks of this product family."""
        return self if self.looks is None else replace(self, looks=self.looks.without({family}))

    def _described(self, item: ItemFeatures) -> Described:
        """Return the item's candidates, with the places where known looks are found again."""
        return RECENT.of(self.looks.proposing(item) if self.looks else item, self._reader)

    def _decoded(
        self, boxes_N4: Tensor, quality_NK: Floats, least: Sequence[float] | None = None
    ) -> list[PredictedBox]:
        by_votes = self.head is not None and self.head.forest is not None
        return decode(boxes_N4, quality_NK, self.labels, by_votes=by_votes, least=least)

    @cached_property
    def _reader(self) -> RoleReader:
        return RoleReader(self.lexicon)

    def _quality(self, items: Sequence[ItemFeatures], described: Sequence[Described]) -> Floats:
        """Return the quality (N, K) of each candidate of all these items for each label."""
        cold_NK = np.concatenate([self._cold(one) for one in described])
        if self.head is None or not len(cold_NK):
            return cold_NK
        inputs = [self._inputs(item, one) for item, one in zip(items, described, strict=True)]
        return self.head.quality(np.concatenate(inputs), cold_NK)

    def _example(self, item: ItemFeatures, gold: Gold, family: str) -> Example:
        described = self._described(item)
        inputs_ND = self._inputs(item, described)
        boxes = gold.boxes or ()
        return Example(described.boxes_N4, inputs_ND, self._cold(described), boxes, family, gold.unknown_boxes)

    def _bag(self, item: ItemFeatures, gold: Gold, family: str) -> Bag:
        described = self._described(item)
        tags = [gold.says(label) for label in self.labels]
        tag_K = np.array([np.nan if given is None else float(given) for given in tags], dtype=np.float32)
        return Bag(self._inputs(item, described), self._cold(described), tag_K, family)

    def _inputs(self, item: ItemFeatures, described: Described) -> Floats:
        """Return the descriptors (N, D), with pooled features and margins to known looks where the model has them."""
        parts = [described.inputs_ND]
        if self.pooling is not None:
            parts.append(self.pooling.pooled(item, described.boxes_N4))
        if self.looks is not None:
            parts.append(self.looks.margins(item, described.boxes_N4))
        return np.concatenate(parts, axis=1)

    def _cold(self, described: Described) -> Floats:
        """Return the cold start's scores (N, K) for each label; 0 for a label that means no kind of the lexicon."""
        kinds = [self.lexicon.kind_of(label).name for label in self.labels]
        return np.stack([described.cold(self._reader.kinds, kind) for kind in kinds], axis=1)
