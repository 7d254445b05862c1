"""Reads the text in a picture, each line with its place (PP-OCR models through rapidocr and OpenVINO)."""

import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from model.items import Box, TextBlock

if TYPE_CHECKING:
    from rapidocr import RapidOCR
    from rapidocr.utils.output import RapidOCROutput

# Larger pictures are scaled to this long side in pixels. A larger scale finds more small print and takes longer.
LONG_SIDE = 640
# Part of the version: change the number wherever the read text may change.
SETTINGS = "fixed shapes 1"
# Pictures with a shorter side in pixels hold no readable text, and rapidocr's own scaling fails on them.
SHORTEST_SIDE = 8
# A picture with a larger ratio of its sides is no product picture.
WIDEST = 30.0


class Reader:
    """Reads pictures one after another; safe to call from several threads.

    ``threads`` is the number of CPU threads, 0 for one on each core. The models are loaded with the first picture.

        blocks = Reader().read([image])[0]
    """

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """The version of models and settings on which the read text depends; part of the fingerprint of features."""
        return f"rapidocr {version('rapidocr')} side {LONG_SIDE} {SETTINGS}"

    def describe(self) -> str:
        return f"rapidocr {version('rapidocr')} (PP-OCR models inside its wheel, OpenVINO)"

    def read(self, images: Sequence[Image.Image]) -> list[tuple[TextBlock, ...]]:
        """Return the lines of text of each upright RGB picture, from top to bottom; () for a picture of odd size."""
        with self._lock:
            return [self._read_one(image) for image in images]

    def _read_one(self, image: Image.Image) -> tuple[TextBlock, ...]:
        if min(image.size) < SHORTEST_SIDE or max(image.size) > WIDEST * min(image.size):
            return ()
        scale = LONG_SIDE / max(image.size)
        if scale < 1:
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.BICUBIC)
        # rapidocr expects blue before red.
        pixels_HW3 = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        height, width = pixels_HW3.shape[:2]
        # The type depends on the stages that are switched on: with detection and recognition it is this one.
        result = cast("RapidOCROutput", self._engine(pixels_HW3))
        if result.boxes is None or result.txts is None or result.scores is None:
            return ()
        blocks = []
        for corners, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
            (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            edges = np.clip([left / width, top / height, right / width, bottom / height], 0.0, 1.0)
            blocks.append(TextBlock(Box(*(float(edge) for edge in edges)), text, float(score)))
        return tuple(blocks)

    @cached_property
    def _engine(self) -> "RapidOCR":
        """rapidocr with a detector and a recogniser, but without a classifier of the text's direction."""
        from rapidocr import EngineType, RapidOCR
        from rapidocr.ch_ppocr_det import TextDetector
        from rapidocr.ch_ppocr_rec import TextRecognizer

        from model.reading.recognition import FixedShapeRecognizer

        parameters: dict[str, Any] = {
            # Otherwise it logs a warning for every picture without text.
            "Global.log_level": "critical",
            # The third network, for text that is upside down, is not worth its time.
            "Global.use_cls": False,
            "EngineConfig.openvino.inference_num_threads": self._threads or -1,
        }
        parameters |= {f"{stage}.engine_type": EngineType.OPENVINO for stage in ("Det", "Cls", "Rec")}
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        engine: Any = RapidOCR(params=parameters)
        # rapidocr itself sets these values on the first picture.
        for stage in (engine.cfg.Det, engine.cfg.Rec):
            stage.engine_cfg = engine.cfg.EngineConfig.openvino
            stage.model_root_dir = engine.cfg.Global.model_root_dir
        engine.cfg.Rec.font_path = engine.cfg.Global.font_path
        detector = TextDetector(engine.cfg.Det)
        # Otherwise it normalises pictures in float64.
        detector.mean, detector.std = np.float32(detector.mean), np.float32(detector.std)
        engine.text_det, engine.text_rec = detector, FixedShapeRecognizer(TextRecognizer(engine.cfg.Rec))
        return cast("RapidOCR", engine)
