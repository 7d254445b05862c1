"""Measure served predictions: F1 of the tags and mAP@0.5 of the boxes, against labels that were never sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from labelstudio.controls.rectangle_labels import box_of
from model.boxes.metrics import box_scores
from model.items import PredictedBox
from model.metrics import class_scores, macro_f1, weighted_f1
from testing.label_studio.payloads import Json
from tools.demo.data import Subject


@dataclass(frozen=True)
class Scores:
    """``per_label`` holds the F1 of each label, ``boxes`` the mAP@0.5, or None without gold boxes."""

    macro_f1: float
    weighted_f1: float
    per_label: dict[str, float]
    boxes: float | None = None


def score_served(results: Sequence[Json], subjects: Sequence[Subject], labels: Sequence[str]) -> Scores:
    """Return the scores of /predict results for the subjects in the same order."""
    tags = score_tags([tags_of(result) for result in results], [subject.labels for subject in subjects], labels)
    drawn = [(boxes_of(result), subject.boxes) for result, subject in zip(results, subjects, strict=True)]
    boxed = [(predicted, gold) for predicted, gold in drawn if gold is not None]
    mean = box_scores([one for one, _ in boxed], [one for _, one in boxed], labels).mean if boxed else None
    return Scores(tags.macro_f1, tags.weighted_f1, tags.per_label, mean)


def score_tags(predicted: Sequence[frozenset[str]], gold: Sequence[frozenset[str]], labels: Sequence[str]) -> Scores:
    """Return F1 scores over the labels that occur in gold or predictions. Others would count as 0 without an error."""
    used = [label for label in labels if any(label in one for one in (*gold, *predicted))]
    truth_NK, given_NK = _indicators(gold, used), _indicators(predicted, used)
    per_label = {label: score.f1 for label, score in zip(used, class_scores(truth_NK, given_NK), strict=True)}
    return Scores(macro_f1(truth_NK, given_NK), weighted_f1(truth_NK, given_NK), per_label)


def majority(seen: Sequence[frozenset[str]], subjects: Sequence[Subject], labels: Sequence[str]) -> Scores:
    """Return the scores of giving every picture the labels that more than half of the gold has."""
    usual = frozenset(label for label in labels if sum(label in one for one in seen) > len(seen) / 2)
    return score_tags([usual] * len(subjects), [subject.labels for subject in subjects], labels)


def tags_of(result: Json) -> frozenset[str]:
    """Return the tags of one prediction."""
    chosen = [region["value"]["choices"] for region in result["result"] if region["type"] == "choices"]
    return frozenset(name for names in chosen for name in names)


def boxes_of(result: Json) -> tuple[PredictedBox, ...]:
    """Return the rectangles of one prediction as boxes."""
    regions = [region for region in result["result"] if region["type"] == "rectanglelabels"]
    return tuple(
        PredictedBox(region["value"]["rectanglelabels"][0], box, float(region.get("score") or 0.0))
        for region in regions
        if (box := box_of(region))
    )


def _indicators(sets: Sequence[frozenset[str]], labels: Sequence[str]) -> list[list[bool]]:
    return [[label in one for label in labels] for one in sets]
