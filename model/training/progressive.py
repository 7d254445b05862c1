"""Progressive training: from the served tagger, through the phases, to the next one.

Gold counts in full. Weak labels count by their confidence and by the accuracy that gold has shown, and fall as gold
grows: at constant weight they would pin the network to the sources' errors. Same seed and data give the same tagger.

The same code trains on the CPU, on one GPU (``TrainConfig.device``) and in several processes: where torch.distributed
has been started, each process takes its share of every batch (``model.training.processes``)
and all end in the same tagger; a single process ends in that one too if the network's dropout is 0.

Shape suffixes: N pool items, B batch, K classes.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.attention.batching import collate
from model.attention.network import Network, NetworkConfig, grown, make_network
from model.attention.reduction import Reduction
from model.attention.vocabulary import Vocabulary
from model.calibration import Calibration
from model.encoders.precision import has_bfloat16
from model.features.item import ItemFeatures
from model.items import Gold
from model.tagger import CHUNK, Tagger, run
from model.training.optimisation import Learner, modality_dropout
from model.training.phases import CONTINUATION, STUDY, Phase, epochs
from model.training.supervision import GoldTable, Supervision, family_folds, supervise
from model.weak_supervision.boxes import LearnedBoxes, learn_boxes
from model.weak_supervision.propagation import FusedSpace, Neighbours

if TYPE_CHECKING:  # who only trains on cached features needs no encoders
    from model.training.live import Live

LEAST_WEAK = 64
WEAK_PRIOR = 20.0
"""Weak labels weigh like gold when there is none, half when this many gold labels are there."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the defaults are what was measured best (docs/results.md)."""

    seed: int = 7
    first: tuple[Phase, ...] = STUDY
    continuation: tuple[Phase, ...] = CONTINUATION
    batch: int = 64
    weak_per_gold: float = 2.0
    weak_weight: float = 1.0
    logit_penalty: float = 0.2
    modality_dropout: float = 0.15
    weight_decay: float = 0.05
    ema_decay: float = 0.98
    device: str = "cpu"
    use_neighbours: bool = True
    use_industry: bool = True
    use_boxes: bool = True
    use_regression: bool = True
    use_network: bool = True
    network: Mapping[str, bool | int | float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class EpochReport:
    """Where a training stands. ``epoch`` counts from 1."""

    epoch: int
    epochs: int
    phase: str
    gold_loss: float
    weak_loss: float


def nothing_to_do(_: EpochReport) -> None:
    """For callers that do not follow the epochs."""


def no_publication(_: str, __: Tagger) -> None:
    """For callers that want the last tagger only."""


def fit(
    served: Tagger,
    pool: Sequence[ItemFeatures],
    gold: Mapping[int, Gold],
    *,
    families: Sequence[str],
    config: TrainConfig | None = None,
    held_out: frozenset[int] = frozenset(),
    neighbours: Neighbours | None = None,
    space: FusedSpace | None = None,
    boxes: LearnedBoxes | None = None,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
    on_phase: Callable[[str, Tagger], None] = no_publication,
    resume: Path | None = None,
) -> Tagger:
    """Train the next tagger on the pool's gold and weak labels.

    ``gold`` maps rows of ``pool``. The gold of rows in ``held_out`` is never trained on and calibrates; as items they
    are trained on like all that nobody has labelled, by weak labels. ``families`` names each pool item's product
    family. ``boxes`` spare learning them when the caller has. What ``on_epoch`` raises ends the training, and nothing
    is published. With ``resume``, the state after each epoch is kept in that file, and a run that was killed goes on
    from it, after the last epoch too. Raises ValueError without gold to train on.
    """
    config = config or TrainConfig()
    table = GoldTable.of(gold, served.labels, len(pool))
    known = table.without(sorted(held_out))
    if not known.rows:
        raise ValueError("no gold label to train on; the cold start needs no training")
    if boxes is None:
        boxes = learn_boxes(served.box_model, pool, gold, families=families, held_out=held_out, seed=config.seed)
    supervision = supervise(
        served,
        pool,
        known,
        families=families,
        neighbours=neighbours,
        space=space,
        boxes=boxes if config.use_boxes else None,
        use_neighbours=config.use_neighbours,
        use_industry=config.use_industry,
        use_regression=config.use_regression,
    )
    tagger = _supervised(served, pool, supervision, boxes, config)
    calibrated = partial(_calibrated, supervision, table, sorted(held_out))
    if not config.use_network:
        return calibrated(tagger, 0.0)
    course = Course(tagger, pool, known, supervision, config, resume, started_from=served.version)

    def tagger_of(network: Network, optimizer: Mapping[str, Tensor]) -> Tagger:
        return calibrated(replace(tagger, network=network, optimizer=optimizer), course.logits(network))

    return course.run(tagger_of, on_epoch, on_phase)


def _supervised(
    served: Tagger,
    pool: Sequence[ItemFeatures],
    supervision: Supervision,
    boxes: LearnedBoxes | None,
    config: TrainConfig,
) -> Tagger:
    """The next tagger before its network has been trained: the served one's goes on only where it sees what it saw."""
    reduction = served.reduction.renewed(pool, config.seed) if served.reduction else Reduction.of(pool, config.seed)
    goes_on = config.use_network and reduction is served.reduction
    return replace(
        served,
        sources=supervision.sources,
        label_model=supervision.label_model,
        evidence=supervision.evidence,
        regression=supervision.regression,
        reduction=reduction,
        network=served.network if goes_on else None,
        optimizer=served.optimizer if goes_on else {},
        box_model=boxes.model if boxes else None,
        box_centre_K=boxes.centre_K if boxes and config.use_boxes else None,
        credence=supervision.credence,
        version="",
    )


def _calibrated(
    supervision: Supervision, gold: GoldTable, held_out: list[int], tagger: Tagger, network_NK: Tensor | float
) -> Tagger:
    """By log-odds of gold that has not been trained on; ``network_NK`` is what the network adds on the pool.

    Gold that is not held out counts with what was said of it out of fold, which is without the network's part.
    """
    log_odds_NK = tagger.tempered(supervision.cold_NK, supervision.base_NK + network_NK)
    unseen_NK, labels_NK, rows = tagger.tempered(supervision.cold_NK, supervision.base_NK), gold.labels_NK, gold.rows
    unseen_NK[held_out] = log_odds_NK[held_out]
    calibration = Calibration.of(log_odds_NK, unseen_NK[rows], labels_NK[rows])
    return replace(tagger, calibration=calibration.fitted(log_odds_NK[held_out], labels_NK[held_out]))


class Course:
    """One run over the phases; with ``live``, encoders learn along in all of them, and no state is kept."""

    def __init__(
        self,
        served: Tagger,
        pool: Sequence[ItemFeatures],
        gold: GoldTable,
        supervision: Supervision,
        config: TrainConfig,
        resume: Path | None = None,
        live: "Live | None" = None,
        started_from: str = "",
    ) -> None:
        self.config, self.resume, self.live = config, resume, live
        assert served.reduction is not None
        self._start = f"{served.space}|{started_from}"
        known = served.network.config.vocabulary if served.network else Vocabulary()
        vocabulary = known.grown(pool)
        self.data = collate(pool, supervision.sources.cues, served.reduction, vocabulary)
        self.gold_NK, self.weight_N = gold.labels_NK.float(), gold.weight_N.float()
        self.gold_rows = torch.tensor(gold.rows)
        self.weak_rows = torch.tensor(sorted(set(range(len(pool))) - set(gold.rows)), dtype=torch.int64)
        self.base_NK = supervision.base_NK.float()
        self.weak_NK = supervision.weak.probability_NK.float()
        self.weak_weight_NK = supervision.weak.confidence_NK.float() * self._trust(supervision)
        form = self._network_config(len(supervision.sources.cues.cues), vocabulary)
        trained_before = served.network is not None and form.extends(served.network.config)
        self.device = torch.device(config.device)
        network = grown(served.network, form) if served.network and trained_before else make_network(form, config.seed)
        self.network = network.to(self.device)
        self.phases = config.continuation if trained_before else config.first
        encoders = (live.encoders, live.rate) if live else ()
        self.learner = Learner(self.network, config.weight_decay, config.ema_decay, *encoders)
        if trained_before:
            self.learner.load_optimizer(served.optimizer)

    def _network_config(self, flags: int, vocabulary: Vocabulary) -> NetworkConfig:
        widths = self.data.region_NRC.shape[2], self.data.segment_NTE.shape[2]
        return NetworkConfig(*widths, flags, self.gold_NK.shape[1], vocabulary, **self.config.network)  # type: ignore[arg-type]

    def _trust(self, supervision: Supervision) -> Tensor:
        """(K,) how much a weak label counts: by the label model's own accuracy on gold, less the more gold there is."""
        rows = self.gold_rows
        known_GK = ~self.gold_NK[rows].isnan()
        right_K = (((self.weak_NK[rows] > 0.5) == (self.gold_NK[rows] > 0.5)) & known_GK).float().sum(0)
        known_K = known_GK.sum(0)
        accuracy_K = (right_K + 4) / (known_K + 5)
        scarcity_K = WEAK_PRIOR / (WEAK_PRIOR + known_K)
        return self.config.weak_weight * scarcity_K * (2 * accuracy_K - 1).clamp(min=0)

    def logits(self, network: Network) -> Tensor:
        """(N, K) what the network adds on the pool."""
        rows_N = torch.arange(len(self.gold_NK))
        return run(network, [self.data[rows].floats() for rows in torch.split(rows_N, CHUNK)])

    def run(
        self,
        tagger_of: Callable[[Network, Mapping[str, Tensor]], Tagger],
        on_epoch: Callable[[EpochReport], None],
        on_phase: Callable[[str, Tagger], None],
    ) -> Tagger:
        schedule = epochs(self.phases)
        done = self.learner.resume(self.resume, self._fingerprint()) if self.resume else 0
        self.learner.processes.check_same(done)
        tagger: Tagger | None = None
        for number, phase in enumerate(schedule, start=1):
            if number <= done:
                continue
            gold_loss, weak_loss = self._epoch(phase, number)
            if self.resume:
                self.learner.save(self.resume, self._fingerprint(), number)
            on_epoch(EpochReport(number, len(schedule), phase.name, gold_loss, weak_loss))
            if number == len(schedule) or schedule[number] is not phase:
                tagger = tagger_of(*self._learned())
                on_phase(phase.name, tagger)
        return tagger or tagger_of(*self._learned())

    def _learned(self) -> tuple[Network, Mapping[str, Tensor]]:
        """What serves next, off the training's device."""
        return copy.deepcopy(self.learner.average).cpu(), self.learner.optimizer_state()

    def _epoch(self, phase: Phase, number: int) -> tuple[float, float]:
        """One pass over all gold, with as much weak as the batch scheme takes; its mean losses."""
        self.learner.start(phase)
        # Randomness hangs on seed and epoch alone, so that a resumed run draws what the unbroken one would have drawn.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.config.seed * 1000 + number)
            losses = torch.tensor([self._step(rows) for rows in self._schedule()])
        return float(losses[:, 0].mean()), float(losses[:, 1].mean())

    def _schedule(self) -> list[Tensor]:
        """Rows of each batch: all gold and ``weak_per_gold`` times as many weak items, shuffled together."""
        weak = round(self.config.weak_per_gold * len(self.gold_rows))
        rows = torch.cat([self.gold_rows, self.weak_rows[torch.randperm(len(self.weak_rows))[: max(weak, LEAST_WEAK)]]])
        return list(torch.split(rows[torch.randperm(len(rows))], self.config.batch))

    def _step(self, rows: Tensor) -> tuple[float, float]:
        """One batch; its gold and weak loss. Losses are sums over this process's share, over the whole batch's weight,
        so that the processes' gradients add up to the batch's."""
        known_BK = ~self.gold_NK[rows].isnan()
        gold_weight_BK, weak_weight_BK = known_BK * self.weight_N[rows, None], ~known_BK * self.weak_weight_NK[rows]
        gold_weight, weak_weight = gold_weight_BK.sum(), weak_weight_BK.sum()
        share = self.learner.processes.share(torch.arange(len(rows)))
        mine = rows[share]
        correction_BK = self._corrections(rows, share)
        logit_BK = correction_BK + self.base_NK[mine]
        gold_loss_BK = binary_cross_entropy_with_logits(logit_BK, self.gold_NK[mine].nan_to_num(0.0), reduction="none")
        weak_loss_BK = binary_cross_entropy_with_logits(logit_BK, self.weak_NK[mine], reduction="none")
        gold_loss, weak_loss = (
            (gold_loss_BK * gold_weight_BK[share]).sum(),
            (weak_loss_BK * weak_weight_BK[share]).sum(),
        )
        prior = self.config.logit_penalty * correction_BK.square().sum() / gold_weight_BK.numel()
        self.learner.step((gold_loss + weak_loss) / (gold_weight + weak_weight).clamp(min=1.0) + prior)
        lost = self.learner.processes.total(torch.stack([gold_loss, weak_loss]).detach())
        return float(lost[0] / gold_weight.clamp(min=1.0)), float(lost[1] / weak_weight.clamp(min=1.0))

    def _corrections(self, rows: Tensor, share: Tensor) -> Tensor:
        """(B, K) what the network adds to this process's share of the batch, on the CPU in single precision."""
        batch = modality_dropout(self.data[rows].floats(), self.config.modality_dropout)[share].to(self.device)
        if self.live:
            batch = self.live.seen_anew(batch, rows[share])
        # On processors it stays single precision, in which all recorded results were made.
        halves = self.device.type == "cuda" and has_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=halves):
            correction_BK: Tensor = self.network(batch)
        return correction_BK.float().cpu()

    def _fingerprint(self) -> str:
        """What a resumed run must share with the one that was killed."""
        gold = self.gold_NK[self.gold_rows].tolist()
        start = f"{self._start}|{self.config}|{self.phases}|{self.network.config}"
        return f"{start}|{len(self.gold_NK)}|{self.gold_rows.tolist()}|{gold}|{self.weight_N[self.gold_rows].tolist()}"


