"""What serves: features in, labels and boxes out. Made once, never changed, safe to ask from many threads.

Shape suffixes: N items, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from model.attention.batching import Batch, collate
from model.attention.network import Attention, Network, OptimizerState
from model.attention.reduction import Reduction
from model.boxes.model import BoxModel, Seen
from model.calibration import Calibration
from model.features.item import ItemFeatures
from model.items import PredictedBox, Prediction
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.regression.evidence import Evidence
from model.regression.logistic import Regression
from model.state import Part, State
from model.weak_supervision.boxes import BoxSource
from model.weak_supervision.credence import Credence
from model.weak_supervision.label_model import LabelModel, Opinions
from model.weak_supervision.sources import Sources

CHUNK = 128


@dataclass(frozen=True, eq=False)
class Tagger:
    """One version: label model on the sources, corrected by the regression, corrected by the network, as far as gold
    goes.

    Where cues know a class, a dozen gold labels must not overrule them: the log-odds are ``cold + credence · (trained -
    cold)`` (``model.weak_supervision.credence``); a class without cues has nobody to overrule.

    Each part keeps itself: a class with ``state()`` and ``from_state()``, named once here.
    """

    labels: tuple[str, ...]
    space: str
    version: str
    seed: int
    sources: Sources = field(metadata={"part": Sources})
    label_model: LabelModel = field(metadata={"part": LabelModel})
    calibration: Calibration = field(metadata={"part": Calibration})
    evidence: Evidence | None = field(metadata={"part": Evidence}, default=None)
    regression: Regression | None = field(metadata={"part": Regression}, default=None)
    reduction: Reduction | None = field(metadata={"part": Reduction}, default=None)
    network: Network | None = field(metadata={"part": Network}, default=None)
    optimizer: OptimizerState = field(metadata={"part": OptimizerState}, default_factory=OptimizerState)
    box_model: BoxModel | None = field(metadata={"part": BoxModel}, default=None)
    box_source: BoxSource | None = field(metadata={"part": BoxSource}, default=None)
    credence: Credence = field(metadata={"part": Credence}, default=Credence())

    @classmethod
    def cold_start(
        cls, labels: Sequence[str], *, space: str, seed: int, lexicon: Lexicon | None = None, with_boxes: bool = True
    ) -> "Tagger":
        """The tagger before any gold: cues and priors. Raises ValueError without labels or with a label twice."""
        if not labels or len(set(labels)) != len(labels):
            raise ValueError(f"labels must be one or more, each once; got {list(labels)}")
        lexicon = lexicon or Lexicon.load()
        sources = Sources(CueSet(tuple(labels), lexicon))
        nothing = sources.opinions([])
        unknown_NK = torch.zeros(0, len(labels))
        model = LabelModel.fit(nothing, unknown_NK)
        calibration = Calibration.cold(sources.cues.has_cues_K)
        box_model = BoxModel.cold_start(labels, lexicon) if with_boxes else None
        return cls(tuple(labels), space, "", seed, sources, model, calibration, box_model=box_model)

    def state(self) -> State:
        """All that the tagger's answers and its next training depend on."""
        facts = {"labels": list(self.labels), "space": self.space, "seed": self.seed}
        own = State(facts={**facts, "industries": None, "network": None, "with_boxes": False})
        parts = (getattr(self, name) for name in _parts())
        return State.joined([own, *(part.state() for part in parts if part is not None)])

    @classmethod
    def from_state(cls, state: State, version: str) -> "Tagger":
        """The tagger whose ``state()`` this is. KeyError or TypeError where the state is not whole."""
        facts = state.facts
        parts: dict[str, Any] = {name: kind.from_state(state) for name, kind in _parts().items()}
        return cls(tuple(facts["labels"]), facts["space"], version, facts["seed"], **parts)

    def named(self, version: str) -> "Tagger":
        """The same tagger under the version that publishes it."""
        return replace(self, version=version)

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]:
        """One answer per item, in order."""
        found: Sequence[tuple[PredictedBox, ...]] = [()] * len(features)
        if boxes and self.box_model:
            seen = self.box_model.see(features)
            probability_NK = self.probabilities(features, self.box_opinions(features, seen))
            found = self.box_model.drawn(seen, probability_NK, self.calibration.decide(probability_NK))
        else:
            probability_NK = self.probabilities(features)
        given_NK = self.calibration.decide(probability_NK)
        rows = zip(probability_NK, given_NK, found, strict=True)
        return [self._answer(p_K, given_K, boxes_of) for p_K, given_K, boxes_of in rows]

    def probabilities(self, features: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> Tensor:
        """(N, K) float64 probability of each label; ``boxes_NK`` is what the boxes say, asked when None."""
        return self.calibration.probability(self.log_odds(features, boxes_NK))

    def log_odds(self, features: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> Tensor:
        """(N, K) float64, before calibration; ``boxes_NK`` as in ``probabilities``."""
        opinions = self.opinions(features, boxes_NK)
        trained_NK = self.label_model.log_odds(opinions) + self.correction(features) + self.network_logits(features)
        return self.tempered(self.sources.cold_log_odds(opinions), trained_NK)

    def opinions(self, features: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> Opinions:
        """What each source says; ``boxes_NK`` as in ``probabilities``."""
        return self.sources.opinions(features, self.box_opinions(features) if boxes_NK is None else boxes_NK)

    def box_opinions(self, features: Sequence[ItemFeatures], seen: Sequence[Seen] | None = None) -> Tensor | None:
        """(N, K) what boxes say as a source, of candidates that are looked for unless ``seen``; None where they are no
        source."""
        if self.box_model is None or self.box_source is None:
            return None
        found = self.box_model.see(features) if seen is None else seen
        return self.box_source.opinions(self.box_model.best(found))

    def tempered(self, cold_NK: Tensor, trained_NK: Tensor) -> Tensor:
        """(N, K) between the cues' log-odds and the trained ones, by credence."""
        return torch.lerp(cold_NK, trained_NK, self.credence_K)

    @property
    def credence_K(self) -> Tensor:  # noqa: N802  (shape suffix)
        """(K,) in [0, 1]: how far what was learned may move each class from its cues."""
        return torch.where(self.sources.cues.has_cues_K, self.credence.share, 1.0).double()

    def correction(self, features: Sequence[ItemFeatures]) -> Tensor:
        """(N, K) what the regression adds to the label model's log-odds; 0 before it has been trained."""
        if self.evidence is None or self.regression is None or not features:
            return torch.zeros(len(features), len(self.labels), dtype=torch.float64)
        return self.regression.log_odds(self.evidence.vectors(features, self.sources.cues))

    def network_logits(self, features: Sequence[ItemFeatures]) -> Tensor:
        """(N, K) what the network adds; 0 before it has been trained."""
        if self.network is None or self.reduction is None or not features:
            return torch.zeros(len(features), len(self.labels), dtype=torch.float64)
        parts = [features[at : at + CHUNK] for at in range(0, len(features), CHUNK)]
        vocabulary = self.network.config.vocabulary
        chunks = [collate(part, self.sources.cues, self.reduction, vocabulary).floats() for part in parts]
        return run(self.network, chunks)

    def attention(self, features: Sequence[ItemFeatures]) -> Attention | None:
        """Where each class looked, on regions and text segments; None before a network that asks has been trained."""
        if self.network is None or self.reduction is None or not features:
            return None
        batch = collate(features, self.sources.cues, self.reduction, self.network.config.vocabulary)
        with torch.inference_mode():
            return self.network.attention(batch.floats())

    def _answer(self, probability_K: Tensor, given_K: Tensor, boxes: tuple[PredictedBox, ...]) -> Prediction:
        by_label = dict(zip(self.labels, probability_K.tolist(), strict=True))
        drawn = {box.label for box in boxes}  # a box that is shown says its tag
        given = tuple(label for label, yes in zip(self.labels, given_K.tolist(), strict=True) if yes or label in drawn)
        return Prediction(by_label, given, boxes, whole_task_confidence(probability_K))


def _parts() -> dict[str, type[Part]]:
    """The tagger's parts by the names of their fields."""
    return {one.name: one.metadata["part"] for one in fields(Tagger) if "part" in one.metadata}


def whole_task_confidence(probability_K: Tensor) -> float:
    """Probability that every label of the item is right, if they err independently: low items are asked for first."""
    return float(torch.maximum(probability_K, 1 - probability_K).prod())


def run(network: Network, batches: Sequence[Batch]) -> Tensor:
    """(N, K) float64 logits of a network at rest."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in batches]).double()
