"""The tagger: a whole model as one object, from an item's features to labels and boxes.

A tagger never changes after it is made, so that many threads may use it at once.

Shape suffixes: N items, K classes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from model.attention.batching import Batch, collate
from model.attention.blocks import BlockReader, Places
from model.attention.network import Attention, Network, OptimizerState
from model.attention.reduction import Reduction
from model.boxes.model import BoxModel, Seen
from model.boxes.worth import DRAW
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
from model.weak_supervision.label_model import LabelModel, Opinions, WeakLabels
from model.weak_supervision.sources import Sources

CHUNK = 128
"""Items that the network computes at a time."""
NETWORK_SHARE = 0.5
"""Weight of the network's log-odds in the mean with those of label model and regression. Both are whole models, so that
their errors differ and the mean is better than each (docs/results.md)."""


@dataclass(frozen=True, eq=False)
class Tagger:
    """A whole model. It answers an item in four steps.

    1. The sources give opinions, which the label model combines. The regression corrects the sum.
    2. The trained log-odds are the mean of that and of the network's own log-odds.
    3. A dozen gold labels must not overrule the cues, so the log-odds are ``cold + credence · (trained - cold)``, where
       ``cold`` are those of the cues (``model.weak_supervision.credence``). Each class has a credence of its own; for
       a class without cues it is 1.
    4. The calibration turns the log-odds into probabilities and labels. The box model adds boxes.

    The value of a field with ``metadata={"part": …}`` has its own ``state()`` and ``from_state()`` for the checkpoint.

        tagger = Tagger.cold_start(["LOGO", "PRICE"], space=extractor.space, seed=7)
        (answer,) = tagger.predict([features])
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
    blocks: BlockReader | None = field(metadata={"part": BlockReader}, default=None)
    box_model: BoxModel | None = field(metadata={"part": BoxModel}, default=None)
    box_source: BoxSource | None = field(metadata={"part": BoxSource}, default=None)
    credence: Credence = field(metadata={"part": Credence}, default=Credence())

    @classmethod
    def cold_start(
        cls,
        labels: Sequence[str],
        *,
        space: str,
        seed: int,
        lexicon: Lexicon | None = None,
        with_boxes: bool = True,
        draw_seconds: float = DRAW,
    ) -> "Tagger":
        """Return the tagger before any gold, which answers by cues and priors.

        ``draw_seconds`` is the time that a drawn box takes, on which it depends which boxes are shown.

        Raises ValueError if there are no labels or a label appears twice.
        """
        if not labels or len(set(labels)) != len(labels):
            raise ValueError(f"labels must be one or more, each once; got {list(labels)}")
        lexicon = lexicon or Lexicon.load()
        sources = Sources(CueSet(tuple(labels), lexicon))
        # Fitted to no items, the label model is its prior.
        model = LabelModel.fit(sources.opinions([]), torch.zeros(0, len(labels)))
        calibration = Calibration.cold(sources.cues.has_cues_K)
        box_model = BoxModel.cold_start(labels, lexicon, draw_seconds=draw_seconds) if with_boxes else None
        return cls(tuple(labels), space, "", seed, sources, model, calibration, box_model=box_model)

    def state(self) -> State:
        """Return all that the tagger's answers and its next training depend on; its version is not part of it."""
        facts = {"labels": list(self.labels), "space": self.space, "seed": self.seed}
        # The last three facts belong to parts that may be missing. A part that is present replaces the default.
        own = State(facts={**facts, "industries": None, "network": None, "with_boxes": False})
        parts = (getattr(self, name) for name in _parts())
        return State.joined([own, *(part.state() for part in parts if part is not None)])

    @classmethod
    def from_state(cls, state: State, version: str) -> "Tagger":
        """Make the tagger again from its ``state()``. Raises KeyError or TypeError if the state is incomplete."""
        facts = state.facts
        parts: dict[str, Any] = {name: kind.from_state(state) for name, kind in _parts().items()}
        return cls(tuple(facts["labels"]), facts["space"], version, facts["seed"], **parts)

    def named(self, version: str) -> "Tagger":
        """Return the same tagger under the name of its version."""
        return replace(self, version=version)

    def unaware_of(self, families: Collection[str]) -> "Tagger":
        """Return the tagger without what these product families taught of the shop, for answers to their own gold."""
        shop = self.sources.shop
        return self if shop is None else replace(self, sources=replace(self.sources, shop=shop.without(families)))

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]:
        """Return one answer for each item, in order. Without ``boxes``, the answers have no boxes."""
        seen = self.box_model.see(features) if self.box_model and (boxes or self.box_source) else []
        said = self._said(features)
        opinions = self.opinions(features, self.box_opinions(features, seen))
        probability_NK = self.calibration.probability(self._log_odds(features, opinions, said.logit_NK))
        given_NK = self.calibration.decide(probability_NK)
        found: Sequence[tuple[PredictedBox, ...]] = [()] * len(features)
        if boxes and self.box_model:
            found = self.box_model.drawn(seen, probability_NK, given_NK)
        conflict_NK = torch.zeros_like(probability_NK)
        if said.shown_NK is not None:
            conflict_NK = (probability_NK - said.shown_NK).abs()
        answers = []
        for probability_K, given_K, conflict_K, drawn in zip(probability_NK, given_NK, conflict_NK, found, strict=True):
            by_label = dict(zip(self.labels, probability_K.tolist(), strict=True))
            # A box that is shown gives its label, whatever the label's threshold.
            shown = {box.label for box in drawn}
            rows = zip(self.labels, given_K.tolist(), strict=True)
            given = tuple(label for label, yes in rows if yes or label in shown)
            answers.append(Prediction(by_label, given, drawn, whole_task_confidence(probability_K, conflict_K)))
        return answers

    def probabilities(self, features: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> Tensor:
        """Return the (N, K) float64 probability of each label.

        ``boxes_NK`` are the opinions of the boxes, where the caller has them already; if None, they are computed.
        """
        return self.calibration.probability(self.log_odds(features, boxes_NK))

    def log_odds(self, features: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> Tensor:
        """Return the (N, K) float64 log-odds before calibration; ``boxes_NK`` as in ``probabilities``."""
        logit_NK = None if self.network is None else self.network_logits(features)
        return self._log_odds(features, self.opinions(features, boxes_NK), logit_NK)

    def _log_odds(self, features: Sequence[ItemFeatures], opinions: Opinions, network_NK: Tensor | None) -> Tensor:
        trained_NK = self.label_model.log_odds(opinions) + self.correction(features)
        if network_NK is not None:
            trained_NK = with_network(trained_NK, network_NK)
        return self.tempered(self.sources.cold_log_odds(opinions), trained_NK)

    def opinions(self, features: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> Opinions:
        """Return the opinion of each source; ``boxes_NK`` as in ``probabilities``."""
        return self.sources.opinions(features, self.box_opinions(features) if boxes_NK is None else boxes_NK)

    def box_opinions(self, features: Sequence[ItemFeatures], seen: Sequence[Seen] | None = None) -> Tensor | None:
        """Return the (N, K) opinions of the boxes, or None if boxes are no source of this tagger.

        ``seen`` are the items' candidate boxes, where the caller has them already.
        """
        if self.box_model is None or self.box_source is None:
            return None
        found = self.box_model.see(features) if seen is None else seen
        return self.box_source.opinions(self.box_model.best(found))

    def tempered(self, cold_NK: Tensor, trained_NK: Tensor) -> Tensor:
        """Return the (N, K) log-odds between the cues' and the trained ones, by credence."""
        return torch.lerp(cold_NK, trained_NK, self.credence_K)

    @property
    def credence_K(self) -> Tensor:  # noqa: N802  (shape suffix)
        """The (K,) weights in [0, 1] of the trained log-odds; 1 for a class without cues."""
        learned_K = torch.tensor(self.credence.shares or (0.0,) * len(self.labels), dtype=torch.float64)
        return torch.where(self.sources.cues.has_cues_K, learned_K, 1.0)

    def weak_labels(self, features: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> WeakLabels:
        """Return what the sources and the regression say of items, without the network."""
        return self.label_model.weak_labels(self.opinions(features, boxes_NK), self.correction(features))

    def correction(self, features: Sequence[ItemFeatures]) -> Tensor:
        """Return the (N, K) log-odds that the regression adds; 0 before the first training."""
        if self.evidence is None or self.regression is None or not features:
            return torch.zeros(len(features), len(self.labels), dtype=torch.float64)
        return self.regression.log_odds(self.evidence.vectors(features, self.sources.cues))

    def network_logits(self, features: Sequence[ItemFeatures]) -> Tensor:
        """Return the network's (N, K) log-odds; 0 before the first training."""
        if self.network is None or self.reduction is None or not features:
            return torch.zeros(len(features), len(self.labels), dtype=torch.float64)
        return run(self.network, self._batches(features, self.network, self.reduction))

    def _batches(self, features: Sequence[ItemFeatures], network: Network, reduction: Reduction) -> list[Batch]:
        parts = [features[at : at + CHUNK] for at in range(0, len(features), CHUNK)]
        return [collate(part, self.sources.cues, reduction, network.config.vocabulary).floats() for part in parts]

    def _said(self, features: Sequence[ItemFeatures]) -> "_Said":
        """Return what the network and its places say, which share their inputs and most of their work."""
        if self.network is None or self.reduction is None or not features:
            return _Said(None if self.network is None else self.network_logits(features))
        logits, tags = [], []
        # Looking through all of its modules takes a tenth of an answer.
        if self.network.training:
            self.network.eval()
        with torch.inference_mode():
            for batch in self._batches(features, self.network, self.reduction):
                logit_BK, block_BTD, region_BRD = self.network.answers(batch)
                logits.append(logit_BK)
                if self.blocks is not None:
                    tags.append(self.blocks.tags(self.blocks.shown(batch, block_BTD, region_BRD)))
        return _Said(torch.cat(logits).double(), torch.cat(tags).double() if tags else None)

    def places(self, features: Sequence[ItemFeatures]) -> Places | None:
        """Return which read blocks and regions show which labels; None before the first training of a network."""
        if self.blocks is None or self.network is None or self.reduction is None or not features:
            return None
        batch = collate(features, self.sources.cues, self.reduction, self.network.config.vocabulary)
        return self.blocks.places(self.network, batch.floats())

    def attention(self, features: Sequence[ItemFeatures]) -> Attention | None:
        """Return the attention of each class to regions, text segments and further texts.

        Return None if there are no items or no network, or if the network's fusion has no class queries.
        """
        if self.network is None or self.reduction is None or not features:
            return None
        batch = collate(features, self.sources.cues, self.reduction, self.network.config.vocabulary)
        with torch.inference_mode():
            return self.network.attention(batch.floats())


@dataclass(frozen=True)
class _Said:
    """The network's (N, K) log-odds, and the (N, K) probabilities that follow from blocks and regions.

    They are None where there is no network, or where it was taught no places.
    """

    logit_NK: Tensor | None
    shown_NK: Tensor | None = None


DOUBT = 0.1
"""The part of a label's confidence that a full conflict takes. With more, the order of errors was worse."""


def with_network(base_NK: Tensor, network_NK: Tensor) -> Tensor:
    """Return the (N, K) trained log-odds from those of the models before the network and those of the network."""
    return torch.lerp(base_NK.double(), network_NK.double(), NETWORK_SHARE)


def _parts() -> dict[str, type[Part]]:
    """Return the classes of the tagger's parts by the names of their fields."""
    return {one.name: one.metadata["part"] for one in fields(Tagger) if "part" in one.metadata}


def whole_task_confidence(probability_K: Tensor, conflict_K: Tensor | float = 0.0) -> float:
    """Return the probability that all labels of an item are right, if their errors are independent.

    It is lower where the probabilities conflict with those that follow from single blocks and regions: `conflict_K` is
    the distance of the two.
    """
    right_K = torch.maximum(probability_K, 1 - probability_K) * (1 - DOUBT * conflict_K)
    return float(right_K.prod())


def run(network: Network, batches: Sequence[Batch]) -> Tensor:
    """Return the (N, K) float64 logits of a network in evaluation mode, without dropout and gradients."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in batches]).double()
