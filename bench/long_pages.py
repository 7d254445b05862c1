"""Measure how much of the text of drawn long pages and banners is read, how long that takes, and where it is placed.

    python -m bench.long_pages 790x3000 790x6000 790x12000 790x20000 1920x150 3000x300

Pages hold lines of copy in print of 24 to 80 pixels and objects between them; in banners the copy stands side by side.
A line counts as read when a read block has its characters, without blanks. The error of its box is the mean distance of
the four edges to those that were drawn, in pixels of the picture. Prints a Markdown table.

    python -m bench.long_pages --samples samples/data --pages 15

puts six pictures of a labelled folder below each other on each page, and compares the boxes of the cold start on the
pages with those on the single pictures: their average precision, and the gold boxes that a shown box meets.
"""

import io
import os
import platform
import random
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from PIL import Image, ImageDraw

from labelstudio.decoding import decode
from model.boxes.metrics import GoldPicture, box_scores
from model.boxes.model import BoxModel
from model.features.extraction import FeatureExtractor
from model.items import Box, Item, LabelledBox, TextBlock
from model.lexicon.lexicon import Lexicon
from model.reading.reader import Reader
from tagloom.datasets.dataset import Sample, load
from tools.samples.type import line

COPY = (
    "夏季新品限时特惠", "全场满300减40", "官方旗舰店正品保障", "收藏加购优先发货", "买就送精美礼品一份", "到手价¥99",
    "今日下单立减50元", "全国包邮", "七天无理由退换", "轻薄透气亲肤面料", "一年质保", "加厚防滑鞋底",
)  # fmt: skip
STYLES = ("bold", "medium", "hei", "song")
INKS = ((200, 0, 0), (30, 30, 30), (20, 60, 140), (120, 70, 10))
LABELS = ("LOGO", "主体", "价格", "文案", "赠品")
STACKED = 6  # pictures of a labelled folder on a page
Edges = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawn:
    """A drawn line: its text without blanks, and its left, top, right and bottom in pixels."""

    text: str
    edges: Edges


