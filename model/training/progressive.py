"""Progressive training: from the parent, through the phases, to the next tagger.

Gold counts in full. Weak labels count by their confidence and by the accuracy that gold has shown, and fall as gold
grows: at constant weight they would pin the network to the sources' errors. Same seed and data give the same tagger.

The same code trains on the CPU, on one GPU (``TrainConfig.device``) and in several processes: where torch.distributed
has been started, each process takes its share of every batch (``model.training.processes``)
and all end in the same tagger; a single process ends in that one too if the network's dropout is 0.

Shape suffixes: N pool items, B batch, K classes.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.attention.batching import collate
from model.attention.network import Network, NetworkConfig, OptimizerState, grown, make_network
from model.attention.reduction import Reduction
from model.attention.vocabulary import Vocabulary
from model.calibration import Calibration
from model.encoders.precision import has_bfloat16
from model.features.item import ItemFeatures
from model.problem import Problem
from model.tagger import CHUNK, Tagger, run
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.optimisation import Learner, modality_dropout
from model.training.phases import Phase, epochs
from model.training.supervision import Supervision, family_folds, supervise
from model.weak_supervision.propagation import Index

if TYPE_CHECKING:  # who only trains on cached features needs no encoders
    from model.training.live import Live

LEAST_WEAK = 64
WEAK_PRIOR = 20.0
"""Weak labels weigh like gold when there is none, half when this many gold labels are there."""


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
    parent: Tagger,
    problem: Problem,
    config: TrainConfig | None = None,
    *,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
    on_phase: Callable[[str, Tagger], None] = no_publication,
    resume: Path | None = None,
) -> Tagger:
    """Train the next tagger from its parent on the problem's gold and weak labels.

    The gold of held-out rows is never trained on and calibrates; as items they are trained on by weak labels. Boxes
    are learned first where the problem has none. ``on_phase`` gets the phase's name and the tagger so far at the end of
    each phase. What ``on_epoch`` raises ends the training, and nothing is published. With ``resume``, the state after
    each epoch is kept in that file, and a run that was killed goes on from it, after the last epoch too.

    Raises ValueError without gold to train on.

        cold = Tagger.cold_start(labels, space=extractor.space, seed=7)
        tagger = fit(cold, Problem(features, gold, families))
    """
    config = config or TrainConfig()
    gold, held_out = problem.table(parent.labels), sorted(problem.held_out)
    if not gold.without(held_out).rows:
        raise ValueError("no gold label to train on; the cold start needs no training")
    boxes = problem.boxes or learn_boxes(parent, problem, seed=config.seed)
    supervision = supervise(parent, replace(problem, boxes=boxes), config)
    pool = problem.pool
    reduction = parent.reduction.renewed(pool, config.seed) if parent.reduction else Reduction.of(pool, config.seed)
    # The network goes on only where it sees what it saw.
    goes_on = config.use_network and reduction is parent.reduction
    untrained = replace(
        parent,
        version="",
        sources=supervision.sources,
        label_model=supervision.label_model,
        evidence=supervision.evidence,
        regression=supervision.regression,
        reduction=reduction,
        network=parent.network if goes_on else None,
        optimizer=parent.optimizer if goes_on else OptimizerState(),
        box_model=boxes.model,
        box_source=boxes.source if config.use_boxes else None,
        credence=supervision.credence,
    )

    def calibrated(tagger: Tagger, network_NK: Tensor | float) -> Tagger:
        """Calibrate by log-odds of gold that was not trained on; ``network_NK`` is what the network adds on the pool.

        Gold that is not held out counts with its out-of-fold log-odds, which are without the network's part.
        """
        log_odds_NK = tagger.tempered(supervision.cold_NK, supervision.base_NK + network_NK)
        unseen_NK = tagger.tempered(supervision.cold_NK, supervision.base_NK)
        labels_NK, rows = gold.labels_NK, gold.rows
        unseen_NK[held_out] = log_odds_NK[held_out]
        calibration = Calibration.of(log_odds_NK, unseen_NK[rows], labels_NK[rows])
        return replace(tagger, calibration=calibration.fitted(log_odds_NK[held_out], labels_NK[held_out]))

    if not config.use_network:
        return calibrated(untrained, 0.0)
    course = Course(untrained, pool, supervision, config, resume, parent_version=parent.version)

    def tagger_of(network: Network, optimizer: OptimizerState) -> Tagger:
        return calibrated(replace(untrained, network=network, optimizer=optimizer), course.logits(network))

    return course.run(tagger_of, on_epoch, on_phase)


class Course:
    """One run over the phases; with ``live``, encoders learn along in all of them, and no state is kept."""

    def __init__(
        self,
        start: Tagger,
        pool: Sequence[ItemFeatures],
        supervision: Supervision,
        config: TrainConfig,
        resume: Path | None = None,
        live: "Live | None" = None,
        parent_version: str = "",
    ) -> None:
        self.config, self.resume, self.live = config, resume, live
        assert start.reduction is not None
        self._start, gold = f"{start.space}|{parent_version}", supervision.gold
        known = start.network.config.vocabulary if start.network else Vocabulary()
        vocabulary = known.grown(pool)
        self.data = collate(pool, supervision.sources.cues, start.reduction, vocabulary)
        self.gold_NK, self.weight_N = gold.labels_NK.float(), gold.weight_N.float()
        self.gold_rows = torch.tensor(gold.rows)
        self.weak_rows = torch.tensor(sorted(set(range(len(pool))) - set(gold.rows)), dtype=torch.int64)
        self.base_NK = supervision.base_NK.float()
        self.weak_NK = supervision.weak.probability_NK.float()
        self.weak_weight_NK = supervision.weak.confidence_NK.float() * self._trust(supervision)
        widths = self.data.region_NRC.shape[2], self.data.segment_NTE.shape[2]
        flags, classes = len(supervision.sources.cues.cues), self.gold_NK.shape[1]
        form = NetworkConfig(*widths, flags, classes, vocabulary, **config.network)  # type: ignore[arg-type]
        trained_before = start.network is not None and form.extends(start.network.config)
        self.device = torch.device(config.device)
        network = grown(start.network, form) if start.network and trained_before else make_network(form, config.seed)
        self.network = network.to(self.device)
        self.phases = config.continuation if trained_before else config.first
        encoders = (live.encoders, live.rate) if live else ()
        self.learner = Learner(self.network, config.weight_decay, config.ema_decay, *encoders)
        if trained_before:
            self.learner.load_optimizer(start.optimizer)

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
        tagger_of: Callable[[Network, OptimizerState], Tagger],
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

    def _learned(self) -> tuple[Network, OptimizerState]:
        """What serves next, off the training's device."""
        return copy.deepcopy(self.learner.average).cpu(), self.learner.optimizer_state()

    def _epoch(self, phase: Phase, number: int) -> tuple[float, float]:
        """One pass over all gold, with as much weak as the batch scheme takes; its mean losses."""
        self.learner.start(phase)
        # Randomness depends on seed and epoch alone, so that a resumed run draws what an unbroken one would have drawn.
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
    parent: Tagger,
    problem: Problem,
    config: TrainConfig | None = None,
    *,
    folds: int = 4,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
) -> OutOfFold:
    """Return what the recipe makes of gold that it has not seen, fold by fold.

    Every fold starts from a cold start with the parent's cues, since the parent has seen the gold. With a single family
    no gold is left to learn from, and the answer is the cold start's. Boxes are learned once for all folds where the
    problem has none: their opinions on a gold item have not seen the item's family, but do depend on the boxes of other
    folds.
    """
    config, pool = config or TrainConfig(), problem.pool
    boxes = problem.boxes or learn_boxes(parent, problem, seed=config.seed)
    problem = replace(problem, index=problem.index or Index.of(pool), boxes=boxes)
    cold = Tagger.cold_start(
        parent.labels, space=parent.space, seed=config.seed, lexicon=parent.sources.cues.lexicon, with_boxes=False
    )
    probability_NK = torch.full((len(pool), len(parent.labels)), torch.nan, dtype=torch.float64)
    given_NK = torch.zeros(probability_NK.shape, dtype=torch.bool)
    for rows in family_folds({row: problem.families[row] for row in problem.gold}, folds, config.seed):
        rest = problem.without_gold(rows)
        tagger = fit(cold, rest, config, on_epoch=on_epoch) if rest.gold else cold
        heard_NK = boxes.opinions_NK[rows] if tagger.box_source is not None else None
        probability_NK[rows] = tagger.probabilities([pool[row] for row in rows], heard_NK)
        given_NK[rows] = tagger.calibration.decide(probability_NK[rows])
    return OutOfFold(probability_NK, given_NK)
