"""Vectors in a file that only grows, mapped into memory by whoever reads them.

The file is nothing but rows of half-precision numbers, one after the other. How many of them count is written
elsewhere, after they are on the disk: what a killed writer has left behind them is written over. Rows that count are
never changed, and the file is never cut, so that they can be read through the mapping at any time.
"""

import os
from pathlib import Path

import torch
from torch import Tensor

from model.search.projection import WIDTH

BYTES = 2  # of one number


class VectorFile:
    """The rows of one file, which need not be there yet.

    file = VectorFile(path)
    file.append(0, vectors_ND)
    vectors_ND = file.rows(len(vectors_ND))
    """

    def __init__(self, path: Path, width: int = WIDTH) -> None:
        self.path = path
        self._width = width

    def holds(self) -> int:
        """Return the number of whole rows in the file, those that do not count included."""
        try:
            return self.path.stat().st_size // (self._width * BYTES)
        except FileNotFoundError:
            return 0

    def append(self, after: int, vectors_ND: Tensor) -> None:
        """Write rows behind the first ``after`` rows, over what may stand there, and wait until they are on the disk.

        Raises ValueError for another width or where the file has fewer rows than ``after``, and OSError.
        """
        if vectors_ND.shape[1:] != (self._width,):
            raise ValueError(f"vectors of shape {tuple(vectors_ND.shape)} in a file of width {self._width}")
        if self.holds() < after:
            raise ValueError(f"{self.path} has fewer rows than the {after} that count")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
        with open(handle, "wb") as opened:
            opened.seek(after * self._width * BYTES)
            opened.write(vectors_ND.half().contiguous().numpy().tobytes())
            opened.flush()
            os.fsync(handle)

    def rows(self, count: int) -> Tensor:
        """Return the first ``count`` rows as a (N, D) float16 tensor that is mapped from the file: write nothing to it.

        Raises ValueError where the file has fewer.
        """
        if self.holds() < count:
            raise ValueError(f"{self.path} has fewer rows than the {count} that count")
        if not count:
            return torch.zeros(0, self._width, dtype=torch.float16)
        flat = torch.from_file(str(self.path), shared=False, size=count * self._width, dtype=torch.float16)
        return flat.view(count, self._width)
