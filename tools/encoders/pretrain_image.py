"""Trains the shipped picture encoder on drawings that are not the samples.

    python -m tools.encoders.pretrain_image --minutes 20 --seed 1000000 --work FOLDER

It learns what any element detector needs and no label of the samples: which cells text and objects cover, the edges of
the element around a cell, each cell's colours, and which of 80 products is drawn. ``--minutes`` is processor time.
``--work`` holds the drawings and the progress: a run that was stopped goes on there (its optimizer starts afresh).
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from model.encoders import weights
from model.encoders.precision import autocast
from model.encoders.shipped import IMAGE_FOLDER
from model.encoders.small_resnet import SmallResNet
from tools.encoders import drawings
from tools.encoders.drawings import Batch, Drawings

WIDTHS, BLOCKS = (32, 96, 192), (1, 2, 3)
SIZE, CELLS = 224, 14
MEAN, STD = 0.5, 0.25
BATCH = 32
PEAK_RATE, DECAY = 2e-3, 0.05
EMA = 0.998
SAVE_EVERY = 60.0  # seconds of processor time
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Answers:
    """What the heads say: coverage logits (B, 2, R), edge distances (B, R, 4), colours (B, 6, R), products (B, K)."""

    cover_B2R: Tensor
    edges_BR4: Tensor
    colours_B6R: Tensor
    products_BK: Tensor


class Student(nn.Module):
    """The encoder with the heads it is trained through; only the encoder is kept."""

    def __init__(self, products: int) -> None:
        super().__init__()
        self.encoder = SmallResNet(WIDTHS, BLOCKS)
        self.cells = nn.Conv2d(WIDTHS[-1], 12, 1)
        self.product = nn.Linear(WIDTHS[-1], products)

    def forward(self, pixels_B3SS: Tensor) -> Answers:
        map_BCHW = self.encoder((pixels_B3SS - MEAN) / STD)
        cells_BDR = self.cells(map_BCHW).float().flatten(2)
        edges_BR4 = functional.softplus(cells_BDR[:, 2:6] - 2).transpose(1, 2)
        products_BK = self.product(map_BCHW.float().mean(dim=(2, 3)))
        return Answers(cells_BDR[:, :2], edges_BR4, cells_BDR[:, 6:], products_BK)


def loss_of(answers: Answers, batch: Batch) -> Tensor:
    """The sum of the four tasks' losses."""
    cover_B2R = drawings.coverage(batch.boxes_BE4, batch.kinds_BE, CELLS)
    cover = functional.binary_cross_entropy_with_logits(answers.cover_B2R, cover_B2R)
    colours = functional.l1_loss(answers.colours_B6R, _colours(batch.pixels_B3SS))
    shown_B = (batch.kinds_BE == drawings.OBJECT).any(dim=1)
    product = functional.cross_entropy(answers.products_BK[shown_B].float(), batch.products_B[shown_B])
    return 2 * cover + _edge_loss(answers.edges_BR4, batch) + 2 * colours + 0.5 * product


def _colours(pixels_B3SS: Tensor) -> Tensor:
    """Mean and spread of each channel in each cell, (B, 6, R)."""
    pool = SIZE // CELLS
    mean = functional.avg_pool2d(pixels_B3SS, pool)
    variance = (functional.avg_pool2d(pixels_B3SS.square(), pool) - mean.square()).clamp(min=1e-6)
    return torch.cat([mean, variance.sqrt()], dim=1).flatten(2)


