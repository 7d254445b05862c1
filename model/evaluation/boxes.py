"""Boxes in an evaluation: what each way finds and shows on the boxed test pictures, and how good that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.boxes.effort import Effort, Seconds, effort
from model.boxes.metrics import GoldPictures, bootstrap_interval, box_scores
from model.boxes.peers import attended, cued_blocks
from model.evaluation.corpus import Split
from model.items import PredictedBox
from model.tagger import Tagger

Boxes = Sequence[tuple[PredictedBox, ...]]

BLOCKS = "read blocks with cues"
ATTENTION = "class attention over half its peak"
DRAWS = 200


@dataclass(frozen=True)
class Drawn:
    """One way's boxes on the boxed test pictures, in order: all that it found with scores, and what it would show."""

    found: Boxes
    shown: Boxes


@dataclass(frozen=True)
class BoxResult:
    """Average precision at overlap 0.5 by label, their mean with its 95 % interval over products, and the effort."""

    average_precision: dict[str, float]
    mean: float
    low: float
    high: float
    effort: Effort


def boxed(split: Split) -> list[int]:
    """Test rows with gold boxes."""
    return [row for row in split.test if split.corpus.boxes and split.corpus.boxes[row] is not None]


def drawn_by(tagger: Tagger, split: Split, name: str) -> dict[str, Drawn]:
    """The tagger's boxes under ``name``, and those of the plain way that goes with it; nothing without gold boxes.

    Plain ways have no thresholds: they show all that they find.
    """
    rows = boxed(split)
    if tagger.box_model is None or not rows:
        return {}
    items = [split.corpus.features[row] for row in rows]
    seen = tagger.box_model.see(items)
    probability_NK = tagger.probabilities(items, tagger.box_opinions(items, seen))
    shown = tagger.box_model.drawn(seen, probability_NK, tagger.calibration.decide(probability_NK))
    own = Drawn(tagger.box_model.drawn(seen, faint=True), shown)
    plain = cued_blocks(tagger.box_model, items) if tagger.network is None else attended(tagger, items)
    return {name: own, BLOCKS if tagger.network is None else ATTENTION: Drawn(plain, plain)}


def box_results(drawn: Mapping[str, Drawn], split: Split, seconds: Seconds) -> dict[str, BoxResult]:
    """Each way's result."""
    rows = boxed(split)
    gold = [picture for row in rows if (picture := split.corpus.boxes[row]) is not None]
    families = [split.corpus.families[row] for row in rows]
    labels = split.corpus.labels
    results = {}
    for name, boxes in drawn.items():
        scores = box_scores(boxes.found, gold, labels)
        low, high = bootstrap_interval(boxes.found, GoldPictures(gold, families), labels, draws=DRAWS)
        results[name] = BoxResult(scores.average_precision, scores.mean, low, high, effort(boxes.shown, gold, seconds))
    return results
