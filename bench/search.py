"""Measure how well items are found: python -m bench.search --data samples/data [--image-encoder NAME] [--cache FOLDER]

Prints Markdown tables: recall@10 of a product's other views against peers (paired, with a 95 % bootstrap interval over
products), recommendations from made-up sessions, and copies of pictures that are saved again, made smaller, cut, or
laid over. ``--split validation`` asks with the items of that split alone. With ``--speed`` it measures the exact search
among ``--items`` vectors instead (`bench.search_speed`).

All views of a product share one title in the data, so a title alone finds them all. So further tables give each view
a title as other sellers would write it: a half, or a quarter, of the words, at random and in another order. Sessions
are of items with a quarter of the words.
"""

import argparse
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor
from torch.nn.functional import normalize

from bench import search_speed
from model.encoders.catalogue import image_encoder, text_encoder
from model.encoders.joint import JointEncoder
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.search.copies import BITS, are_copies, picture_hash
from model.search.projection import WEIGHTS, Projection, picture_part, reading_of
from model.search.variety import relevance, varied
from tagloom.datasets.dataset import Dataset
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from tagloom.opening import opened
from worker.search.finding import SEEN, WORDS
from worker.search.index import Entry, Index, by_words

AT = 10
BOOTSTRAPS = 2_000
SESSIONS = 300
COPIED = 100
_WORDS = re.compile(r"[A-Za-z0-9]+|[一-鿿]{1,2}|\S")


@dataclass(frozen=True)
class Shop:
    """Items with the product and the labels of each, their pictures, and the rows with which is asked."""

    items: list[ItemFeatures]
    products: list[str]
    labels: list[frozenset[str]]
    pictures: list[Path | None]
    asked: list[int]


Scores = Tensor
"""(Q, N): how similar each item is to each query."""


def shop_of(data: Dataset, image_name: str, cache: Path, split: str) -> Shop:
    """Read and encode the data; ask with the items of a split, or with all labelled ones that are not for measuring."""
    corpus = corpus_of(data, FeatureExtractor.from_names(image_name, "shipped"), cache)
    splits = [sample.split or "labelled" for sample in data]
    products = list(corpus.families)
    asked = [row for row, product in enumerate(products) if splits[row] == split and products.count(product) > 1]
    labels = [frozenset(gold or ()) for gold in corpus.gold]
    return Shop(list(corpus.features), products, labels, [sample.picture for sample in data], asked)


def as_another_seller(title: str, share: float, random: np.random.Generator) -> str:
    words = _WORDS.findall(title)
    kept = [word for word in words if random.random() < share] or words[:1]
    random.shuffle(kept)
    return " ".join(kept)


def bare(item: ItemFeatures) -> ItemFeatures:
    """An item as an uploaded picture: without title, texts and industry."""
    return replace(item, title="", texts={}, industry=())


def recalls(shop: Shop, scores: Scores, *, own: bool = False) -> NDArray[np.float64]:
    """Recall@10 of each query: its product's other views among the ten best, its own picture left out, or ``own``."""
    scores = scores.clone()
    if not own:
        scores[torch.arange(len(shop.asked)), shop.asked] = -torch.inf
    best = scores.argsort(dim=1, descending=True, stable=True)[:, :AT].tolist()
    found = []
    for row, top in zip(shop.asked, best, strict=True):
        views = {other for other, product in enumerate(shop.products) if product == shop.products[row]}
        views -= set() if own else {row}
        found.append(len(views & set(top)) / min(len(views), AT))
    return np.array(found)


def centred(rows: Sequence[Tensor]) -> Tensor:
    raw = normalize(torch.stack([row.float() for row in rows]), dim=1)
    there = raw.abs().sum(1) > 0
    return normalize(raw - raw[there].mean(0), dim=1) * there[:, None]


