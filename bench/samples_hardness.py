"""Measure how hard the samples are for plain methods: python -m bench.samples_hardness --data samples/data

Prints a Markdown table of macro-F1 / weighted-F1. Families are not divided: gold is a share of the products, the test
set is all others. Pictures are encoded by the shipped encoder. `--weights` names another SqueezeNet 1.1 with
torchvision's key names (.safetensors), `--features` picture features of any other encoder (.npz with `ids`,
`features`). Text is read once and cached.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

import model  # noqa: F401  (lets torchvision be imported beside a CPU-only torch)
from tagloom.datasets.dataset import Sample, load

LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Line:
    """One read line of text with its place in fractions of the picture."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def height(self) -> float:
        return self.bottom - self.top


Reading = list[Line]


def readings(samples: Sequence[Sample], cache: Path) -> list[Reading]:
    """The text read in each picture, from the cache where the same picture was read before."""
    known: dict[str, list[list[Any]]] = json.loads(cache.read_text("utf-8")) if cache.exists() else {}
    keys = [hashlib.sha256(sample.image.read_bytes()).hexdigest() for sample in samples]
    fresh = [(key, sample) for key, sample in zip(keys, samples, strict=True) if key not in known]
    if fresh:
        known |= _read(fresh)
        cache.write_text(json.dumps(known, ensure_ascii=False), "utf-8")
    return [[Line(*cells) for cells in known[key]] for key in keys]


def _read(fresh: list[tuple[str, Sample]]) -> dict[str, list[list[Any]]]:
    from model.reading.reader import Reader

    reader, found = Reader(threads=1), {}
    for key, sample in fresh:
        blocks = reader.read([sample.open()])[0].blocks
        found[key] = [[b.box.left, b.box.top, b.box.right, b.box.bottom, b.text] for b in blocks]
    return found


def cues(sample: Sample, lines: Reading) -> list[float]:
    """Fixed rules on the read text, one answer a label."""
    text = " ".join(line.text for line in lines)
    given = re.sub(r"送货|包邮|送运费|赠运费|配送|送达", "", text)
    brand = [part.lower() for part in re.split(r"[ /\u3000]", sample.title)[:2] if len(part) > 1]
    named = any(part in line.text.lower() for part in brand for line in lines)
    short = any(line.top < 0.15 and len(line.text) < 12 for line in lines)
    priced = re.search(r"[¥￥]\s*\d|\d\s*元|RMB|抢购价|特惠价|到手价|券后|立省|直降|狂降", text)
    return [
        1.0,
        float(bool(re.search(r"送|赠|礼", given))),
        float(named or short),
        float(len(re.findall(r"[\u4e00-\u9fff]", text)) >= 6),
        float(bool(priced)),
    ]


def shipped_cues(samples: Sequence[Sample], read: Sequence[Reading]) -> Array:
    """What the model's own cues say before any gold."""
    from model.items import Box, TextBlock
    from model.lexicon.cues import CueSet
    from model.lexicon.lexicon import Lexicon
    from testing.features import EMPTY_HW3
    from testing.features import features as features_of

    items = [
        features_of(
            *(TextBlock(Box(b.left, b.top, b.right, b.bottom), b.text, 1.0) for b in lines),
            title=sample.title,
            industry=(sample.level1, sample.level2),
            size=(400, 400),
            thumbnail_HW3=EMPTY_HW3,
            seed=None,
        )
        for sample, lines in zip(samples, read, strict=True)
    ]
    answers: Array = (CueSet(LABELS, Lexicon.load()).probabilities(items) > 0.5).numpy().astype(float)
    return answers


def geometry(sample: Sample, lines: Reading) -> list[float]:
    """Counts and sizes of what was read, where it stands, and how large telling signs are set."""
    text = " ".join(line.text for line in lines)
    areas = [(line.right - line.left) * line.height for line in lines]
    brand = [part.lower() for part in re.split(r"[ /]", sample.title)[:2] if part]
    top = [line for line in lines if line.top < 0.2]
    bare = [line.height for line in lines if re.fullmatch(r"[¥￥]?\s*\d{2,5}(\.\d+)?\s*(元|RMB)?", line.text.strip())]
    return [
        len(lines), sum(areas), max(areas or [0]), len(text), len(re.findall(r"[\u4e00-\u9fff]", text)),
        len(re.findall(r"[A-Za-z]", text)), len(re.findall(r"\d", text)), len(top),
        any(part in line.text.lower() for part in brand for line in lines), max(bare or [0]) * 10,
        *(max([line.height * 10 for line in lines if re.search(sign, line.text)] or [0]) for sign in _SIGNS),
        sum(bool(re.fullmatch(r"[A-Za-z\u4e00-\u9fff .&'·]{2,14}", line.text.strip())) for line in top),
    ]  # fmt: skip


