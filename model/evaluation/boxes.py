"""Boxes in an evaluation: the boxes of each method on the test pictures with gold boxes, and their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.boxes.effort import Effort, Seconds, effort
from model.boxes.metrics import GoldPictures, bootstrap_interval, box_scores
from model.boxes.peers import attended, cued_blocks
from model.evaluation.corpus import Split
from model.items import PredictedBox
from model.tagger import Tagger

Boxes = Sequence[tuple[PredictedBox, ...]]

# Names of the baselines in results and tables.
BLOCKS = "read blocks with cues"
ATTENTION = "class attention over half its peak"
# Draws of the bootstrap.
DRAWS = 200


@dataclass(frozen=True)
class FoundBoxes:
    """One method's boxes on the test pictures with gold boxes, in order.

    ``found`` are all boxes with scores, ``shown`` those that an annotator would see.
    """

    found: Boxes
    shown: Boxes


@dataclass(frozen=True)
class BoxResult:
    """Scores of one method's boxes.

    ``average_precision`` is that of each label at overlap 0.5, ``mean`` the mean over the labels, with its 95 %
    interval over products from ``low`` to ``high``.
    """

    average_precision: dict[str, float]
    mean: float
    low: float
    high: float
    effort: Effort


def boxed(split: Split) -> list[int]:
    """Return the test rows that have gold boxes."""
    return [row for row in split.test if split.corpus.boxes and split.corpus.boxes[row] is not None]


def boxed_part(split: Split, part: Sequence[int]) -> list[int]:
    """Return the positions, among ``boxed`` rows, of those that stand at the positions ``part`` of the test rows."""
    rows = {split.test[position] for position in part}
    return [position for position, row in enumerate(boxed(split)) if row in rows]


def drawn_by(tagger: Tagger, split: Split, name: str) -> dict[str, FoundBoxes]:
    """Return the tagger's boxes under ``name``, and the boxes of a baseline under the baseline's name.

    The baseline is the network's attention, or cues on single blocks where the tagger has no network. It has no
    thresholds, so it shows all boxes that it finds. The answer is empty where no test picture has gold boxes.
    """
    rows = boxed(split)
    if tagger.box_model is None or not rows:
        return {}
    items = [split.corpus.features[row] for row in rows]
    seen = tagger.box_model.see(items)
    probability_NK = tagger.probabilities(items, tagger.box_opinions(items, seen))
    shown = tagger.box_model.drawn(seen, probability_NK, tagger.calibration.decide(probability_NK))
    own = FoundBoxes(tagger.box_model.drawn(seen, faint=True), shown)
    plain = cued_blocks(tagger.box_model, items) if tagger.network is None else attended(tagger, items)
    return {name: own, BLOCKS if tagger.network is None else ATTENTION: FoundBoxes(plain, plain)}


def box_results(
    drawn: Mapping[str, FoundBoxes], split: Split, part: Sequence[int], seconds: Seconds
) -> dict[str, BoxResult]:
    """Return the scores of each method's boxes on the test rows at the positions ``part``.

    ``seconds`` are the prices of an annotator's actions. The answer is empty where no such row has gold boxes.
    """
    places = boxed_part(split, part)
    rows = [boxed(split)[place] for place in places]
    if not rows:
        return {}
    gold = [picture for row in rows if (picture := split.corpus.boxes[row]) is not None]
    families = [split.corpus.families[row] for row in rows]
    labels = split.corpus.labels
    results = {}
    for name, boxes in drawn.items():
        found, shown = ([every[place] for place in places] for every in (boxes.found, boxes.shown))
        scores = box_scores(found, gold, labels)
        low, high = bootstrap_interval(found, GoldPictures(gold, families), labels, draws=DRAWS)
        results[name] = BoxResult(scores.average_precision, scores.mean, low, high, effort(shown, gold, seconds))
    return results