def by_words_of(asked: Sequence[str], texts: Sequence[tuple[str, str]]) -> Scores:
    """BM25 of titles and read texts, by the index that the worker fills."""
    scores = torch.zeros(len(asked), len(texts))
    with TemporaryDirectory() as folder:
        index = Index(Path(folder))
        with index.writing() as writer:
            writer.begin("bench", "none")
            entries = [Entry(row, 0, "", 0, 0, title, read, ()) for row, (title, read) in enumerate(texts)]
            writer.add(entries, torch.zeros(len(entries), 512))
        with index.reading() as connection:
            for place, text in enumerate(asked):
                for found, score in by_words(connection, text, len(texts)).items():
                    scores[place, found] = score
    return scores


def by_reading(shop: Shop) -> Scores:
    """TF-IDF of the read texts' character n-grams."""
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True).fit_transform(
        [reading_of(item) for item in shop.items]
    )
    return torch.from_numpy((vectors[shop.asked] @ vectors.T).toarray()).float()


def views_table(shop: Shop, name: str, asks: Callable[[ItemFeatures], ItemFeatures], *, with_titles: bool) -> None:
    """Print the recall of each method; the last line compares Tagloom with the best of the others."""
    image = centred([item.image_C for item in shop.items])
    reading = centred([item.reading_E for item in shop.items])
    parts = {"picture vector alone": image}
    joined = [image, reading]
    if with_titles:
        encoded = text_encoder("shipped", "cpu").encode([item.title for item in shop.items])
        joined.append(centred([text.pooled_E for text in encoded]))
    parts["concatenation"] = torch.cat(joined, dim=1)
    scores = {method: vectors[shop.asked] @ vectors.T for method, vectors in parts.items()}
    scores["title alone (BM25)" if with_titles else "read text alone (TF-IDF)"] = (
        by_words_of([shop.items[row].title for row in shop.asked], [(item.title, "") for item in shop.items])
        if with_titles
        else by_reading(shop)
    )
    projection = Projection.of(shop.items)
    asked = projection.vectors([asks(shop.items[row]) for row in shop.asked]).float()
    scores["Tagloom"] = asked @ projection.vectors(shop.items).float().T
    found = {method: recalls(shop, one) for method, one in scores.items()}
    print(f"\n{name}: {len(shop.asked)} queries, {len(shop.items)} items\n\n| method | recall@{AT} |\n|---|---|")
    for method, each in found.items():
        print(f"| {method} | {each.mean():.3f} |")
    best = max((method for method in found if method != "Tagloom"), key=lambda method: found[method].mean())
    low, high = interval(shop, found["Tagloom"] - found[best])
    difference = (found["Tagloom"] - found[best]).mean()
    print(f"| Tagloom − {best} | {difference:+.3f} [{low:+.3f}, {high:+.3f}] |")


def words_table(shop: Shop, joint_name: str) -> None:
    """Print how pictures without titles are found by the words of their product's title: one query a product."""
    asked = list({shop.products[row]: row for row in reversed(shop.asked)}.values())
    bared = replace(shop, items=[bare(item) for item in shop.items], asked=asked)
    projection = Projection.of(shop.items)
    titles = [shop.items[row].title for row in asked]
    words = torch.stack([projection.words(title) for title in titles]).float()
    by_vector = words @ projection.vectors(bared.items).float().T
    by_word = by_words_of(titles, [("", reading_of(item)) for item in bared.items])
    scores = {"exact words (BM25)": by_word, "vector": by_vector, "both, as `text`": _even(by_vector, by_word)}
    if joint_name:
        joint = JointEncoder(joint_name)
        pictures = [opened(path).image if path else Image.new("RGB", (32, 32)) for path in shop.pictures]
        cosine = joint.texts(titles) @ joint.pictures(pictures).T
        best, mean = cosine.max(1, keepdim=True).values, cosine.mean(1, keepdim=True)
        scores["joint encoder"] = ((cosine - mean) / (best - mean)).clamp(min=0)
        scores["both and joint, as `text`"] = (1 - SEEN) * scores["both, as `text`"] + SEEN * scores["joint encoder"]
    print(f"\nA title's words, pictures without titles: {len(asked)} queries, {len(shop.items)} items")
    print(f"\n| method | recall@{AT} |\n|---|---|")
    for method, one in scores.items():
        print(f"| {method} | {recalls(bared, one, own=True).mean():.3f} |")