def drawing(width: int, height: int, seed: int) -> tuple[Image.Image, list[Drawn]]:
    """Return a page, or a banner where it is wider than high, and the lines on it."""
    draw = random.Random(seed)
    picture = Image.new("RGB", (width, height), (250, 246, 238))
    brush = ImageDraw.Draw(picture)
    drawn: list[Drawn] = []
    is_banner = width > height
    at, end = 30, width if is_banner else height
    while True:
        text = "".join(draw.sample(COPY, 2)) if is_banner else draw.choice(COPY)
        size = round(height * draw.uniform(0.2, 0.4)) if is_banner else draw.randint(24, 80)
        ink = line(text, draw.choice(STYLES), size, draw.choice(INKS))
        # A page's line is as long as the page allows.
        if not is_banner and ink.width > width - 40:
            continue
        left, top = (at, (height - ink.height) // 2) if is_banner else (draw.randint(10, width - ink.width - 10), at)
        # Copy that stands closer than this side by side is one line.
        at += ink.width + 2 * size if is_banner else ink.height + draw.randint(20, 120)
        if at > end:
            return picture, drawn
        picture.paste(ink, (left, top), ink)
        drawn.append(Drawn(text, (left, top, left + ink.width, top + ink.height)))
        if not is_banner and draw.random() < 0.15:
            side = draw.randint(200, 600)
            if at + side > end:
                return picture, drawn
            left = draw.randint(0, width - side)
            brush.ellipse((left, at, left + side, at + side), fill=tuple(draw.randint(40, 200) for _ in range(3)))
            at += side + 40


def errors(drawn: list[Drawn], blocks: tuple[TextBlock, ...], size: tuple[int, int]) -> list[float]:
    """Return for each drawn line that was read the error of its box in pixels."""
    scale = (*size, *size)
    found = []
    for one in drawn:
        near = []
        for block in blocks:
            if "".join(block.text.split()) == one.text:
                box = (block.box.left, block.box.top, block.box.right, block.box.bottom)
                near.append(statistics.mean(abs(e * s - d) for e, s, d in zip(box, scale, one.edges, strict=True)))
        # The same copy may stand at several places; a block far away is that of another one.
        if near and min(near) < max(20, one.edges[3] - one.edges[1]):
            found.append(min(near))
    return found


def stacks(folder: str, pages: int) -> list[list[Sample]]:
    """Return the samples of each page, all with gold boxes, each of another product."""
    boxed: dict[str, Sample] = {}
    for sample in load(folder):
        if sample.boxes:
            boxed.setdefault(sample.product_id, sample)
    chosen = random.Random(0).sample(sorted(boxed.values(), key=lambda sample: sample.id), STACKED * pages)
    return [chosen[start : start + STACKED] for start in range(0, len(chosen), STACKED)]


def page_of(samples: list[Sample]) -> tuple[Image.Image, tuple[LabelledBox, ...]]:
    """Return the pictures of samples below each other, 640 pixels wide, and their gold boxes on this page."""
    pictures = [sample.open() for sample in samples]
    scaled = [picture.resize((640, round(640 * picture.height / picture.width))) for picture in pictures]
    page = Image.new("RGB", (640, sum(picture.height for picture in scaled)))
    gold, top = [], 0
    for sample, picture in zip(samples, scaled, strict=True):
        page.paste(picture, (0, top))
        for entry in sample.boxes:
            down = [(y / 100 * picture.height + top) / page.height for y in (entry.y, entry.y + entry.height)]
            gold.append(LabelledBox(entry.label, Box(entry.x / 100, down[0], (entry.x + entry.width) / 100, down[1])))
        top += picture.height
    return page, tuple(gold)


def compare(folder: str, pages: int) -> None:
    """Print what the cold start finds on single pictures and on pages of them."""
    extractor, model = FeatureExtractor.from_names("shipped", "shipped"), BoxModel.cold_start(LABELS, Lexicon.load())
    stacked = stacks(folder, pages)
    print("| pictures | mAP@0.5 | " + " | ".join(LABELS) + " | gold boxes met |")
    print("|---|" + "---:|" * (len(LABELS) + 2))
    for name, groups in (("single", [[sample] for page in stacked for sample in page]), ("on pages", stacked)):
        made = [page_of(group) for group in groups]
        # Without titles, since a page has one title and its pictures have six.
        features = [extractor.extract([Item(picture)])[0] for picture, _ in made]
        gold = [boxes for _, boxes in made]
        scores = box_scores(model.predict(features, faint=True), [GoldPicture(boxes) for boxes in gold], LABELS)
        met = [
            any(box.label == entry.label and box.box.iou(entry.box) >= 0.5 for box in shown)
            for shown, boxes in zip(model.predict(features), gold, strict=True)
            for entry in boxes
        ]
        by_label = [f"{scores.average_precision.get(label, 0.0):.2f}" for label in LABELS]
        print(
            f"| {name} | {scores.mean:.3f} | " + " | ".join(by_label) + f" | {sum(met) / len(met):.0%} of {len(met)} |"
        )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("sizes", nargs=-1)
@click.option("--pages", default=3, show_default=True, help="pages of each size, or of samples")
@click.option("--samples", default="", help="compare boxes on pages of this labelled folder's pictures")
def main(sizes: tuple[str, ...], pages: int, samples: str) -> None:
    """Read drawn pages of each of the SIZES, such as 790x12000."""
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.machine()}, {datetime.now(UTC):%d %B %Y}\n"
    )
    if samples:
        compare(samples, pages)
        return
    reader = Reader()
    reader.read([Image.new("RGB", (640, 640), "white")])
    print("| page | lines drawn | lines read | boxes off by px | seconds a page | of them for decoding |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in sizes:
        width, height = (int(side) for side in name.split("x"))
        lines, off, seconds, decoding = 0, [], [], []
        for seed in range(pages):
            picture, drawn = drawing(width, height, seed)
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=85)
            began = time.perf_counter()
            decoded = decode(file.getvalue(), 40_000_000)
            decoding.append(time.perf_counter() - began)
            (reading,) = reader.read([decoded.image])
            seconds.append(time.perf_counter() - began)
            lines += len(drawn)
            off += errors(drawn, reading.blocks, (width, height))
        error = f"{statistics.median(off):.1f}" if off else ""
        took, decoded_in = statistics.median(seconds), statistics.median(decoding)
        print(f"| {name} | {lines} | {len(off) / max(lines, 1):.0%} | {error} | {took:.1f} | {decoded_in:.1f} |")


if __name__ == "__main__":
    main()
