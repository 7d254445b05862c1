"""``<Choices>``: tags of the whole picture, one or several."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from labelstudio.regions import Region, names_in, of_control
from model.items import Prediction


@dataclass(frozen=True)
class Choices:
    """One Choices control. ``labels`` maps the name that stands in results (alias or value) to the model's label."""

    KIND: ClassVar[str] = "choices"
    ITEM: ClassVar[str] = "choice"

    name: str
    to_name: str
    labels: Mapping[str, str]
    multiple: bool

    def gold(self, result: object) -> frozenset[str] | None:
        """The labels that one annotation chose here; None when it says nothing about this control."""
        regions = list(of_control(result, self.name, self.KIND))
        if not regions:
            return None
        chosen = {name for region in regions for name in names_in(region["value"], "choices")}
        return frozenset(self.labels[name] for name in chosen if name in self.labels)

    def write(self, prediction: Prediction) -> list[Region]:
        """At most one region: all predicted labels, or for a single choice the likeliest one."""
        chosen = self._chosen(prediction)
        if not chosen:
            return []
        return [
            {
                "from_name": self.name,
                "to_name": self.to_name,
                "type": self.KIND,
                "value": {"choices": chosen},
            }
        ]

    def _chosen(self, prediction: Prediction) -> list[str]:
        if self.multiple:
            return [name for name, label in self.labels.items() if label in prediction.labels]
        known = [name for name, label in self.labels.items() if label in prediction.probabilities]
        return [max(known, key=lambda name: prediction.probabilities[self.labels[name]])] if known else []
