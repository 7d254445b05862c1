"""Encoders trained end to end: the refine phase continued from pixels and characters.

Encoders are frozen per space, since features, nearest gold and checkpoints all hang on what they give. So a trained
encoder is another encoder, whose space begins anew (docs/decisions/0029-trained-encoders.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from model.encoders.grid import GridEncoder
from model.encoders.transformer_text import TransformerTextEncoder
from model.features.item import ItemFeatures
from model.items import Gold
from model.tagger import Tagger
from model.training.live import IMAGE, TEXT, Live, Pictures
from model.training.phases import STUDY
from model.training.processes import Processes
from model.training.progressive import Course, EpochReport, TrainConfig, no_publication, nothing_to_do
from model.training.supervision import GoldTable, supervise
from model.weak_supervision.boxes import learn_boxes


@dataclass(frozen=True)
class EncoderTraining:
    """How to train encoders. ``share`` of their layers learn, the last ones; ``training`` is how the tagger was made,
    for what both have in common (seed, device, weights of the losses)."""

    epochs: int = 8
    learning_rate: float = 1e-4
    share: float = 0.5
    batch: int = 16
    training: TrainConfig = field(default_factory=TrainConfig)

    def config(self) -> TrainConfig:
        """The refine phase alone, in batches that pictures fit into."""
        refine = replace(STUDY[-1], epochs=self.epochs)
        return replace(self.training, batch=self.batch, continuation=(refine,))


@dataclass(frozen=True)
class TrainedEncoders:
    """New encoders; None where none was asked for."""

    images: GridEncoder | None
    texts: TransformerTextEncoder | None


def train_encoders(
    tagger: Tagger,
    pool: Sequence[ItemFeatures],
    gold: Mapping[int, Gold],
    pictures: Pictures,
    *,
    families: Sequence[str],
    images: GridEncoder | None = None,
    texts: TransformerTextEncoder | None = None,
    config: EncoderTraining | None = None,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
) -> TrainedEncoders:
    """Train the given encoders, those that ``pool`` was encoded by, under the tagger that was trained on it.

    ``gold``, ``families`` and what ``fit`` does with them are as there: gold counts in full, weak labels by their
    confidence, both over the base of label model and regression. The given encoders and the tagger stay as they are.
    What ``on_epoch`` raises ends the training. Raises ValueError when there is nothing to train or to learn from.
    """
    config = config or EncoderTraining()
    table = GoldTable.of(gold, tagger.labels, len(pool))
    _check(tagger, pool, table, images, texts)
    assert tagger.reduction is not None
    train, device = config.config(), torch.device(config.training.device)
    live = Live(
        pool, pictures, tagger.reduction,
        images=images, texts=texts, share=config.share, rate=config.learning_rate, device=device,
    )  # fmt: skip
    boxes = learn_boxes(tagger.box_model, pool, gold, families=families, seed=train.seed)
    supervision = supervise(tagger, pool, table, families=families, boxes=boxes)
    course = Course(tagger, pool, table, supervision, train, live=live)
    if course.phases is not train.continuation:
        raise ValueError("the tagger's network has another form than config.training: give what it was trained by")
    course.run(lambda network, _: replace(tagger, network=network), on_epoch, no_publication)
    learned = course.learner.average_encoders
    assert isinstance(learned, torch.nn.ModuleDict)
    return TrainedEncoders(
        images.with_network(learned[IMAGE], f"{images.describe()}, trained further") if images else None,
        texts.with_network(learned[TEXT], f"{texts.describe()}, trained further") if texts else None,
    )


def _check(
    tagger: Tagger,
    pool: Sequence[ItemFeatures],
    table: GoldTable,
    images: GridEncoder | None,
    texts: TransformerTextEncoder | None,
) -> None:
    """Raises ValueError saying what is missing."""
    if Processes.current().count > 1:
        raise ValueError("encoders are trained in one process: start it without torchrun")
    if not (images or texts):
        raise ValueError("name an encoder to train: that of pictures, that of texts, or both")
    if tagger.network is None or tagger.reduction is None:
        raise ValueError("the tagger has no trained network to train encoders under: fit it first")
    if not table.rows:
        raise ValueError("no gold label to train on: label some items first")
    if images and not any(pool[row].grid_RC.numel() for row in table.rows):
        raise ValueError("no labelled item has a picture to train on: label some that have, or train texts alone")
    widths = (images.width if images else None, texts.width if texts else None)
    known = (len(tagger.reduction.image_mean_C), len(tagger.reduction.text_mean_E))
    if any(width not in (None, own) for width, own in zip(widths, known, strict=True)):
        raise ValueError("the tagger was trained on other encoders than these: give those that made its features")