_SIGNS = ("送|赠", "礼", "[¥￥]", "元", "价", "减|降|省", "旗舰|官方|®", "另购|标配|同款|配件", "满|邮")


def features(samples: Sequence[Sample], weights: Path) -> Array:
    """Pooled SqueezeNet features of each picture."""
    import torchvision
    from safetensors.torch import load_file

    network = torchvision.models.squeezenet1_1()
    network.load_state_dict(load_file(weights))
    network.eval()
    with torch.inference_mode():
        return torch.cat([_pooled(network, samples[i : i + 32]) for i in range(0, len(samples), 32)]).numpy()


def shipped_features(samples: Sequence[Sample]) -> Array:
    """Pooled features of the encoder that comes with Tagloom."""
    from model.encoders.shipped import shipped_image_encoder

    encoder = shipped_image_encoder("cpu")
    parts = [encoder.encode([s.open() for s in samples[i : i + 32]])[1] for i in range(0, len(samples), 32)]
    return torch.cat(parts).numpy()


def _pooled(network: Any, samples: Sequence[Sample]) -> torch.Tensor:
    pixels = np.stack([np.asarray(sample.open().resize((224, 224)), np.float32) / 255 for sample in samples])
    shifted = (pixels - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    batch = torch.from_numpy(shifted.astype(np.float32)).permute(0, 3, 1, 2)
    pooled: torch.Tensor = network.features(batch).mean((2, 3))
    return pooled


def saved_features(samples: Sequence[Sample], path: Path) -> Array:
    """Features from a file, in the order of the samples."""
    with np.load(path) as stored:
        row = {str(name): number for number, name in enumerate(stored["ids"])}
        chosen: Array = stored["features"][[row[sample.id] for sample in samples]]
    return chosen


def unit(rows: Array) -> Array:
    """Centred rows of length one."""
    centred = rows - rows.mean(0)
    scaled: Array = centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9)
    return scaled


def words(texts: list[str]) -> Array:
    """Runs of one to three characters, all digits alike."""
    folded = [re.sub(r"\d", "0", text) for text in texts]
    counter = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2)
    counted: Array = counter.fit_transform(folded).toarray()
    return counted


def _regression() -> Any:
    return LogisticRegression(C=10, class_weight="balanced", max_iter=300, solver="liblinear")


def _forest() -> Any:
    return RandomForestClassifier(300, class_weight="balanced_subsample", min_samples_leaf=2, random_state=0, n_jobs=1)


@dataclass(frozen=True)
class Bench:
    """The truth, and which product each row belongs to."""

    truth: Array
    products: Array
    draws: int

    def scores(self, rows: Array, share: float, make: Callable[[], Any]) -> str:
        """Macro-F1 ± spread / weighted-F1 over the draws."""
        found = np.array([self._one(rows, share, make, draw) for draw in range(self.draws)])
        macro, weighted = found.mean(0)
        return f"{macro:.3f} ± {found[:, 0].std():.3f} / {weighted:.3f}"

    def _one(self, rows: Array, share: float, make: Callable[[], Any], draw: int) -> tuple[float, float]:
        order = np.unique(self.products)
        np.random.RandomState(draw).shuffle(order)
        gold = np.isin(self.products, order[: round(len(order) * share)])
        answers = np.stack([_answers(rows, self.truth[:, k], gold, make) for k in range(len(LABELS))], 1)
        return _f1(self.truth[~gold], answers)


def _answers(rows: Array, truth: Array, gold: Array, make: Callable[[], Any]) -> Array:
    if truth[gold].min() == truth[gold].max():
        return np.full(int((~gold).sum()), truth[gold][0])
    answers: Array = make().fit(rows[gold], truth[gold]).predict(rows[~gold])
    return answers


def _f1(truth: Array, answers: Array) -> tuple[float, float]:
    macro, weighted = (f1_score(truth, answers, average=way, zero_division=0) for way in ("macro", "weighted"))
    return float(macro), float(weighted)