def _edge_loss(edges_BR4: Tensor, batch: Batch) -> Tensor:
    """1 - IoU of the box that a cell tells and the smallest box around its middle (Tian et al., FCOS, 2019)."""
    box_BR4, owner_BR = drawings.edges(batch.boxes_BE4, batch.kinds_BE, CELLS)
    middle = (torch.arange(CELLS) + 0.5) / CELLS
    y_R, x_R = (part.flatten() for part in torch.meshgrid(middle, middle, indexing="ij"))
    point_R4 = torch.stack([x_R, y_R, x_R, y_R], dim=-1)
    true = ((box_BR4 - point_R4) * torch.tensor([-1.0, -1.0, 1.0, 1.0]))[owner_BR >= 0].clamp(min=1e-4)
    told = edges_BR4[owner_BR >= 0]
    shared = torch.minimum(true, told)
    overlap = (shared[:, 0] + shared[:, 2]) * (shared[:, 1] + shared[:, 3])
    areas = [(box[:, 0] + box[:, 2]) * (box[:, 1] + box[:, 3]) for box in (true, told)]
    return (1 - overlap / (areas[0] + areas[1] - overlap)).mean()


def _averaged(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """Exponential moving average that forgets its start: after few steps it weighs recent ones more."""
    return average + (1 - min(EMA, (1 + int(count)) / (10 + int(count)))) * (current - average)


class Run:
    """One training by the clock: the learning rate rises for 5 % of the time and falls along a cosine."""

    def __init__(self, data: Drawings, products: int, state: Path, seconds: float) -> None:
        self.data, self.state, self.seconds = data, state, seconds
        self.student = Student(products)
        self.elapsed = 0.0
        if state.exists():
            stored = weights.load(state)
            self.elapsed = float(stored.pop("elapsed"))
            self.student.load_state_dict(stored)
        self.student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self.student, avg_fn=_averaged, use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.student.parameters(), weight_decay=DECAY)

    def go(self, generator: torch.Generator) -> SmallResNet:
        """Train until the time is over; the averaged encoder."""
        began, saved = time.process_time() - self.elapsed, self.elapsed
        step = 0
        while self.elapsed < self.seconds:
            loss = self._step(generator)
            self.elapsed, step = time.process_time() - began, step + 1
            if self.elapsed - saved > SAVE_EVERY:
                self._save()
                saved = self.elapsed
                sys.stderr.write(f"{self.elapsed:5.0f} s, step {step}, loss {loss:.3f}\n")
        self._save()
        encoder: SmallResNet = self.average.module.encoder  # type: ignore[assignment]
        return encoder

    def _step(self, generator: torch.Generator) -> float:
        rows = torch.randint(len(self.data.pixels_NSS3), (BATCH,), generator=generator)
        batch = drawings.batch(self.data, rows, SIZE, generator)
        share = self.elapsed / self.seconds
        rate = PEAK_RATE * min(share / 0.05, (1 + math.cos(math.pi * share)) / 2) + 1e-6
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with autocast(CPU):
            answers = self.student(batch.pixels_B3SS.contiguous(memory_format=torch.channels_last))
        loss = loss_of(answers, batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizer.step()
        self.average.update_parameters(self.student)
        return float(loss.detach())

    def _save(self) -> None:
        """The averaged weights: what a stopped run goes on from."""
        tensors = {name: tensor.contiguous() for name, tensor in self.average.module.state_dict().items()}
        part = self.state.with_suffix(".part")
        save_file(tensors | {"elapsed": torch.tensor(self.elapsed)}, part)
        part.replace(self.state)


def write(encoder: SmallResNet, folder: Path) -> None:
    """The encoder in half precision and how pictures are prepared for it."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in encoder.state_dict().items()
    }
    save_file(halves, folder / "model.safetensors")
    config = {"widths": WIDTHS, "blocks": BLOCKS, "size": SIZE, "mean": [MEAN] * 3, "std": [STD] * 3}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1_000_000, help="of the drawings and of the training")
    parser.add_argument("--pictures", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True, help="folder for the drawings and the progress")
    parser.add_argument("--out", type=Path, default=IMAGE_FOLDER)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    data, products = drawings.draw(options.seed, options.pictures, options.work)
    run = Run(data, len(products), options.work / f"image-{options.seed}.safetensors", options.minutes * 60)
    write(run.go(torch.Generator().manual_seed(options.seed + int(run.elapsed))), options.out)


if __name__ == "__main__":
    main()
