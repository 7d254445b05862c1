"""Train encoders: continue the refine phase of a tagger with gradients down to pixels and characters.

The encoders of a space never change, because features, nearest gold and checkpoints depend on their output. So a
trained encoder is a new encoder with a new space (docs/decisions/0029-trained-encoders.md).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from model.encoders.grid import GridEncoder
from model.encoders.transformer_text import TransformerTextEncoder
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.live import IMAGE, TEXT, Live, Pictures
from model.training.phases import STUDY
from model.training.processes import Processes
from model.training.progressive import Course, EpochReport, nothing_to_do
from model.training.supervision import supervise


@dataclass(frozen=True)
class EncoderTraining:
    """The options of a training of encoders.

    Args:
        epochs: the number of epochs.
        learning_rate: the rate of the encoders; the network keeps that of the refine phase.
        share: the share of an encoder's layers, from its output backwards, that are trained.
        batch: the number of items in one step.
        training: the options that the tagger was trained with, for seed, device and weights of the losses.
    """

    epochs: int = 8
    learning_rate: float = 1e-4
    share: float = 0.5
    batch: int = 16
    training: TrainConfig = field(default_factory=TrainConfig)

    def config(self) -> TrainConfig:
        """Return the options of the training with the refine phase alone and this batch size."""
        refine = replace(STUDY[-1], epochs=self.epochs)
        return replace(self.training, batch=self.batch, continuation=(refine,))


@dataclass(frozen=True)
class EncoderPair:
    """The encoders of pictures and of texts to train. None stands for one that stays as it is."""

    images: GridEncoder | None
    texts: TransformerTextEncoder | None


def train_encoders(
    tagger: Tagger,
    problem: Problem,
    pictures: Pictures,
    encoders: EncoderPair,
    config: EncoderTraining | None = None,
    on_epoch: Callable[[EpochReport], None] = nothing_to_do,
) -> EncoderPair:
    """Continue the training of the encoders that made the pool's features, and return the trained copies.

    The tagger must have been trained on the same problem. It is trained too, but only the encoders are returned; the
    given objects do not change. Losses are those of `fit`. What ``on_epoch`` raises ends the training. Raises
    ValueError if there is nothing to train or no gold to train on.

        pair = train_encoders(tagger, problem, open_picture, EncoderPair(images=encoder, texts=None))
    """
    config = config or EncoderTraining()
    _check(tagger, problem, encoders)
    assert tagger.reduction is not None
    train, images, texts = config.config(), encoders.images, encoders.texts
    live = Live(
        problem.pool, pictures, tagger.reduction,
        images=images, texts=texts, share=config.share, rate=config.learning_rate, device=torch.device(train.device),
    )  # fmt: skip
    boxes = problem.boxes or learn_boxes(tagger, problem, seed=train.seed)
    supervision = supervise(tagger, replace(problem, boxes=boxes))
    course = Course(tagger, problem.pool, supervision, train, live=live)
    if course.phases is not train.continuation:
        raise ValueError("the tagger's network has another form than config.training: give what it was trained by")
    course.run(lambda network, _: replace(tagger, network=network), on_epoch)
    learned = course.learner.average_encoders
    assert isinstance(learned, torch.nn.ModuleDict)
    return EncoderPair(
        images.with_network(learned[IMAGE], f"{images.describe()}, trained further") if images else None,
        texts.with_network(learned[TEXT], f"{texts.describe()}, trained further") if texts else None,
    )


def _check(tagger: Tagger, problem: Problem, encoders: EncoderPair) -> None:
    """Raise ValueError that names what is missing for a training of the encoders."""
    images, texts, rows = encoders.images, encoders.texts, problem.table(tagger.labels).rows
    if Processes.current().count > 1:
        raise ValueError("encoders are trained in one process: start it without torchrun")
    if not (images or texts):
        raise ValueError("name an encoder to train: that of pictures, that of texts, or both")
    if tagger.network is None or tagger.reduction is None:
        raise ValueError("the tagger has no trained network to train encoders under: fit it first")
    if not rows:
        raise ValueError("no gold label to train on: label some items first")
    if images and not any(problem.pool[row].grid_RC.numel() for row in rows):
        raise ValueError("no labelled item has a picture to train on: label some that have, or train texts alone")
    widths = (images.width if images else None, texts.width if texts else None)
    known = (len(tagger.reduction.image_mean_C), len(tagger.reduction.text_mean_E))
    if any(width not in (None, own) for width, own in zip(widths, known, strict=True)):
        raise ValueError("the tagger was trained on other encoders than these: give those that made its features")
