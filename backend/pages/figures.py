"""The figures of a version: what the gate measured, class by class, and the sources' accuracy on gold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.versions import Version
from worker.promotion.gate import FEWEST_ITEMS


@dataclass(frozen=True)
class ClassRow:
    """One class, as texts; an empty text stands where nothing is known."""

    label: str
    precision: str
    recall: str
    f1: str
    threshold: str
    gold: str
    given: str

    @property
    def is_known(self) -> bool:
        """Whether a training has told anything of the class."""
        return any((self.f1, self.threshold, self.gold, self.given))


@dataclass(frozen=True)
class Comparison:
    """One figure of the version and of the one that served then. ``name`` is that of its text."""

    name: str
    own: str
    served: str
    difference: str


def score_of(metrics: Mapping[str, Any]) -> str:
    """Return the macro-F1 that the gate measured; empty if it was measured on too few items to say anything."""
    return f"{metrics['macro_f1']:.3f}" if is_measured(metrics) else ""


def is_measured(metrics: Mapping[str, Any]) -> bool:
    """Return whether the gate had enough items for scores."""
    return metrics.get("items", 0) >= FEWEST_ITEMS and "macro_f1" in metrics


def classes_of(version: Version, given: Mapping[str, int]) -> list[ClassRow]:
    """Return a row for each class. ``given`` maps labels to the number of unlabelled tasks to which they are given."""
    known = version.metrics.get("classes", {})
    measured = is_measured(version.metrics)
    rows = []
    for label in version.labels:
        found = known.get(label, {})
        precision, recall, f1 = (
            f"{found[name]:.3f}" if measured and name in found else "" for name in ("precision", "recall", "f1")
        )
        threshold = f"{found['threshold']:.2f}" if "threshold" in found else ""
        gold = f"{found['gold']} / {found['known']}" if "gold" in found else ""
        rows.append(ClassRow(label, precision, recall, f1, threshold, gold, str(given.get(label, "") if given else "")))
    return rows


def compared(metrics: Mapping[str, Any]) -> list[Comparison]:
    """Return the gate's figures beside those of the version that served then."""
    rows = []
    if is_measured(metrics):
        rows.append(_compared("macro_f1", metrics["macro_f1"], metrics["served_macro_f1"]))
    if metrics.get("items_by_hand", 0) >= FEWEST_ITEMS:
        rows.append(_compared("macro_f1_by_hand", metrics["macro_f1_by_hand"], metrics["served_macro_f1_by_hand"]))
    if "log_loss" in metrics:
        rows.append(_compared("log_loss", metrics["log_loss"], metrics["served_log_loss"]))
    return rows


def sources_of(version: Version) -> list[tuple[str, Sequence[str]]]:
    """Return each source with its accuracy on gold for each label, as texts in the order of the labels.

    Sources with an opinion on every label come first; then the cues, by label.
    """
    rows: list[tuple[str, Sequence[str]]] = []
    for source, accuracy in version.metrics.get("source_accuracy", {}).items():
        # The name of a cue begins with its only label. All other sources have an opinion on every label.
        own = source.partition(": ")[0]
        labels = {own} if own in version.labels else {*version.labels}
        rows.append((source, [f"{accuracy[label]:.2f}" if label in labels else "" for label in version.labels]))
    return sorted(rows, key=lambda row: row[0].partition(": ")[0] in version.labels)


def _compared(name: str, own: float, served: float) -> Comparison:
    return Comparison(name, f"{own:.3f}", f"{served:.3f}", f"{own - served:+.3f}")