def recall_of_text(samples: Sequence[Sample], read: Sequence[Reading]) -> float:
    """The share of boxed copy and prices in which the reader found text."""
    found = [
        _touched(box.x, box.y, box.width, box.height, lines)
        for sample, lines in zip(samples, read, strict=True)
        for box in sample.boxes
        if box.label in ("文案", "价格")
    ]
    return float(np.mean(found))


def _touched(x: float, y: float, width: float, height: float, lines: Reading) -> bool:
    middles = [((line.left + line.right) * 50, (line.top + line.bottom) * 50) for line in lines]
    return any(x <= mx <= x + width and y <= my <= y + height for mx, my in middles)


def _row(name: str, *cells: str) -> None:
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """The command line."""
    chosen = _arguments()
    torch.set_num_threads(chosen.threads)
    samples = load(chosen.data).labelled()
    read = readings(samples, chosen.cache)
    truth = np.array([[label in sample.labels for label in LABELS] for sample in samples], int)
    bench = Bench(truth, np.array([sample.product_id for sample in samples]), chosen.draws)
    print(f"{len(samples)} pictures; text found in {recall_of_text(samples, read):.0%} of copy and price boxes\n")
    _row("method", "no gold", "10 % gold", "60 % gold")
    _row("---", "---", "---", "---")
    _cue_rows(samples, read, truth)
    _learned_rows(samples, read, bench, _images(chosen, samples))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.samples_hardness", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with items.csv and pictures")
    parser.add_argument("--weights", type=Path, help="SqueezeNet 1.1 weights (.safetensors)")
    parser.add_argument("--features", type=Path, help="picture features of another encoder (.npz: ids, features)")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "tagloom-samples-read.json")
    return parser.parse_args()


def _images(chosen: argparse.Namespace, samples: Sequence[Sample]) -> Array:
    if chosen.features:
        return unit(saved_features(samples, chosen.features))
    return unit(features(samples, chosen.weights) if chosen.weights else shipped_features(samples))


def _cue_rows(samples: Sequence[Sample], read: Sequence[Reading], truth: Array) -> None:
    plain = np.array([cues(sample, lines) for sample, lines in zip(samples, read, strict=True)])
    for name, answers in (("cues, a dozen fixed rules", plain), ("cues, the model's own", shipped_cues(samples, read))):
        each = f1_score(truth, answers, average=None)
        by_label = ", ".join(f"{label} {score:.2f}" for label, score in zip(LABELS, each, strict=True))
        macro, weighted = _f1(truth, answers)
        _row(f"{name} ({by_label})", f"{macro:.3f} / {weighted:.3f}", "", "")


def _learned_rows(samples: Sequence[Sample], read: Sequence[Reading], bench: Bench, images: Array) -> None:
    for name, rows, make in _methods(samples, read, images):
        _row(name, "", bench.scores(rows, 0.1, make), bench.scores(rows, 0.6, make))


def _methods(
    samples: Sequence[Sample], read: Sequence[Reading], images: Array
) -> list[tuple[str, Array, Callable[[], Any]]]:
    """Name, rows and learner of each method."""
    raw = np.array([geometry(sample, lines) for sample, lines in zip(samples, read, strict=True)], float)
    shapes = StandardScaler().fit_transform(np.log1p(raw)) / 4
    rules = np.array([cues(sample, lines) for sample, lines in zip(samples, read, strict=True)])
    text = words([" ".join(line.text for line in lines) or "无" for lines in read])
    title = words([sample.title for sample in samples])
    places = sorted({value for sample in samples for value in (sample.level1, sample.level2)})
    industry = unit(
        np.array([[value in (sample.level1, sample.level2) for value in places] for sample in samples], float)
    )
    read_rows = np.hstack([text, shapes])
    return [
        ("title + industry, regression", np.hstack([title, industry]), _regression),
        ("image, regression", images, _regression),
        ("cues + geometry, forest", np.hstack([rules, raw]), _forest),
        ("read text + geometry, regression", read_rows, _regression),
        ("image + read text + geometry, regression", np.hstack([0.5 * images, read_rows]), _regression),
        (
            "all of these + cues, regression",
            np.hstack([0.5 * images, read_rows, 0.2 * title, 0.2 * industry, 0.3 * rules]),
            _regression,
        ),
    ]


if __name__ == "__main__":
    main()