def _even(by_vector: Scores, by_word: Scores) -> Scores:
    """Both in the units of the finder: vectors by the length of a whole item's words, words by the best."""
    return (1 - WORDS) * by_vector / (WEIGHTS["reading"] + WEIGHTS["title"]) + WORDS * by_word


def interval(shop: Shop, each: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean over queries, drawn by products."""
    random = np.random.default_rng(0)
    products = np.array([shop.products[row] for row in shop.asked])
    names = np.unique(products)
    sums = np.array([each[products == name].sum() for name in names])
    counts = np.array([(products == name).sum() for name in names])
    drawn = random.integers(0, len(names), (BOOTSTRAPS, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def sessions_table(shop: Shop) -> None:
    """Print how recommendations fare: a session looks at one view each of three products of one industry."""
    random = np.random.default_rng(1)
    vectors = Projection.of(shop.items).vectors(shop.items)
    image = centred([item.image_C for item in shop.items])
    by_product: dict[str, list[int]] = {}
    for row in shop.asked:
        by_product.setdefault(shop.products[row], []).append(row)
    industry = {product: shop.items[rows[0]].industry[:1] for product, rows in by_product.items()}
    lists: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(SESSIONS):
        first = random.choice(sorted(by_product))
        like = [other for other in sorted(by_product) if industry[other] == industry[first] and other != first]
        chosen = [first, *random.permutation(like)[:2].tolist()]
        seen = [int(random.choice(by_product[product])) for product in chosen]
        held = [row for product in chosen for row in by_product[product] if row not in seen]
        free = torch.tensor([row for row in range(len(shop.items)) if row not in seen])
        none = torch.zeros(len(seen), dtype=torch.bool)
        relevant = relevance(vectors[free], vectors[seen], none)
        nearest = free[(image[free] @ image[seen].mean(0)).argsort(descending=True)[:AT]].tolist()
        alone = free[relevant.argsort(descending=True)[:AT]].tolist()
        mixed = {share: free[varied(vectors[free], relevant, AT, share)].tolist() for share in (0.8, 0.6, 0.4)}
        random_ten = random.choice(free.numpy(), AT, replace=False).tolist()
        for method, ten in {
            "at random": random_ten, "nearest to the mean picture": nearest, "Tagloom without variety": alone,
            **{f"Tagloom, λ = {share}": ten for share, ten in mixed.items()},
        }.items():  # fmt: skip
            lists.setdefault(method, []).append((*hits(shop, ten, held), distance(vectors[ten])))
    print(f"\n{SESSIONS} sessions\n\n| method | hit rate@{AT} | tags as of the held-out views | distance in the list |")
    print("|---|---|---|---|")
    for method, each in lists.items():
        hit, tags, apart = np.array(each).mean(0)
        print(f"| {method} | {hit:.3f} | {tags:.3f} | {apart:.3f} |")


def hits(shop: Shop, ten: Sequence[int], held: Sequence[int]) -> tuple[float, float]:
    """Whether a held-out view is among the ten, and how like their tags are to its (mean of the best Jaccard)."""
    tags = [shop.labels[row] for row in held]
    alike = [max((len(shop.labels[row] & one) / max(len(shop.labels[row] | one), 1) for one in tags), default=0.0)
             for row in ten]  # fmt: skip
    return float(bool(set(ten) & set(held))), float(np.mean(alike))


def distance(vectors: Tensor) -> float:
    """The mean of one minus the cosine over all pairs."""
    unit = normalize(vectors.float(), dim=1)
    count = len(unit)
    return float((count * count - (unit @ unit.T).sum()) / (count * (count - 1)))


def variants(picture: Image.Image, random: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    width, height = picture.size
    yield "saved again (JPEG 60)", jpeg(picture, 60)
    yield "compressed (JPEG 25)", jpeg(picture, 25)
    yield "half as large", jpeg(picture.resize((max(1, width // 2), max(1, height // 2))), 80)
    for name, most in (("cut by up to 10 % at each side", 0.1), ("cut by 5 to 15 % at each side", 0.15)):
        left, top, right, bottom = random.uniform(most - 0.1, most, 4)
        box = (int(left * width), int(top * height), int(width - right * width), int(height - bottom * height))
        yield name, picture.crop(box)
    over = picture.copy()
    drawing = ImageDraw.Draw(over)
    drawing.rectangle((0, int(height * 0.85), width, height), fill=(220, 30, 40))
    drawing.text((width // 10, int(height * 0.9)), "SALE 50 % OFF", fill="white")
    yield "a banner over the lowest 15 %", over


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def copies_table(shop: Shop, image_name: str) -> None:
    """Print how many copies are told, and how many other pictures are taken for copies."""
    random = np.random.default_rng(2)
    encoder, projection = image_encoder(image_name, "cpu"), Projection.of(shop.items)
    parts = picture_part(projection.vectors(shop.items))
    hashes = torch.tensor([picture_hash(item) for item in shop.items])
    rows = sorted(random.choice(shop.asked, min(COPIED, len(shop.asked)), replace=False).tolist())
    told: dict[str, list[tuple[bool, int, int, bool]]] = {}
    for row in rows:
        picture = shop.pictures[row]
        assert picture is not None
        for name, changed in variants(opened(picture).image, random):
            _, image_1C = encoder.encode([changed])
            changed.thumbnail((128, 128))
            item = replace(
                shop.items[row], image_C=image_1C[0].half(), thumbnail_HW3=torch.from_numpy(np.array(changed))
            )  # fmt: skip
            own_hash = torch.tensor([picture_hash(item)])
            found = are_copies(picture_part(projection.vectors([item])), own_hash, parts, hashes)[0]
            differing = int(own_hash[0] ^ hashes[row]) & (2**64 - 1)
            others = [other for other in found.nonzero()[:, 0].tolist() if other != row]
            views = sum(shop.products[other] == shop.products[row] for other in others)
            told.setdefault(name, []).append(
                (bool(found[row]), len(others) - views, views, differing.bit_count() <= BITS)
            )  # fmt: skip
    print(f"\n{len(rows)} pictures, {len(shop.items)} items\n")
    print(
        "| copy | recall | precision against other products | other views told as copies, each | hash alone: recall |"
    )
    print("|---|---|---|---|---|")
    everything = [one for each in told.values() for one in each]
    for name, each in [*told.items(), ("all", everything)]:
        right, wrong, views, by_hash = (sum(column) for column in zip(*each, strict=True))
        precision = right / max(right + wrong, 1)
        print(f"| {name} | {right / len(each):.3f} | {precision:.3f} | {views / len(each):.2f} | "
              f"{by_hash / len(each):.3f} |")  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description="Measure how well items are found.")
    parser.add_argument("--data", type=Path, default=Path("samples/data"))
    parser.add_argument("--image-encoder", default="shipped")
    parser.add_argument("--cache", type=Path, default=Path(".evaluation"))
    parser.add_argument("--joint-encoder", default="", help="also find pictures by words through this one")
    parser.add_argument("--split", default="labelled")
    parser.add_argument("--speed", action="store_true", help="measure the speed of the exact search instead")
    parser.add_argument("--items", type=int, default=1_000_000, help="with --speed: how many vectors")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.speed:
        search_speed.measure(chosen.items, chosen.cache)
        return
    shop = shop_of(read(chosen.data), chosen.image_encoder, chosen.cache, chosen.split)
    views_table(shop, "A picture without title", bare, with_titles=False)
    views_table(shop, "An item, titles as they are", lambda item: item, with_titles=True)
    words_table(shop, chosen.joint_encoder)
    for share in (0.5, 0.25):
        random = np.random.default_rng(0)
        items = [replace(item, title=as_another_seller(item.title, share, random)) for item in shop.items]
        others = replace(shop, items=items)
        views_table(others, f"An item, {share:.0%} of the words of its title", lambda item: item, with_titles=True)
    sessions_table(others)
    copies_table(shop, chosen.image_encoder)


if __name__ == "__main__":
    main()
