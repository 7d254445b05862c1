"""Progressive training: from the parent, through the phases, to the next tagger.

A gold label counts with the weight of its annotators. A weak label counts by its confidence and by the accuracy of the
weak labels on gold, and loses weight as gold grows: at constant weight it would bind the network to the errors of the
sources. The same seed and the same data give the same tagger.

The same code trains on the CPU, on one GPU (``TrainConfig.device``) and in several processes. In several processes,
under torch.distributed, each process takes its share of every batch (``model.training.processes``), and all end with
the same tagger. A single process ends with that tagger too if the network's dropout is 0.

Shape suffixes: N pool items, G gold items, B batch, K classes.
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
from model.attention.blocks import MOST, BlockReader
from model.attention.network import Network, NetworkConfig, OptimizerState, grown, make_network
from model.attention.reduction import Reduction
from model.attention.vocabulary import Vocabulary
from model.calibration import Calibration
from model.encoders.precision import has_bfloat16
from model.features.item import ItemFeatures
from model.problem import Problem
from model.tagger import CHUNK, Tagger, run, with_network
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.optimisation import Learner, modality_dropout
from model.training.phases import Phase, epochs
from model.training.supervision import Supervision, supervise

# A training on cached features needs no encoders, so that their libraries are not imported for it.
if TYPE_CHECKING:
    from model.training.live import Live

LEAST_WEAK = 64
"""The least number of items without gold in an epoch, if the pool has so many."""
WEAK_PRIOR = 60.0
"""With this many gold labels of a class, its weak labels weigh half as much as without any gold."""
SHARES_PRIOR = 2.0
"""As if so many gold labels of a class had been seen, half of them yes, where its share is the network's first bias."""


@dataclass(frozen=True)
class EpochReport:
    """The mean losses of one epoch of a training. ``epoch`` counts from 1."""

    epoch: int
    epochs: int
    phase: str
    gold_loss: float
    weak_loss: float


def nothing_to_do(_: EpochReport) -> None:
    """Ignore the report; the default where a caller does not follow the epochs."""


def fit(
    parent: Tagger,
    problem: Problem,
    config: TrainConfig | None = None,
    *,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
    on_phase: Callable[[str, Tagger], None] | None = None,
    resume: Path | None = None,
) -> Tagger:
    """Train the next tagger from its parent on the problem's gold and weak labels.

    Args:
        parent: the tagger whose cues, reduction and network the training continues from.
        problem: items and gold. Gold of held-out rows is never trained on, it calibrates; the items themselves are
            trained on by weak labels. Boxes are learned first if the problem has none.
        on_epoch: called after each epoch. What it raises ends the training.
        on_phase: called at the end of each phase with the phase's name and the tagger so far. Without it only the last
            tagger is made, which saves time.
        resume: file that keeps the state after each epoch. A run that was killed continues from it.

    Raises ValueError if there is no gold to train on.

        cold = Tagger.cold_start(labels, space=extractor.space, seed=7)
        tagger = fit(cold, Problem(features, gold, families))
    """
    config = config or TrainConfig()
    if not problem.table(parent.labels).without(problem.held_out).rows:
        raise ValueError("no gold label to train on; the cold start needs no training")
    problem = replace(problem, boxes=problem.boxes or learn_boxes(parent, problem, seed=config.seed))
    supervision = supervise(parent, problem, config)
    prepared = _prepared(parent, problem, supervision, config)
    if not config.use_network:
        return _calibrated(prepared, problem, supervision, supervision.base_NK)
    course = Course(prepared, problem.pool, supervision, config, resume)

    def tagger_of(network: Network, optimizer: OptimizerState) -> Tagger:
        blocks = None
        if config.use_blocks:
            rows = sorted(supervision.gold.rows, key=lambda row: not problem.gold[row].boxes)[:MOST]
            items, gold = [problem.pool[row] for row in rows], [problem.gold[row] for row in rows]
            blocks = BlockReader.fit(network, course.data[torch.tensor(rows)].floats(), items, gold, parent.labels)
        tagger = replace(prepared, network=network, optimizer=optimizer, blocks=blocks)
        return _calibrated(tagger, problem, supervision, course.logits(network))

    return course.run(tagger_of, on_epoch, on_phase)


