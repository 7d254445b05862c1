"""Draw where each label looks, and where it has been taught to look, on a few of the drawn samples:

    python -m bench.attention --cache CACHE --out docs/images/attention.webp
    python -m bench.attention --cache CACHE --out docs/images/places.webp --taught

Trains on half of the product families, with their rectangles, and draws items of the others, one per row: the picture,
then for each label the share of its attention on each region (red), and the text blocks with its text attention (blue
frames, wider for more attention). With ``--taught`` it draws the probabilities that a region and a block show the
label.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from model.attention.batching import GRID, kept_blocks
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Gold
from model.problem import Problem
from model.tagger import Tagger
from model.training.progressive import fit
from tagloom.datasets.dataset import Sample, load
from tagloom.evaluation.data import gold_picture
from tagloom.evaluation.features import features_of

SAMPLES = Path("samples/data")
SIDE = 180  # px of one picture
RED, BLUE = (226, 32, 32), (24, 72, 220)
LEAST = 0.1  # of a class's text attention, for a block to be framed
FAINT = 0.02  # a region with as much, the share of an even attention, is fully red where none has more


def drawn(picture: Image.Image, item: ItemFeatures, region_R: Tensor, segment_T: Tensor) -> Image.Image:
    """The picture with one class's attention on it."""
    strength_HW = (region_R / region_R.max().clamp(min=FAINT)).reshape(GRID, GRID)
    mask = Image.fromarray((strength_HW * 170).byte().numpy()).resize(picture.size, Image.Resampling.BICUBIC)
    shown = Image.composite(Image.new("RGB", picture.size, RED), picture, mask)
    pen = ImageDraw.Draw(shown)
    for place, block in enumerate(kept_blocks(item), start=1):
        share, box = float(segment_T[place]), item.blocks[block].box
        if share >= LEAST:
            corners = [box.left * SIDE, box.top * SIDE, box.right * SIDE, box.bottom * SIDE]
            pen.rectangle(corners, outline=BLUE, width=1 + round(4 * share))
    return shown


def sheet(
    samples: Sequence[Sample], items: Sequence[ItemFeatures], region_BKR: Tensor, segment_BKT: Tensor
) -> Image.Image:
    """One row an item: the picture, then one copy a class."""
    classes = region_BKR.shape[1]
    page = Image.new("RGB", ((SIDE + 4) * (classes + 1), (SIDE + 4) * len(items)), (255, 255, 255))
    for row, (sample, item) in enumerate(zip(samples, items, strict=True)):
        picture = sample.open().convert("RGB").resize((SIDE, SIDE))
        page.paste(picture, (0, row * (SIDE + 4)))
        for k in range(classes):
            one = drawn(picture, item, region_BKR[row, k], segment_BKT[row, k])
            page.paste(one, ((k + 1) * (SIDE + 4), row * (SIDE + 4)))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder for the samples' features")
    parser.add_argument("--out", type=Path, default=Path("docs/images/attention.webp"))
    parser.add_argument("--items", type=int, default=4)
    parser.add_argument("--taught", action="store_true", help="draw the taught places instead of the attention")
    options = parser.parse_args()
    data = load(SAMPLES)
    samples, extractor = list(data), FeatureExtractor.from_names("shipped", "shipped")
    items = features_of(samples, extractor, FeatureCache(options.cache, extractor.space))
    families = [sample.product_id for sample in samples]
    taught = set(sorted(set(families))[::2])
    pictures = [gold_picture(sample.boxes, data.labels()) if sample.boxed else None for sample in samples]
    gold = {
        n: Gold(frozenset(sample.labels), picture.boxes if picture else None)
        for n, (sample, picture) in enumerate(zip(samples, pictures, strict=True))
        if families[n] in taught
    }
    cold = Tagger.cold_start(data.labels(), space=extractor.space, seed=7, with_boxes=False)
    tagger = fit(cold, Problem(items, gold, families))
    # The fullest pictures of products that were not trained on, one a product.
    fullest = sorted((n for n in range(len(items)) if n not in gold), key=lambda n: -len(samples[n].labels))
    shown = list({families[n]: n for n in reversed(fullest)}.values())[-options.items :]
    features = [items[n] for n in shown]
    attention, places = tagger.attention(features), tagger.places(features)
    assert attention is not None
    assert places is not None
    looked = attention.regions_BKR, attention.segments_BKT
    if options.taught:
        looked = places.region_NRK.transpose(1, 2), places.block_NTK.transpose(1, 2)
    sheet([samples[n] for n in shown], features, *looked).save(options.out, quality=80, method=6)
    print(f"{options.out}: {[samples[n].id for n in shown]}, columns: picture, {', '.join(tagger.labels)}")
    for n, probability_K in zip(shown, tagger.probabilities([items[n] for n in shown]), strict=True):
        print(samples[n].id, {k: round(p, 2) for k, p in zip(tagger.labels, probability_K.tolist(), strict=True)})


if __name__ == "__main__":
    main()
