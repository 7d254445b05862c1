"""The groups of look-alikes of a project, kept in a file between jobs.

If the file is missing, spoilt or from other encoders, grouping starts again with the tasks that are answered next.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from model.features.item import ItemFeatures
from model.look_alikes import LookAlikes
from model.tensor_files import digest, read
from model.weak_supervision.propagation import PARTS, Embedding
from tagloom_base.files import replaced

LOG = logging.getLogger(__name__)

MOST = 50_000
"""Groups that can still be joined, the newest ones. Each answer is compared with all of them, so that without a bound
the work of a project would grow with the square of its tasks (24 ms an answer at a million groups; at this bound
1.2)."""


class Groups:
    """The groups of one project: items join them, and ``save`` writes them.

    The vectors are centred on the items that joined first. ``space`` is the fingerprint of encoders and reader.
    """

    def __init__(self, file: Path, space: str) -> None:
        self._file, self._space = file, space
        self._embedding: Embedding | None = None
        self._found: LookAlikes | None = None
        # The tasks that lead the groups.
        self._leaders: list[int] = []
        try:
            tensors, strings = read(file)
            if strings == {"space": space, "digest": digest(tensors, {"space": space})}:
                self._embedding = Embedding({part: tensors[f"mean.{part}"] for part in PARTS})
                self._found, self._leaders = LookAlikes(tensors["leaders_LD"]), tensors["tasks_L"].tolist()
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            if not isinstance(error, FileNotFoundError):
                LOG.warning("groups of look-alikes begin anew: %s", error)

    def join(self, task_ids: Sequence[int], items: Sequence[ItemFeatures]) -> list[int]:
        """Return for each item, in order, the task that its group began with."""
        self._embedding = self._embedding or Embedding.of(items)
        vectors_ND = self._embedding.vectors(items)
        self._found, groups = (self._found or LookAlikes.empty(vectors_ND.shape[1])).join(vectors_ND)
        for task_id, group in zip(task_ids, groups, strict=True):
            if group == len(self._leaders):
                self._leaders.append(task_id)
        joined = [self._leaders[group] for group in groups]
        self._found, self._leaders = LookAlikes(self._found.leaders_LD[-MOST:]), self._leaders[-MOST:]
        return joined

    def save(self) -> None:
        """Write the groups. A disk that refuses is logged: without the file, later items form groups of their own."""
        if self._embedding is None or self._found is None:
            return
        means = {f"mean.{part}": mean.contiguous() for part, mean in self._embedding.means.items()}
        tensors = {**means, "leaders_LD": self._found.leaders_LD, "tasks_L": torch.tensor(self._leaders)}
        try:
            with replaced(self._file) as beside:
                save_file(tensors, beside, {"space": self._space, "digest": digest(tensors, {"space": self._space})})
        except (OSError, SafetensorError) as error:
            LOG.warning("groups of look-alikes are not kept: %s", error)
