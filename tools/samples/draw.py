"""Draw sample pictures: python -m tools.samples.draw --seed 20261121 --count 640 --out samples/data"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from tools.samples.family import Family, View, family
from tools.samples.type import require_fonts

SEED = 20261121
COUNT = 640


def families(seed: int) -> Iterator[Family]:
    """Families without end; different seeds draw different products."""
    require_fonts()
    return (family(seed, number) for number in count())


def views(seed: int) -> Iterator[View]:
    """The same, view by view."""
    return (view for each in families(seed) for view in each.views)


def write(seed: int, wanted: int, out: Path, quality: int = 70) -> None:
    """Draw that many pictures into a folder, with items.csv and boxes.csv."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    with (
        (out / "items.csv").open("w", encoding="utf-8", newline="") as items,
        (out / "boxes.csv").open("w", encoding="utf-8", newline="") as boxes,
    ):
        item, box = csv.writer(items, lineterminator="\n"), csv.writer(boxes, lineterminator="\n")
        item.writerow(("id", "image", "title", "level1", "level2", "product_id", "view", "labels"))
        box.writerow(("id", "label", "x", "y", "width", "height", "extra"))
        for view in islice(views(seed), wanted):
            picture = f"images/{view.id}.webp"
            view.image.save(out / picture, quality=quality, method=4)
            item.writerow(
                (
                    view.id,
                    picture,
                    view.title,
                    view.level1,
                    view.level2,
                    view.product_id,
                    view.number,
                    "|".join(view.labels),
                )
            )
            box.writerows((view.id, b.label, b.x, b.y, b.width, b.height, b.extra) for b in view.boxes)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.samples.draw", description="Draw sample main images with their boxes."
    )
    parser.add_argument("--seed", type=int, default=SEED, help="another seed draws other products")
    parser.add_argument("--count", type=int, default=COUNT, help="how many pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--quality", type=int, default=70, help="WebP quality")
    chosen = parser.parse_args()
    write(chosen.seed, chosen.count, chosen.out, chosen.quality)


if __name__ == "__main__":
    main()