@dataclass(frozen=True)
class OutOfFold:
    """Answers to gold rows of a pool by taggers that were trained without the row's family; NaN and False elsewhere."""

    probability_NK: Tensor
    given_NK: Tensor


def out_of_fold(
    served: Tagger,
    pool: Sequence[ItemFeatures],
    gold: Mapping[int, Gold],
    *,
    families: Sequence[str],
    config: TrainConfig | None = None,
    folds: int = 4,
    space: FusedSpace | None = None,
    boxes: LearnedBoxes | None = None,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
) -> OutOfFold:
    """What the recipe makes of gold that it has not seen, fold by fold.

    Every fold starts from a cold start (the served tagger has seen the gold). With a single family there is nobody to
    learn from, and the answer is the cold start's. Boxes are learned once for all folds, or given as ``boxes``: what
    they say of a gold item has not seen the item's family, but does hang on the boxes of other folds.
    """
    config = config or TrainConfig()
    if boxes is None:
        boxes = learn_boxes(served.box_model, pool, gold, families=families, seed=config.seed)
    cold = Tagger.cold_start(
        served.labels, space=served.space, seed=config.seed, lexicon=served.sources.cues.lexicon, with_boxes=False
    )
    probability_NK = torch.full((len(pool), len(served.labels)), torch.nan, dtype=torch.float64)
    given_NK = torch.zeros(probability_NK.shape, dtype=torch.bool)
    space = space or FusedSpace.of(pool)
    for rows in family_folds({row: families[row] for row in gold}, folds, config.seed):
        rest = {row: said for row, said in gold.items() if row not in rows}
        tagger = cold
        if rest:
            tagger = fit(
                cold, pool, rest, families=families, config=config, space=space, boxes=boxes, on_epoch=on_epoch
            )
        heard_NK = boxes.opinions_NK[rows] if boxes and tagger.box_centre_K is not None else None
        probability_NK[rows] = tagger.probabilities([pool[row] for row in rows], heard_NK)
        given_NK[rows] = tagger.calibration.decide(probability_NK[rows])
    return OutOfFold(probability_NK, given_NK)
