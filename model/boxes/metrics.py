"""Average precision of predicted boxes, with regions to ignore and a bootstrap over product families.

Matching and the area under the precision envelope follow PASCAL VOC 2010 (Everingham et al., IJCV 2010): detections
of all pictures in order of score, each takes the free gold box it overlaps most. A detection that takes none but
matches an ignored region counts neither way.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.items import LabelledBox, PredictedBox

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GoldPicture:
    """Gold boxes of one picture, and regions (of a label) in which a detection is no error."""

    boxes: tuple[LabelledBox, ...]
    ignored: tuple[LabelledBox, ...] = ()


@dataclass(frozen=True)
class GoldPictures:
    """Gold of some pictures, and the product family of each picture in the same order."""

    pictures: Sequence[GoldPicture]
    families: Sequence[str]


@dataclass(frozen=True)
class BoxScores:
    """AP and recall per label that has gold, and their mean over those labels."""

    average_precision: dict[str, float]
    recall: dict[str, float]

    @property
    def mean(self) -> float:
        """mAP, 0 when no label has gold."""
        return float(np.mean(list(self.average_precision.values()))) if self.average_precision else 0.0


@dataclass(frozen=True)
class _Matches:
    """One label in one picture: scores and hits of the counted detections, and how many gold boxes there are."""

    scores: FloatArray
    hits: FloatArray
    gold: int


def box_scores(
    predicted: Sequence[Sequence[PredictedBox]], gold: Sequence[GoldPicture], labels: Sequence[str], *, iou: float = 0.5
) -> BoxScores:
    """AP at one overlap for each label, over pictures in the same order."""
    matched = {label: _match_all(predicted, gold, label, iou) for label in labels}
    return _scores(matched, range(len(gold)))


def bootstrap_interval(
    predicted: Sequence[Sequence[PredictedBox]],
    gold: GoldPictures,
    labels: Sequence[str],
    *,
    iou: float = 0.5,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % percentile interval of mAP when whole families (products) are drawn with replacement."""
    matched = {label: _match_all(predicted, gold.pictures, label, iou) for label in labels}
    names = sorted(set(gold.families))
    members = [[i for i, family in enumerate(gold.families) if family == name] for name in names]
    generator = np.random.default_rng(seed)
    means = []
    for _ in range(draws):
        drawn = generator.integers(len(members), size=len(members))
        means.append(_scores(matched, [i for family in drawn for i in members[family]]).mean)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _scores(matched: dict[str, list[_Matches]], pictures: Iterable[int]) -> BoxScores:
    pictures = list(pictures)
    precision, recall = {}, {}
    for label, rows in matched.items():
        drawn = [rows[i] for i in pictures]
        gold = sum(row.gold for row in drawn)
        if gold:
            hits = np.concatenate([row.hits for row in drawn])
            precision[label] = _average_precision(np.concatenate([row.scores for row in drawn]), hits, gold)
            recall[label] = float(hits.sum() / gold)
    return BoxScores(precision, recall)


def _match_all(
    predicted: Sequence[Sequence[PredictedBox]], gold: Sequence[GoldPicture], label: str, iou: float
) -> list[_Matches]:
    return [_match(found, picture, label, iou) for found, picture in zip(predicted, gold, strict=True)]


def _match(found: Sequence[PredictedBox], picture: GoldPicture, label: str, iou: float) -> _Matches:
    free = [entry.box for entry in picture.boxes if entry.label == label]
    ignored = [entry.box for entry in picture.ignored if entry.label == label]
    total, scores, hits = len(free), [], []
    for detection in sorted((entry for entry in found if entry.label == label), key=lambda entry: -entry.score):
        best = max(free, key=detection.box.iou, default=None)
        hit = best is not None and detection.box.iou(best) >= iou
        if best is not None and hit:
            free.remove(best)
        elif any(detection.box.iou(region) >= iou for region in ignored):
            continue
        scores.append(detection.score)
        hits.append(float(hit))
    return _Matches(np.array(scores, dtype=np.float64), np.array(hits, dtype=np.float64), total)


def _average_precision(scores: FloatArray, hits: FloatArray, gold: int) -> float:
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(hits[order])
    precision = found / np.arange(1, len(order) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * hits[order]).sum() / gold)