def _prepared(parent: Tagger, problem: Problem, supervision: Supervision, config: TrainConfig) -> Tagger:
    """Return the parent with the parts of the supervision, the reduction and the boxes in place of its own.

    The network and the optimizer stay the parent's, or are removed if the training cannot continue from them.
    """
    pool, boxes = problem.pool, problem.boxes
    assert boxes is not None
    reduction = parent.reduction.renewed(pool, config.seed) if parent.reduction else Reduction.of(pool, config.seed)
    # Under another reduction the same inputs mean something else, so that the old weights are worthless.
    continues = config.use_network and reduction is parent.reduction
    return replace(
        parent,
        sources=supervision.sources,
        label_model=supervision.label_model,
        evidence=supervision.evidence,
        regression=supervision.regression,
        reduction=reduction,
        network=parent.network if continues else None,
        optimizer=parent.optimizer if continues else OptimizerState(),
        blocks=None,
        box_model=boxes.model,
        box_source=boxes.source if config.use_boxes else None,
        credence=supervision.credence,
    )


def _calibrated(tagger: Tagger, problem: Problem, supervision: Supervision, network_NK: Tensor) -> Tagger:
    """Return the tagger without a version name, calibrated by log-odds of gold that were not trained on that gold.

    ``network_NK`` are the network's log-odds of the pool; where the tagger has none, those of the models before it.
    """
    gold, held_out = problem.table(tagger.labels), sorted(problem.held_out)
    labels_NK, rows = gold.labels_NK, gold.rows
    log_odds_NK = tagger.tempered(supervision.cold_NK, with_network(supervision.base_NK, network_NK))
    # The network was trained on gold that is not held out. Only the log-odds before the network, which are out of fold,
    # are those of a new item.
    unseen_NK = tagger.tempered(supervision.cold_NK, supervision.base_NK)
    unseen_NK[held_out] = log_odds_NK[held_out]
    calibration = Calibration.of(log_odds_NK, unseen_NK[rows], labels_NK[rows])
    calibration = calibration.fitted(log_odds_NK[held_out], labels_NK[held_out])
    return replace(tagger, version="", calibration=calibration)


