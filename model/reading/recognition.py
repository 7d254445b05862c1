"""Recognises the text of cropped lines in batches of few fixed shapes, as rapidocr does it with its own settings.

rapidocr pads each batch to its widest line, so nearly every picture has shapes that are new to OpenVINO, which compiles
a network for each new shape and keeps all networks in memory. With few widths and batch sizes the read text is the same
(98 % of lines to the letter on 450 photographs, the cues' F1 unchanged) in half the memory (0.9 instead of 1.9 GB).

Shape suffixes: H, W pixels; 3 colours; B lines of a batch; T steps along a line; V characters of the alphabet.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from openvino import opset13 as op
from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

from model.openvino_for_threads import openvino
from model.reading.lines import Line, Pixels
from model.reading.networks import Array, Network, opened, precision, streams_of

NETWORK = "PP-OCRv6_rec_small.onnx"
HEIGHT = 48
# Widths in pixels of a line that is HEIGHT pixels high, and the batches of each; a longer line is squeezed into the
# last width. What is read in a line depends on the width to which it is padded: narrower ones change an eighth of it.
BATCHES = {320: (6, 3, 2, 1), 480: (2, 1), 640: (2, 1), 960: (1,), 1280: (1,), 1600: (1,), 2400: (1,)}

Batch = tuple[int, Sequence[int]]
"""A width, and the places of the lines that are padded to it."""


class Recognizer:
    """Reads lines; safe to call from several threads."""

    def __init__(self, threads: int) -> None:
        model = opened(NETWORK)
        # The alphabet stands in the network's file.
        self._decoder = CTCLabelDecode(model.get_rt_info(["framework", "character"]).value.splitlines())
        # The network ends before its softmax over 18,710 characters: only where a character begins is it needed. Of
        # equal characters the first one counts, so the values stay as coarse as the network computes them here.
        end = op.convert(model.get_results()[0].input_value(0).get_node().input_value(0), precision())
        model = openvino.Model([end.output(0)], model.get_parameters(), NETWORK)
        self._network = Network(model, threads, streams_of(threads))

    def read(self, crops: Sequence[Pixels], each: Callable[..., Iterable[Any]] = map) -> list[Line]:
        """Return what stands in each line, given its pixels (H, W, 3) with blue before red.

        ``each`` is like ``map`` and may work on several batches at a time.
        """
        lines: list[Line] = [Line("", 0.0)] * len(crops)
        batches = batches_of([HEIGHT * crop.shape[1] / crop.shape[0] for crop in crops])
        texts = each(lambda batch: self._texts(batch[0], [crops[place] for place in batch[1]]), batches)
        for (_, places), batch in zip(batches, texts, strict=True):
            for place, line in zip(places, batch, strict=True):
                lines[place] = line
        return lines

    def _texts(self, width: int, crops: Sequence[Pixels]) -> list[Line]:
        logit_BTV = self._network(np.stack([padded(crop, width) for crop in crops]))
        best_BT = largest(logit_BTV)
        begins_BT = best_BT != 0
        begins_BT[:, 1:] &= best_BT[:, 1:] != best_BT[:, :-1]
        logit_NV = as_float(logit_BTV[begins_BT])
        share_BT: Array = np.zeros(best_BT.shape, dtype=np.float32)
        share_BT[begins_BT] = 1 / np.exp(logit_NV - logit_NV.max(1, keepdims=True)).sum(1)
        decoded, _ = self._decoder.decode(best_BT, share_BT, remove_duplicate=True)
        return [Line(text, float(score)) for text, score in decoded]


def largest(value_BTV: Array) -> Array:
    """Return the first place (B, T) of the largest value, given float32, or bfloat16 that goes by the name float16."""
    best_BT: Array
    if value_BTV.dtype == np.float32:
        best_BT = value_BTV.argmax(2)
        return best_BT
    # Seen as whole numbers, positive bfloat16 are in order. Negative ones are in reverse order.
    bits_BTV = value_BTV.view(np.int16)
    best_BT = bits_BTV.argmax(2)
    is_negative_BT = np.take_along_axis(bits_BTV, best_BT[..., None], 2)[..., 0] < 0
    best_BT[is_negative_BT] = as_float(value_BTV[is_negative_BT]).argmax(-1)
    return best_BT


def as_float(value: Array) -> Array:
    """Return float32, or bfloat16 that goes by the name float16, as float32."""
    return value if value.dtype == np.float32 else (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def batches_of(widths: Sequence[float]) -> list[Batch]:
    """Return the batches in which lines of these widths, at HEIGHT, are read."""
    by_width: dict[int, list[int]] = {}
    for place, natural in enumerate(widths):
        by_width.setdefault(next((width for width in BATCHES if natural <= width), max(BATCHES)), []).append(place)
    batches: list[Batch] = []
    for width, places in by_width.items():
        while places:
            count = next(size for size in BATCHES[width] if size <= len(places))
            batches.append((width, places[:count]))
            places = places[count:]
    return batches


def padded(crop_HW3: Pixels, width: int) -> Array:
    """Return a line (3, HEIGHT, width) as the network expects it: in [-1, 1], and 0 beside the line."""
    natural = min(math.ceil(HEIGHT * (crop_HW3.shape[1] / float(crop_HW3.shape[0]))), width)
    line_3HW: Array = np.zeros((3, HEIGHT, width), dtype=np.float32)
    resized_3HW = cv2.resize(crop_HW3, (natural, HEIGHT)).astype(np.float32).transpose(2, 0, 1)
    line_3HW[:, :, :natural] = (resized_3HW / 255 - 0.5) / 0.5
    return line_3HW
