"""The seconds of a drawn box that a project's training reckons with: a setting, or what its annotations tell."""

from dataclasses import dataclass

from labelstudio.config import LabelConfig
from labelstudio.lead_times import lead_time_of
from model.boxes.pace import draw_seconds
from model.boxes.worth import DRAW
from store.annotations import Annotations

# Most annotations that are looked at, the newest ones.
MOST = 400


@dataclass(frozen=True)
class DrawSeconds:
    """``seconds`` of a drawn box, measured on ``annotations`` annotations; these are 0 if the setting says it."""

    seconds: float = DRAW
    annotations: int = 0

    @classmethod
    def of(cls, annotations: Annotations, project_key: str, config: LabelConfig, given: float | None) -> "DrawSeconds":
        """Return the ``given`` seconds, or the measured ones if none are given."""
        if given is not None:
            return cls(given, 0)
        stored = [entry for entries in annotations.of_project(project_key).values() for entry in entries]
        newest = sorted(stored, key=lambda entry: str(entry["updated_at"]))
        timed = [lead for entry in newest if (lead := lead_time_of(config, entry)) is not None][-MOST:]
        seconds = draw_seconds(
            [lead.seconds for lead in timed], [lead.drawn for lead in timed], [lead.others for lead in timed]
        )
        return cls(round(seconds, 1), len(timed))

    def told(self) -> dict[str, float]:
        """Return what `/status` shows of them."""
        return {"seconds": self.seconds, "annotations": self.annotations}
