"""A torchvision detector, a rival of the box model: FCOS (Tian et al., ICCV 2019) with SqueezeNet 1.1 and a pyramid.

It is trained from gold boxes and pictures alone, half of them mirrored (torchvision's own recipe), without texts, tags
and cues. Pictures are scaled to a square. Convolutions run in bfloat16 (four times as fast where a
processor has matrix units for it), losses and box arithmetic in single precision.

Shape suffixes: A anchors, K labels, N candidates, B pictures; 3 colours, H, W pixels; 4 edges.
"""

from collections.abc import Sequence
from pathlib import Path

import model  # noqa: F401  (lets torchvision be imported beside a CPU-only torch)

# isort: split
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import squeezenet1_1
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
from torchvision.transforms.v2.functional import pil_to_tensor

from model.boxes.nms import ious, suppress, to_box, to_tensor
from model.items import LabelledBox, PredictedBox

SIDE = 320
STRIDES = (8, 16, 32)
BATCH = 4
RATE = 5e-4
REPORTS = 8  # mean losses that a training tells, at even distances
FAINTEST = 0.02
OVERLAP = 0.5
MOST = 400


class Detector(nn.Module):
    """FCOS whose non-maximum suppression needs no compiled operator."""

    def __init__(self, labels: Sequence[str], weights: Path | None) -> None:
        super().__init__()
        body = squeezenet1_1().features if weights is None else _pretrained(weights)
        levels = {"7": "0", "12": "1"}
        pyramid = _Pyramid(body, levels, [256, 512], 128, extra_blocks=LastLevelMaxPool())
        head = _Head(128, 1, len(labels))
        anchors = AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES))
        self.labels = tuple(labels)
        self.fcos = _Fcos(pyramid, len(labels), anchor_generator=anchors, head=head, fixed_size=(SIDE, SIDE))

    def learn(
        self, images: Sequence[Image.Image], gold: Sequence[Sequence[LabelledBox]], *, steps: int, seed: int
    ) -> list[float]:
        """Train for so many steps on pictures that have a box; the mean loss of each eighth of the steps."""
        kept = [place for place, boxes in enumerate(gold) if any(entry.box.area > 0 for entry in boxes)]
        pixels = [_pixels(images[place]) for place in kept]
        targets = [self._target(gold[place]) for place in kept]
        torch.manual_seed(seed)
        optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps + 1)
        self.train()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stub
        losses = []
        for _ in range(steps):
            drawn = torch.randint(len(kept), (BATCH,)).tolist()
            pairs = [mirrored(pixels[place], targets[place]) for place in drawn]
            parts = self.fcos([seen for seen, _ in pairs], [target for _, target in pairs])
            loss = torch.stack(list(parts.values())).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        return [float(part.mean()) for part in np.array_split(losses, min(REPORTS, steps))]

    @torch.inference_mode()
    def predict(self, images: Sequence[Image.Image]) -> list[tuple[PredictedBox, ...]]:
        """All boxes of each picture with their scores, best first."""
        self.eval()
        answers = []
        for at in range(0, len(images), BATCH):
            for found in self.fcos([_pixels(image) for image in images[at : at + BATCH]]):
                rows = zip(found["labels"].tolist(), found["boxes"] / SIDE, found["scores"].tolist(), strict=True)
                boxes = (PredictedBox(self.labels[label], to_box(edges), score) for label, edges, score in rows)
                answers.append(tuple(boxes))
        return answers

    def _target(self, boxes: Sequence[LabelledBox]) -> dict[str, Tensor]:
        sure = [entry for entry in boxes if entry.box.area > 0]
        numbers = torch.tensor([self.labels.index(entry.label) for entry in sure])
        return {"boxes": to_tensor([entry.box for entry in sure]) * SIDE, "labels": numbers}


class _Pyramid(BackboneWithFPN):  # type: ignore[misc]  # torchvision has no types
    def forward(self, pixels_B3HW: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            levels = super().forward(pixels_B3HW.contiguous(memory_format=torch.channels_last))
        return _single(levels)  # anchors take their precision from it


class _Head(FCOSHead):  # type: ignore[misc]
    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            outputs = super().forward(levels)
        return _single(outputs)


def _single(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in tensors.items()}


class _Fcos(FCOS):  # type: ignore[misc]
    def postprocess_detections(
        self, head_outputs: dict[str, list[Tensor]], anchors: list[list[Tensor]], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        """The best boxes of each picture after suppression by label."""
        found = []
        for place in range(len(image_shapes)):
            parts = [torch.cat([level[place] for level in head_outputs[name]]) for name in
                     ("cls_logits", "bbox_ctrness", "bbox_regression")]  # fmt: skip
            logits_AK, centre_A1, offsets_A4 = parts
            score_AK = (logits_AK.sigmoid() * centre_A1.sigmoid()).sqrt()
            boxes_A4 = self.box_coder.decode(offsets_A4, torch.cat(anchors[place])).clamp(0, SIDE)
            found.append(_best(boxes_A4, score_AK))
        return found


def _best(boxes_A4: Tensor, score_AK: Tensor) -> dict[str, Tensor]:
    kept: list[tuple[Tensor, float, int]] = []
    for label in range(score_AK.shape[1]):
        score_N, chosen = score_AK[:, label].topk(min(MOST, len(score_AK)))
        edges_N4 = boxes_A4[chosen]
        clash_NN = (ious(edges_N4, edges_N4) > OVERLAP).numpy()
        rows = suppress(clash_NN, score_N.numpy(), FAINTEST)
        kept += [(edges_N4[row], float(score_N[row]), label) for row in rows]
    kept.sort(key=lambda entry: -entry[1])
    return {
        "boxes": torch.stack([edges for edges, _, _ in kept]) if kept else torch.zeros(0, 4),
        "scores": torch.tensor([score for _, score, _ in kept]),
        "labels": torch.tensor([label for _, _, label in kept], dtype=torch.int64),
    }


def _pretrained(weights: Path) -> nn.Module:
    network = squeezenet1_1()
    network.load_state_dict(load_file(weights))
    features: nn.Module = network.features
    return features


def _pixels(image: Image.Image) -> Tensor:
    scaled = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels_3HW: Tensor = pil_to_tensor(scaled)
    return pixels_3HW.float() / 255


def mirrored(pixels_3HW: Tensor, target: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Every second time left and right swapped."""
    if torch.rand(()) < 0.5:
        return pixels_3HW, target
    left, top, right, bottom = target["boxes"].unbind(1)
    return pixels_3HW.flip(-1), {**target, "boxes": torch.stack([SIDE - right, top, SIDE - left, bottom], dim=1)}
