"""Reads the text in a picture, each line with its place (PP-OCR models through rapidocr and OpenVINO)."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from model.items import Box, TextBlock, is_long
from model.reading.lines import TOO_LONG, Line, Pixels, recognised
from model.reading.tiles import Corners, joined, tiles_of

if TYPE_CHECKING:
    from rapidocr import RapidOCR

# Larger pictures are scaled to this long side in pixels. A larger scale finds more small print and takes longer.
LONG_SIDE = 640
# Part of the version: change the number wherever the read text may change.
SETTINGS = "fixed shapes 1"
# Pictures with a shorter side in pixels hold no readable text, and rapidocr's own scaling fails on them.
SHORTEST_SIDE = 8
# Lines that the recogniser is less sure of are left out; rapidocr's own value.
LEAST_SCORE = 0.5

# Of each line the corners (L, 4, 2) in pixels and its own pixels; and whether the picture was looked at to its end.
Found = tuple[Corners, list[Pixels], bool]
NO_LINES: Corners = np.zeros((0, 4, 2), dtype=np.float32)


@dataclass(frozen=True)
class Reading:
    """The lines of text of one picture, and notes on what of its text was not read as usual."""

    blocks: tuple[TextBlock, ...]
    notes: tuple[str, ...] = ()


class Reader:
    """Reads pictures one after another; safe to call from several threads.

    ``threads`` is the number of CPU threads, 0 for one on each core. The models are loaded with the first picture.

        blocks = Reader().read([image])[0].blocks
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

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Return the lines of text of each upright RGB picture, from top to bottom."""
        with self._lock:
            return [self._read_one(image) for image in images]

    def _read_one(self, image: Image.Image) -> Reading:
        if min(image.size) < SHORTEST_SIDE:
            return Reading(())
        as_tiles = is_long(image.size)
        scale = LONG_SIDE / (min if as_tiles else max)(image.size)
        if scale < 1:
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.BICUBIC)
        # rapidocr expects blue before red.
        pixels_HW3 = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        height, width = pixels_HW3.shape[:2]
        corners_L42, crops, is_whole = self._in_tiles(pixels_HW3) if as_tiles else self._at_once(pixels_HW3)
        lines, notes = recognised(crops, self._texts)
        blocks = []
        for corners, line in zip(corners_L42, lines, strict=True):
            if not line.text.strip() or line.score < LEAST_SCORE:
                continue
            (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            edges = np.clip([left / width, top / height, right / width, bottom / height], 0.0, 1.0)
            blocks.append(TextBlock(Box(*(float(edge) for edge in edges)), line.text, line.score))
        return Reading(tuple(blocks), notes if is_whole else (*notes, TOO_LONG))

    def _at_once(self, pixels_HW3: Pixels) -> Found:
        """Return the corners (L, 4, 2) of the lines of a picture of ordinary shape, their pixels, and True."""
        from rapidocr.main import RapidOCRError
        from rapidocr.utils.process_img import map_boxes_to_original

        prepared, steps = self._engine.preprocess_img(pixels_HW3)
        try:
            crops, found = self._engine.detect_and_crop(prepared, steps)
        except RapidOCRError:
            return NO_LINES, [], True
        height, width = pixels_HW3.shape[:2]
        return map_boxes_to_original(found.boxes, steps, height, width), crops, True  # type: ignore[arg-type]  # boxes were found

    def _in_tiles(self, pixels_HW3: Pixels) -> Found:
        """Return the same for a long picture, and whether it was read to its end."""
        height, width = pixels_HW3.shape[:2]
        axis = int(height > width)
        tiles = tiles_of(max(height, width), min(height, width))
        found = []
        # Typed as optional, but `_engine` always has one.
        detector: Any = self._engine.text_det
        for tile in tiles:
            part_HW3 = pixels_HW3[tile.start : tile.end] if axis else pixels_HW3[:, tile.start : tile.end]
            missing = tile.end - tile.start - part_HW3.shape[1 if axis else 0]
            beside = ((0, 0), (0, missing)) if axis else ((0, missing), (0, 0))
            square_HW3 = np.ascontiguousarray(np.pad(part_HW3, (*beside, (0, 0)), "edge"))
            corners = detector(square_HW3).boxes
            if corners is not None:
                corners_L42 = np.asarray(corners, dtype=np.float32)
                corners_L42[..., axis] += tile.start
                found.append((tile, corners_L42.clip(0, np.array([width, height], dtype=np.float32))))
        if not found:
            return NO_LINES, [], tiles[-1].is_last
        corners_L42 = detector.sorted_boxes(joined(found, axis))
        return corners_L42, self._engine.crop_text_regions(pixels_HW3, corners_L42), tiles[-1].is_last

    def _texts(self, crops: list[Pixels]) -> list[Line]:
        """Return what the recogniser reads in the pixels of lines."""
        read: Any = self._engine.recognize_txt(crops)
        return [Line(text, float(score)) for text, score in zip(read.txts, read.scores, strict=True)]

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
