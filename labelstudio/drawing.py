"""What an interactive request says: the region that was drawn just now, and what the annotation holds beside it.

After each drawing Label Studio 1.23.2 sends *all* regions of the same kind and label: also those of the prediction,
and those that were accepted before. No mark tells the new one (tests/fixtures/label_studio/30 to 39 were recorded in a
browser; docs/decisions/0034-newest-region.md).

The rule: what a person drew has the origin ``manual`` and no score. A region of a prediction has the origin
``prediction`` or ``prediction-changed``; one that was accepted from an answer has the answer's score. Of those drawn by
hand the newest is the last that no stored draft or annotation holds with the same place and label. If they hold them
all (a draft can be saved before the request is sent), it is the last.

Without any region (Label Studio made the tags anew, as after Submit) nothing was drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelstudio.regions import Region


@dataclass(frozen=True)
class Stored:
    """The regions that Label Studio stores for one task; None where it has no draft, or no annotation."""

    drafts: tuple[Region, ...] | None
    annotations: tuple[Region, ...] | None
    predictions: tuple[Region, ...]

    @classmethod
    def of(cls, drafts: Any, annotations: Any, predictions: Any) -> "Stored":
        """The lists of a task as Label Studio sends them; what has another shape is passed over."""
        return cls(
            _regions(drafts) if entries_of(drafts) else None,
            _regions(annotations) if entries_of(annotations) else None,
            _regions(predictions),
        )

    @property
    def held(self) -> tuple[Region, ...]:
        """What the open annotation holds, as far as that is stored: the draft's word is newer than the others'."""
        return (*(self.annotations or ()), *self.predictions) if self.drafts is None else self.drafts


@dataclass(frozen=True)
class Drawing:
    """The region that was drawn just now, and the other regions of its label (``others``)."""

    region: Region
    others: tuple[Region, ...]

    @classmethod
    def of(cls, regions: Sequence[Region], stored: Stored) -> "Drawing | None":
        """None when no region of the context was drawn by hand, see above."""
        by_hand = [region for region in regions if _by_hand(region)]
        saved = dict(_state(region) for region in (*(stored.annotations or ()), *(stored.drafts or ())))
        newest = ([region for region in by_hand if _state(region) not in saved.items()] or by_hand)[-1:]
        return next((cls(one, tuple(other for other in regions if other is not one)) for one in newest), None)


def entries_of(entries: Any) -> list[dict[str, Any]]:
    """The objects of a list; what has another shape is passed over."""
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _regions(entries: Any) -> tuple[Region, ...]:
    return tuple(region for entry in entries_of(entries) for region in entries_of(entry.get("result")))


def _by_hand(region: Region) -> bool:
    return region.get("origin") in (None, "manual") and region.get("score") is None


def _state(region: Region) -> tuple[str, Any]:
    return str(region.get("id")), region.get("value")