class Course:
    """One training of a network through the phases.

    Args:
        parent: the tagger that the network and the optimizer continue from. It must have a reduction.
        pool: features of all items.
        supervision: gold, weak labels and log-odds of the pool's items, in the same order.
        resume: file that keeps the state after each epoch, None to keep none.
        live: encoders that are trained with the network in all phases. The resume file does not keep their state.
    """

    def __init__(
        self,
        parent: Tagger,
        pool: Sequence[ItemFeatures],
        supervision: Supervision,
        config: TrainConfig,
        resume: Path | None = None,
        live: "Live | None" = None,
    ) -> None:
        self.config, self.resume, self.live = config, resume, live
        assert parent.reduction is not None
        self._continued, gold = f"{parent.space}|{parent.version}", supervision.gold
        known = parent.network.config.vocabulary if parent.network else Vocabulary()
        vocabulary = known.grown(pool)
        self.data = collate(pool, supervision.sources.cues, parent.reduction, vocabulary)
        self.gold_NK, self.weight_N = gold.labels_NK.float(), gold.weight_N.float()
        self.gold_rows = torch.tensor(gold.rows)
        self.weak_rows = torch.tensor(sorted(set(range(len(pool))) - set(gold.rows)), dtype=torch.int64)
        self.weak_NK = supervision.weak.probability_NK.float()
        self.weak_weight_NK = supervision.weak.confidence_NK.float() * self._trust()
        widths = self.data.region_NRC.shape[2], self.data.segment_NTE.shape[2]
        flags, page, classes = len(supervision.sources.cues.cues), self.data.page_NP.shape[1], self.gold_NK.shape[1]
        form = NetworkConfig(*widths, flags, page, classes, vocabulary, **config.network)  # type: ignore[arg-type]
        # A network of another form is dropped: its weights fit nowhere in the new one.
        trained_before = parent.network is not None and form.extends(parent.network.config)
        self.device = torch.device(config.device)
        network = grown(parent.network, form) if parent.network and trained_before else make_network(form, config.seed)
        known_NK = ~self.gold_NK.isnan() * self.weight_N[:, None]
        yes_K = (self.gold_NK.nan_to_num(0.0) * known_NK).sum(0)
        share_K = (yes_K + SHARES_PRIOR / 2) / (known_NK.sum(0) + SHARES_PRIOR)
        if not trained_before:
            seen_NP = self.data.page_NP[self.data.page_mask_N1[:, 0]].float()
            if len(seen_NP):
                # The small constant keeps a statistic that is the same for all items from being divided by 0.
                network.page_mean_P.copy_(seen_NP.mean(0))
                network.page_scale_P.copy_(seen_NP.std(0, correction=0) + 1e-3)
        # A bias of 0 is that of a new class, also in a network that was trained before.
        network.bias.data = torch.where(network.bias.data == 0, share_K.logit(), network.bias.data)
        self.network = network.to(self.device)
        self.phases = config.continuation if trained_before else config.first
        encoders = (live.encoders, live.rate) if live else ()
        self.learner = Learner(self.network, config.weight_decay, config.ema_decay, *encoders)
        if trained_before:
            self.learner.load_optimizer(parent.optimizer)

    def _trust(self) -> Tensor:
        """Return the (K,) factors of the weak labels' weights, trust_k = w · 60 / (60 + gold_k) · max(0, J_k).

        J_k = sensitivity + specificity - 1 (Youden, 1950) on gold, both posterior means under a Beta(4, 1) prior.
        Accuracy would trust weak labels that deny a rare class to everybody.
        """
        rows = self.gold_rows
        gold_GK, said_GK = self.gold_NK[rows], self.weak_NK[rows] > 0.5
        rate_2K = []
        for yes in (True, False):
            wanted_GK = (gold_GK > 0.5) == yes
            wanted_GK &= ~gold_GK.isnan()
            rate_2K.append(((wanted_GK & (said_GK == yes)).sum(0) + 4) / (wanted_GK.sum(0) + 5))
        scarcity_K = WEAK_PRIOR / (WEAK_PRIOR + (~gold_GK.isnan()).sum(0))
        return self.config.weak_weight * scarcity_K * (rate_2K[0] + rate_2K[1] - 1).clamp(min=0)

    def logits(self, network: Network) -> Tensor:
        """Return the (N, K) log-odds of a network on the pool."""
        rows_N = torch.arange(len(self.gold_NK))
        return run(network, [self.data[rows].floats() for rows in torch.split(rows_N, CHUNK)])

    def run(
        self,
        tagger_of: Callable[[Network, OptimizerState], Tagger],
        on_epoch: Callable[[EpochReport], None],
        on_phase: Callable[[str, Tagger], None] | None = None,
    ) -> Tagger:
        """Train through all epochs that are left, and return the tagger that ``tagger_of`` makes then.

        ``tagger_of`` gets the averaged network, on the CPU, and the optimizer's state. Where ``on_phase`` is given, it
        makes a tagger at the end of each phase, too.
        """
        schedule = epochs(self.phases)
        done = self.learner.resume(self.resume, self._fingerprint()) if self.resume else 0
        self.learner.processes.check_same(done)
        for number, phase in enumerate(schedule, start=1):
            if number <= done:
                continue
            gold_loss, weak_loss = self._epoch(phase, number)
            if self.resume:
                self.learner.save(self.resume, self._fingerprint(), number)
            on_epoch(EpochReport(number, len(schedule), phase.name, gold_loss, weak_loss))
            # ``number`` counts from 1, so that schedule[number] is the next epoch's phase.
            if on_phase and number < len(schedule) and schedule[number].name != phase.name:
                on_phase(phase.name, tagger_of(*self._learned()))
        tagger = tagger_of(*self._learned())
        # If a run was killed after its last epoch, no epoch is left, but the tagger is still to be made.
        if on_phase and done < len(schedule):
            on_phase(schedule[-1].name, tagger)
        return tagger

    def _learned(self) -> tuple[Network, OptimizerState]:
        """Return a copy of the averaged network, on the CPU, and the optimizer's state."""
        return copy.deepcopy(self.learner.average).cpu(), self.learner.optimizer_state()

    def _epoch(self, phase: Phase, number: int) -> tuple[float, float]:
        """Train on all gold and ``weak_per_gold`` times as many items without gold. Return the mean losses of both."""
        self.learner.start(phase)
        # Randomness depends on seed and epoch alone, so that a resumed run draws what an unbroken one would have drawn.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.config.seed * 1000 + number)
            count = max(round(self.config.weak_per_gold * len(self.gold_rows)), LEAST_WEAK)
            rows = torch.cat([self.gold_rows, self.weak_rows[torch.randperm(len(self.weak_rows))[:count]]])
            batches = torch.split(rows[torch.randperm(len(rows))], self.config.batch)
            losses = torch.tensor([self._step(rows) for rows in batches])
        return float(losses[:, 0].mean()), float(losses[:, 1].mean())

    def _step(self, rows: Tensor) -> tuple[float, float]:
        """Train on one batch. Return its gold loss and its weak loss."""
        known_BK = ~self.gold_NK[rows].isnan()
        gold_weight_BK, weak_weight_BK = known_BK * self.weight_N[rows, None], ~known_BK * self.weak_weight_NK[rows]
        gold_weight, weak_weight = gold_weight_BK.sum(), weak_weight_BK.sum()
        share = self.learner.processes.share(torch.arange(len(rows)))
        mine = rows[share]
        logit_BK, bias_K = self._logits(rows, share), self.network.bias.detach().cpu()
        gold_loss_BK = binary_cross_entropy_with_logits(logit_BK, self.gold_NK[mine].nan_to_num(0.0), reduction="none")
        weak_loss_BK = binary_cross_entropy_with_logits(logit_BK, self.weak_NK[mine], reduction="none")
        # Each process sums over its share and divides by the whole batch's weight, so that the processes' gradients add
        # up to the gradient of the batch.
        gold_loss = (gold_loss_BK * gold_weight_BK[share]).sum()
        weak_loss = (weak_loss_BK * weak_weight_BK[share]).sum()
        penalty = self.config.logit_penalty * (logit_BK - bias_K).square().sum() / gold_weight_BK.numel()
        self.learner.step((gold_loss + weak_loss) / (gold_weight + weak_weight).clamp(min=1.0) + penalty)
        lost = self.learner.processes.total(torch.stack([gold_loss, weak_loss]).detach())
        return float(lost[0] / gold_weight.clamp(min=1.0)), float(lost[1] / weak_weight.clamp(min=1.0))

    def _logits(self, rows: Tensor, share: Tensor) -> Tensor:
        """Return the network's (B, K) float32 log-odds for this process's share of a batch, on the CPU."""
        # The modalities to hide are drawn for the whole batch, so that all processes draw the same.
        batch = modality_dropout(self.data[rows].floats(), self.config.modality_dropout)[share].to(self.device)
        if self.live:
            batch = self.live.seen_anew(batch, rows[share])
        # CPUs compute in single precision, in which all recorded results were made.
        halves = self.device.type == "cuda" and has_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=halves):
            logit_BK: Tensor = self.network(batch)
        return logit_BK.float().cpu()

    def _fingerprint(self) -> str:
        """Return a text that a resumed run and the killed run must share: settings, form of the network, and gold."""
        rows = self.gold_rows
        setting = f"{self._continued}|{self.config}|{self.phases}|{self.network.config}"
        gold = f"{rows.tolist()}|{self.gold_NK[rows].tolist()}|{self.weight_N[rows].tolist()}"
        return f"{setting}|{len(self.gold_NK)}|{gold}"
