"""Reads the text that stands in a picture, each line with its place (PP-OCR models through rapidocr and OpenVINO)."""

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

LONG_SIDE = 640  # px; product pictures are read at this scale: more finds more small print and takes longer
SETTINGS = "fixed shapes 1"  # a new number wherever what is read may change
SHORTEST_SIDE = 8  # px; nothing can be read in less, and the reader's own scaling breaks down
WIDEST = 30.0  # sides' ratio; a longer strip is no product picture


class Reader:
    """Reads pictures one after another; starts on the first picture, and may be called from several threads.

    ``threads`` is the number of CPU threads, 0 for as many as there are cores.
    """

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """What the read text depends on; part of the fingerprint of features."""
        return f"rapidocr {version('rapidocr')} side {LONG_SIDE} {SETTINGS}"

    def describe(self) -> str:
        return f"rapidocr {version('rapidocr')} (PP-OCR models inside its wheel, OpenVINO)"

    def read(self, images: Sequence[Image.Image]) -> list[tuple[TextBlock, ...]]:
        """The lines of text of each upright RGB picture, from top to bottom."""
        with self._lock:
            return [self._read_one(image) for image in images]

    def _read_one(self, image: Image.Image) -> tuple[TextBlock, ...]:
        if min(image.size) < SHORTEST_SIDE or max(image.size) > WIDEST * min(image.size):
            return ()
        pixels_HW3 = _scaled(image)
        height, width = pixels_HW3.shape[:2]
        result = cast("RapidOCROutput", self._engine(pixels_HW3))  # it detects and recognises, so it answers both
        if result.boxes is None or result.txts is None or result.scores is None:
            return ()
        return tuple(
            TextBlock(_bounding_box(corners, width, height), text, float(score))
            for corners, text, score in zip(result.boxes, result.txts, result.scores, strict=True)
        )

    @cached_property
    def _engine(self) -> "RapidOCR":
        from rapidocr import EngineType, RapidOCR
        from rapidocr.ch_ppocr_det import TextDetector
        from rapidocr.ch_ppocr_rec import TextRecognizer

        from model.reading.recognition import FixedShapeRecognizer

        parameters: dict[str, Any] = {
            "Global.log_level": "critical",  # its warnings tell of every picture without text
            "Global.use_cls": False,  # text upside down is not worth a third network
            "EngineConfig.openvino.inference_num_threads": self._threads or -1,
        }
        parameters |= {f"{stage}.engine_type": EngineType.OPENVINO for stage in ("Det", "Cls", "Rec")}
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        engine: Any = RapidOCR(params=parameters)
        for stage in (engine.cfg.Det, engine.cfg.Rec):  # what it would set itself on the first picture
            stage.engine_cfg = engine.cfg.EngineConfig.openvino
            stage.model_root_dir = engine.cfg.Global.model_root_dir
        engine.cfg.Rec.font_path = engine.cfg.Global.font_path
        detector = TextDetector(engine.cfg.Det)
        detector.mean, detector.std = np.float32(detector.mean), np.float32(detector.std)  # else it counts in float64
        engine.text_det, engine.text_rec = detector, FixedShapeRecognizer(TextRecognizer(engine.cfg.Rec))
        return cast("RapidOCR", engine)


def _scaled(image: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels of at most LONG_SIDE on the long side, in the reader's channel order (BGR)."""
    scale = LONG_SIDE / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _bounding_box(corners: np.ndarray[Any, Any], width: int, height: int) -> Box:
    """The upright box around four corners in pixels, in fractions and inside the picture."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    fractions = np.clip([left / width, top / height, right / width, bottom / height], 0.0, 1.0)
    return Box(*(float(fraction) for fraction in fractions))
