"""How fast text in pictures is read: rapidocr as it comes, with ONNX Runtime, and Tagloom.

    python -m bench.speed.reading [--short] [--data folder]

Both begin with the same picture files. Prints pictures in a second, the share of blocks in which both agree (the same
text without blanks, boxes with an intersection over union of at least half), and where Tagloom's time goes.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
from PIL import Image

from bench.speed.machine import described, peaks
from bench.speed.turns import Result, in_turn, report
from model.items import Box, TextBlock
from model.reading import detection, looking, networks, recognition
from model.reading.reader import Reader

SAMPLES = Path(__file__).parents[2] / "samples/data"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
STAGES = {
    "decode": (Image.Image, "convert"),
    "scale": (looking, "_pixels"),
    "detect": (detection.Detector, "__call__"),
    "crop": (looking, "_crops"),
    "recognise": (recognition.Recognizer, "_texts"),
    "network": (networks.Network, "__call__"),
}
"""Stage → where its function stands. Within detection and recognition the network counts as a stage of its own."""


def opened(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def of_rapidocr(answer: Any, size: tuple[int, int]) -> list[TextBlock]:
    """Return rapidocr's answer about a picture of this width and height as blocks."""
    blocks: list[TextBlock] = []
    if answer.boxes is None:
        return blocks
    for corners_42, text, score in zip(answer.boxes, answer.txts, answer.scores, strict=True):
        low_2, high_2 = corners_42.min(0) / size, corners_42.max(0) / size
        blocks.append(TextBlock(Box(*np.clip([*low_2, *high_2], 0, 1).tolist()), text, score))
    return blocks


def agreeing(first: Sequence[TextBlock], second: Sequence[TextBlock]) -> int:
    """Return how many blocks of the one have a block of the other with the same text at the same place."""
    left, count = list(second), 0
    for block in first:
        said = "".join(block.text.split())
        same = (one for one in left if "".join(one.text.split()) == said and one.box.iou(block.box) >= 0.5)
        if (found := next(same, None)) is not None:
            left.remove(found)
            count += 1
    return count


@contextmanager
def timed(spent: defaultdict[str, float]) -> Iterator[None]:
    """Add up the seconds of CPU time in each stage; for one thread."""
    running: list[list[Any]] = []

    def wrapped(stage: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(inner)
        def run(*args: Any, **named: Any) -> Any:
            name = f"{running[-1][0]}, network" if stage == "network" and running else stage
            running.append([name, 0.0])
            began = time.process_time()
            try:
                return inner(*args, **named)
            finally:
                seconds = time.process_time() - began
                spent[name] += seconds - running.pop()[1]
                if running:
                    running[-1][1] += seconds

        return run

    with ExitStack() as stack:
        for stage, (owner, name) in STAGES.items():
            stack.enter_context(mock.patch.object(owner, name, wrapped(stage, getattr(owner, name))))
        yield


@click.command()
@click.option("--short", is_flag=True, help="Few pictures, few turns.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=SAMPLES, help="A folder of pictures.")
def main(*, short: bool, data: Path) -> None:
    files = sorted(path for path in data.rglob("*") if path.suffix.lower() in SUFFIXES)
    files = files[:: max(1, len(files) // (16 if short else 64))][: 16 if short else 64]
    reader = Reader()
    said: dict[str, list[Sequence[TextBlock]]] = {}
    work: dict[str, Callable[[], None]] = {}

    def one_by_one() -> None:
        said["one by one"] = [reader.read([opened(path)])[0].blocks for path in files]

    def together() -> None:
        said["together"] = [one.blocks for one in reader.read([opened(path) for path in files])]

    if find_spec("onnxruntime"):
        from rapidocr import RapidOCR

        peer: Any = RapidOCR(params={"Global.log_level": "critical"})

        def by_rapidocr() -> None:
            said["rapidocr"] = [of_rapidocr(peer(path), Image.open(path).size) for path in files]

        work["rapidocr, ONNX Runtime"] = by_rapidocr
    else:
        print("rapidocr is left out: .venv/bin/pip install --no-deps onnxruntime flatbuffers brings what it needs")
    work |= {"Tagloom, one by one": one_by_one, "Tagloom, several": together}
    seconds = in_turn(work, 2 if short else 5)
    spent: defaultdict[str, float] = defaultdict(float)
    alone = Reader(threads=1)
    alone.read([opened(path) for path in files[:4]])
    began = time.process_time()
    with timed(spent):
        alone.read([opened(path) for path in files])
    spent["the rest"] = time.process_time() - began - sum(spent.values())
    milliseconds = {stage: round(1000 * each / len(files), 2) for stage, each in sorted(spent.items())}

    counts = {name: sum(map(len, blocks)) for name, blocks in said.items()}
    compared = {}
    if "rapidocr" in said:
        same = sum(map(agreeing, said["rapidocr"], said["together"]))
        compared = {"the_same_as_rapidocr": round(2 * same / max(1, counts["rapidocr"] + counts["together"]), 4)}
    report(
        f"Reading text in pictures ({len(files)} of {data.name})",
        [Result(name, each, len(files), "pictures") for name, each in seconds.items()],
        {**described(), **({} if short else peaks())},
        blocks=counts,
        **compared,
        the_same_alone_and_together=said["one by one"] == said["together"],
        milliseconds_of_one_thread_for_a_picture=json.dumps(milliseconds, ensure_ascii=False),
    )


if __name__ == "__main__":
    main()
