"""The projections of a home: a file for each, named by the space of its encoders and by its content.

A small projection is made anew when the items have doubled, so all vectors together are computed at most about twice.
Vectors name the projection that they were made with, so an older one stays until no project needs it.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from model.features.item import ItemFeatures
from model.search.projection import MOST, Projection
from model.tensor_files import read
from tagloom_base.files import replaced

FOLDER = "projections"


class Projections:
    """The projections of one space in a folder."""

    def __init__(self, folder: Path, space: str) -> None:
        self._folder, self._space = folder / FOLDER, space

    def newest(self) -> Projection | None:
        """Return the projection that was made last; None if there is none that can be read."""
        files = sorted(self._folder.glob(f"{self._space}-*.safetensors"), key=lambda file: file.stat().st_mtime_ns)
        found = (self._read(file) for file in reversed(files))
        return next((one for one in found if one is not None), None)

    def get(self, digest: str) -> Projection | None:
        """Return the projection of this digest, if it is there and can be read."""
        return self._read(self._file(digest))

    def for_items(self, count: int, sample: Callable[[], Sequence[ItemFeatures]]) -> Projection | None:
        """Return the projection for so many items, made now from a sample where there is none or theirs is too small.

        None if there is nothing to make it of.
        """
        held = self.newest()
        if held is not None and (held.made_of >= MOST or count < 2 * held.made_of):
            return held
        items = sample()
        if not items:
            return held
        made = Projection.of(items)
        with replaced(self._file(made.digest)) as beside:
            save_file({name: tensor.contiguous() for name, tensor in made.state().items()}, beside)
        return made

    def prune(self, used: Collection[str]) -> None:
        """Delete the projections whose digests no project uses."""
        for file in self._folder.glob(f"{self._space}-*.safetensors"):
            if file.stem.rpartition("-")[2] not in used:
                file.unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        return self._folder / f"{self._space}-{digest}.safetensors"

    def _read(self, file: Path) -> Projection | None:
        try:
            return Projection.from_state(read(file)[0])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
