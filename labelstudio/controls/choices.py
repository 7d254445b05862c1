"""The ``<Choices>`` control: one or several tags of the whole picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from labelstudio.regions import NO_VALUE, Reading, Region, labels_in
from model.items import Prediction


@dataclass(frozen=True)
class Choices:
    """One Choices control. ``labels`` maps each name in results (alias or value) to the model's label.

    ``conditional``: the editor shows the control only under a condition (``visibleWhen``), so a missing answer does not
    mean that its labels are absent.
    """

    KIND: ClassVar[str] = "choices"
    ITEM: ClassVar[str] = "choice"

    name: str
    to_name: str
    labels: Mapping[str, str]
    multiple: bool
    conditional: bool = False

    def read(self, region: Mapping[str, object]) -> Reading:
        """Return the labels that one region of this control chose."""
        value = region.get("value")
        if not isinstance(value, dict) or "choices" not in value:
            return Reading(frozenset(), problem=NO_VALUE)
        if value["choices"] == []:
            return Reading(frozenset())
        chosen, problem = labels_in(value, "choices", self.labels)
        return Reading(chosen, problem=problem)

    def write(self, prediction: Prediction) -> list[Region]:
        """Return at most one region: all predicted labels, or for a single choice the most probable one."""
        if self.multiple:
            chosen = [name for name, label in self.labels.items() if label in prediction.labels]
        else:
            known = [name for name, label in self.labels.items() if label in prediction.probabilities]
            chosen = [max(known, key=lambda name: prediction.probabilities[self.labels[name]])] if known else []
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
