"""Find the region that the annotator has just drawn, from an interactive request.

After each drawing Label Studio 1.23.2 sends *all* regions of the same kind and label, including regions of the
prediction and regions that were accepted before. Nothing in the request marks the new region
(tests/fixtures/label_studio/30 to 39 were recorded in a browser; docs/decisions/0034-newest-region.md).

The rule: a region that a person drew has the origin ``manual`` and no score. A region of a prediction has the origin
``prediction`` or ``prediction-changed``; a region accepted from an interactive answer has the answer's score. Of the
regions drawn by hand, the new one is the last region that no stored draft or annotation holds with the same id and
value. If the stored drafts and annotations hold all of them (the editor may save a draft before it sends the request),
it is the last region drawn by hand.

A request without regions means that nothing was drawn; Label Studio sends one when it rebuilds the tags, as after
Submit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelstudio.regions import Region


@dataclass(frozen=True)
class Stored:
    """The regions that Label Studio stores for one task.

    ``drafts`` is None if the task has no draft, ``annotations`` is None if the task has no annotation.
    """

    drafts: tuple[Region, ...] | None
    annotations: tuple[Region, ...] | None
    predictions: tuple[Region, ...]

    @classmethod
    def of(cls, drafts: Any, annotations: Any, predictions: Any) -> "Stored":
        """Read the lists of Label Studio's task object; entries of another shape are ignored."""
        return cls(
            _regions(drafts) if entries_of(drafts) else None,
            _regions(annotations) if entries_of(annotations) else None,
            _regions(predictions),
        )

    @property
    def held(self) -> tuple[Region, ...]:
        """The stored regions of the open annotation: those of its draft, which is the newest state, if there is one."""
        return (*(self.annotations or ()), *self.predictions) if self.drafts is None else self.drafts


@dataclass(frozen=True)
class Drawing:
    """The region that was just drawn, and the other regions of its label (``others``)."""

    region: Region
    others: tuple[Region, ...]

    @classmethod
    def of(cls, regions: Sequence[Region], stored: Stored) -> "Drawing | None":
        """Find the new region by the module's rule; return None if no region of the request was drawn by hand."""
        by_hand = [
            region for region in regions if region.get("origin") in (None, "manual") and region.get("score") is None
        ]
        # Later entries overwrite earlier ones, so a draft's value counts more than an annotation's.
        saved = dict(_state(region) for region in (*(stored.annotations or ()), *(stored.drafts or ())))
        newest = ([region for region in by_hand if _state(region) not in saved.items()] or by_hand)[-1:]
        return next((cls(one, tuple(other for other in regions if other is not one)) for one in newest), None)


def entries_of(entries: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; entries that are not objects are left out, and other values give an empty list."""
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _regions(entries: Any) -> tuple[Region, ...]:
    return tuple(region for entry in entries_of(entries) for region in entries_of(entry.get("result")))


def _state(region: Region) -> tuple[str, Any]:
    return str(region.get("id")), region.get("value")
