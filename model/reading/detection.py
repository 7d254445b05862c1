"""Finds lines of text in a picture, as rapidocr does it with its own settings.

Shape suffixes: H, W pixels; 3 colours; L lines; 4 corners; 2 coordinates (across, down) in pixels.
"""

import threading

import numpy as np
from openvino.preprocess import PrePostProcessor
from rapidocr.ch_ppocr_det import TextDetector
from rapidocr.ch_ppocr_det.utils import DBPostProcess, DetPreProcess

from model.openvino_for_threads import openvino
from model.reading.lines import Pixels
from model.reading.networks import Network, opened, streams_of
from model.reading.tiles import Corners

NETWORK = "PP-OCRv6_det_small.onnx"
# Pixels of the shorter side, to which smaller pictures are enlarged; rapidocr's own value. With less, a sixth of all
# lines is read otherwise.
SIDE = 736
# What rapidocr's configuration says of what is text in the network's answer.
POSTPROCESS = {"thresh": 0.3, "box_thresh": 0.5, "max_candidates": 1000, "unclip_ratio": 1.6, "use_dilation": True}
MIDDLE = 127.5
NO_LINES: Corners = np.zeros((0, 4, 2), dtype=np.float32)


class Detector:
    """Finds lines of text; safe to call from several threads. Each network is compiled when it is first needed."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._resized = DetPreProcess(SIDE, "min").resize
        self._lines = DBPostProcess(score_mode="fast", **POSTPROCESS)  # type: ignore[arg-type]
        self._lock = threading.Lock()
        self._networks: dict[tuple[bool, bool], Network] = {}

    def __call__(self, pixels_HW3: Pixels, *, alone: bool = False) -> Corners:
        """Return the corners (L, 4, 2) of the lines, from top to bottom. The picture has blue before red.

        ``alone`` says that no other picture is looked at meanwhile, so that this one may use all threads.
        """
        height, width = pixels_HW3.shape[:2]
        resized = self._resized(pixels_HW3)
        if resized is None:
            return NO_LINES.copy()
        network = self._network(resized.shape[:2] == (SIDE, SIDE), alone)
        corners_L42, _ = self._lines(network(resized[None]), (height, width))
        return self.ordered(corners_L42) if len(corners_L42) else NO_LINES.copy()

    @staticmethod
    def ordered(corners_L42: Corners) -> Corners:
        """Return lines in the order in which they are read: from top to bottom, and from left to right."""
        ordered_L42: Corners = TextDetector.sorted_boxes(corners_L42)
        return ordered_L42

    def _network(self, is_square: bool, alone: bool) -> Network:
        """Return the network for pictures of this shape. That for squares knows its shape, and is a tenth faster."""
        with self._lock:
            key = is_square, alone
            if key not in self._networks:
                model = opened(NETWORK)
                if is_square:
                    model.reshape([1, 3, SIDE, SIDE])
                wrapped = PrePostProcessor(model)
                wrapped.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
                wrapped.input().model().set_layout(openvino.Layout("NCHW"))
                wrapped.input().preprocess().convert_element_type(openvino.Type.f32).mean(MIDDLE).scale(MIDDLE)
                streams = 1 if alone else streams_of(self._threads)
                # Without fusing, networks of known and of unknown shape give the same numbers, and so the same text.
                self._networks[key] = Network(wrapped.build(), self._threads, streams, fuses=False)
            return self._networks[key]
