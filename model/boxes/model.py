"""The box model that a tagger calls: pre-annotated rectangles from the first task on, learning from gold rectangles.

    model = BoxModel.cold_start(labels, lexicon)
    boxes = model.predict(features, probabilities_NK)      # one tuple of PredictedBox an item, best first
    model = model.fit(features, gold, probabilities_NK, families=families, seed=7)
    answer = model.classify_region(item, box)              # class and tightened box of what an annotator drew
    tensors = model.state(); model = BoxModel.from_state(labels, lexicon, tensors)

``gold[i]`` is None for an item without gold rectangles. ``probabilities_NK`` are the tagger's, one column a label; the
boxes of a picture are made consistent with them. A model is immutable: ``fit`` gives a new one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.boxes.elements import text_elements
from model.boxes.objects import object_elements
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features import ItemFeatures
from model.items import Box, LabelledBox, PredictedBox
from model.lexicon import Lexicon


@dataclass(frozen=True)
class BoxModel:
    """Predicts boxes of ``labels``; immutable and safe to call from several threads."""

    labels: tuple[str, ...]
    lexicon: Lexicon
    parameters: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def cold_start(cls, labels: Sequence[str], lexicon: Lexicon) -> "BoxModel":
        """The model before any gold rectangle: cues on the read text and the picture's pixels."""
        return cls(tuple(labels), lexicon)

    @classmethod
    def from_state(cls, labels: Sequence[str], lexicon: Lexicon, state: Mapping[str, Tensor]) -> "BoxModel":
        """The model whose ``state()`` this is."""
        return cls(tuple(labels), lexicon, dict(state))

    def state(self) -> dict[str, Tensor]:
        """All that was learned; empty before any gold rectangle."""
        return dict(self.parameters)

    def predict(
        self, features: Sequence[ItemFeatures], probabilities_NK: Tensor | None = None
    ) -> list[tuple[PredictedBox, ...]]:
        """Boxes of each item, best first. Without probabilities each label counts as possible."""
        if probabilities_NK is None:
            probabilities_NK = torch.ones(len(features), len(self.labels))
        rows = probabilities_NK.tolist()
        return [self._boxes(item, row) for item, row in zip(features, rows, strict=True)]

    def fit(
        self,
        features: Sequence[ItemFeatures],
        gold: Sequence[Sequence[LabelledBox] | None],
        probabilities_NK: Tensor | None = None,
        *,
        families: Sequence[str] | None = None,
        seed: int = 7,
    ) -> "BoxModel":
        """A model that has also learned from gold rectangles; families (products) stay together in its own folds."""
        return self

    def classify_region(self, item: ItemFeatures, box: Box, probabilities_K: Tensor | None = None) -> PredictedBox:
        """The class of a region that somebody drew, and its box tightened to the element it means."""
        probabilities_NK = None if probabilities_K is None else probabilities_K[None]
        boxes = self.predict([item], probabilities_NK)[0]
        best = max(boxes, key=lambda found: found.box.iou(box), default=None)
        if best is not None and best.box.iou(box) >= 0.5:
            return best
        return PredictedBox(self.labels[0], box, 0.0)

    def _boxes(self, item: ItemFeatures, probabilities: Sequence[float]) -> tuple[PredictedBox, ...]:
        scene = Scene.of(item, RoleReader(self.lexicon))
        text = text_elements(scene)
        elements = [*text, *object_elements(scene, text)]
        names = [self.lexicon.kind_of(label).name for label in self.labels]
        found = [
            PredictedBox(label, element.box, element.score * probability)
            for label, name, probability in zip(self.labels, names, probabilities, strict=True)
            for element in elements
            if element.kind == name
        ]
        return tuple(sorted(found, key=lambda box: -box.score))
