"""Average precision of predicted boxes, with regions to ignore and a bootstrap over product families.

Matching and the area under the precision envelope follow PASCAL VOC 2010 (Everingham et al., IJCV 2010). Detections are
matched in order of their score, each to the free gold box of its picture with which it overlaps most. A detection
without a gold box that overlaps a region to ignore counts neither as right nor as wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.items import LabelledBox, PredictedBox

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GoldPicture:
    """Gold boxes of one picture, and regions in which a detection of the region's label is no error."""

    boxes: tuple[LabelledBox, ...]
    ignored: tuple[LabelledBox, ...] = ()


@dataclass(frozen=True)
class GoldPictures:
    """Gold of some pictures, and the product family of each picture in the same order."""

    pictures: Sequence[GoldPicture]
    families: Sequence[str]


@dataclass(frozen=True)
class BoxScores:
    """Average precision and recall of each label that has gold boxes."""

    average_precision: dict[str, float]
    recall: dict[str, float]

    @property
    def mean(self) -> float:
        """The mean average precision over these labels; 0 when no label has gold boxes."""
        return float(np.mean(list(self.average_precision.values()))) if self.average_precision else 0.0


@dataclass(frozen=True)
class _Matches:
    """Matches of one label in one picture.

    ``scores`` are those of the detections that count, ``hits`` are 1 for a matched detection and 0 for a wrong one,
    ``gold`` is the number of gold boxes.
    """

    scores: FloatArray
    hits: FloatArray
    gold: int


def box_scores(
    predicted: Sequence[Sequence[PredictedBox]], gold: Sequence[GoldPicture], labels: Sequence[str], *, iou: float = 0.5
) -> BoxScores:
    """Return average precision and recall of each label, over pictures in the same order.

    A detection matches a gold box from an overlap of ``iou`` on.
    """
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
    """Return the scores over these pictures; a picture that is named twice counts twice."""
    pictures = list(pictures)
    precisions, recall = {}, {}
    for label, rows in matched.items():
        drawn = [rows[i] for i in pictures]
        gold = sum(row.gold for row in drawn)
        if gold:
            scores = np.concatenate([row.scores for row in drawn])
            hits = np.concatenate([row.hits for row in drawn])
            order = np.argsort(-scores, kind="stable")
            precision = np.cumsum(hits[order]) / np.arange(1, len(order) + 1)
            # The envelope is the best precision at this recall or any higher one.
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            precisions[label] = float((envelope * hits[order]).sum() / gold)
            recall[label] = float(hits.sum() / gold)
    return BoxScores(precisions, recall)


def _match_all(
    predicted: Sequence[Sequence[PredictedBox]], gold: Sequence[GoldPicture], label: str, iou: float
) -> list[_Matches]:
    """Return the matches of one label in each picture."""
    matches = []
    for found, picture in zip(predicted, gold, strict=True):
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
        matches.append(_Matches(np.array(scores, dtype=np.float64), np.array(hits, dtype=np.float64), total))
    return matches
